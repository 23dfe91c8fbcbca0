//! A QR code as text for a terminal.

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

use crate::error::{Error, ErrorCode};

/// Draws a text as QR code (ISO/IEC 18004): lines of equal width, in which each character is two modules, one above
/// the other, and four modules around are left free.
///
/// The light modules are drawn and the dark ones are the ground: to be shown light on dark.
///
/// # Errors
/// The text is longer than a QR code can be.
///
/// ```
/// let lines = tokenkit::qr_code("https://as.example/device?user_code=WDJB-MJHT")?;
/// assert_eq!(lines.len() * 2, lines[0].chars().count() + 1);
/// # Ok::<(), tokenkit::Error>(())
/// ```
pub fn qr_code(text: &str) -> Result<Vec<String>, Error> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L)
        .map_err(|_| Error::invalid(ErrorCode::InvalidArgument, "The text is too long for a QR code."))?;
    let picture = code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .quiet_zone(true)
        .module_dimensions(1, 1)
        .build();
    let mut lines: Vec<_> = picture.lines().map(str::to_owned).collect();
    // The number of rows is odd: the other half of the last line is light, too.
    if let Some(last) = lines.last_mut() {
        *last = last.replace('▀', "█");
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use qrcode::Color;

    use super::*;

    const ADDRESS: &str = "https://as.example/device?user_code=WDJB-MJHT";

    /// Whether something is drawn, module by module.
    fn drawn(lines: &[String]) -> Vec<Vec<bool>> {
        let rows = |line: &String| {
            let halves = |letter| match letter {
                ' ' => (false, false),
                '▀' => (true, false),
                '▄' => (false, true),
                '█' => (true, true),
                other => unreachable!("{other}"),
            };
            let (upper, lower): (Vec<_>, Vec<_>) = line.chars().map(halves).unzip();
            [upper, lower]
        };
        lines.iter().flat_map(rows).collect()
    }

    #[test]
    fn each_module_is_where_it_belongs() {
        let code = QrCode::with_error_correction_level(ADDRESS, EcLevel::L).unwrap();
        let size = code.width();
        let is_dark = |x: usize, y: usize| {
            let inside = (4..size + 4).contains(&x) && (4..size + 4).contains(&y);
            inside && code[(x - 4, y - 4)] == Color::Dark
        };
        let drawn = drawn(&qr_code(ADDRESS).unwrap());
        assert_eq!(drawn.len(), size + 9, "one row more, to fill the last line");
        for (y, row) in drawn.iter().enumerate() {
            assert_eq!(row.len(), size + 8);
            for (x, is_drawn) in row.iter().enumerate() {
                assert_eq!(*is_drawn, !is_dark(x, y), "{x}, {y}");
            }
        }
    }

    #[test]
    fn an_address_fits_a_terminal() {
        let lines = qr_code(ADDRESS).unwrap();
        assert!(lines.len() <= 20 && lines[0].chars().count() <= 40, "{}", lines.join("\n"));
    }

    #[test]
    fn what_is_too_long_is_refused() {
        assert_eq!(qr_code(&"x".repeat(3000)).unwrap_err().code(), "invalid_argument");
    }
}
