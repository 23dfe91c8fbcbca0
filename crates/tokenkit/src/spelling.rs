//! The ways in which a server may spell a text it repeats: as such, escaped as in JSON, forms and HTML, or encoded.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// Shorter texts are not searched for in encoded form, which could then be part of anything.
const SHORTEST_ENCODED: usize = 6;

/// Takes one character of a text off, in one way of spelling it.
type Strip = fn(&str, char) -> Option<&str>;

/// What follows in `text` after `word`, when `text` begins with it in any spelling.
pub(crate) fn strip<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let spellings: [Strip; 4] = [plain, json, form, html];
    spellings.into_iter().find_map(|strip| word.chars().try_fold(text, strip))
}

/// Like [`strip`], for one of the [`encodings`]: few of their characters can be escaped, and only in JSON and forms.
pub(crate) fn strip_encoded<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let spellings: [Strip; 2] = [json, form];
    let begins = text.starts_with(['\\', '%']) || word.starts_with(text.chars().next()?);
    spellings.into_iter().filter(|_| begins).find_map(|strip| word.chars().try_fold(text, strip))
}

/// What is found of `word` in a text that holds it in hex, or in base64 or base64url, alone or with other bytes around
/// it: these share their first and last character with it.
pub(crate) fn encodings(word: &str) -> Vec<Zeroizing<String>> {
    if word.len() < SHORTEST_ENCODED {
        return vec![];
    }
    let mut found = vec![Zeroizing::new(hex::encode(word)), Zeroizing::new(hex::encode_upper(word))];
    for before in 0..3 {
        let bytes = Zeroizing::new([&b"\0\0"[..before], word.as_bytes()].concat());
        let own = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let text = Zeroizing::new(engine.encode(&*bytes));
            found.push(Zeroizing::new(text[own.clone()].to_owned()));
        }
    }
    found.dedup();
    found
}

/// Whether a character may stand beside another one in base64, base64url or hex.
pub(crate) fn is_encoded(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/-_=".contains(c)
}

fn plain(text: &str, c: char) -> Option<&str> {
    text.strip_prefix(c)
}

/// RFC 8259 section 7: some characters must be escaped, and any may be.
fn json(text: &str, c: char) -> Option<&str> {
    let Some(escape) = text.strip_prefix('\\') else { return plain(text, c) };
    if let Some(mut rest) = escape.strip_prefix('u') {
        for unit in c.encode_utf16(&mut [0; 2]) {
            rest = rest.strip_prefix("\\u").unwrap_or(rest);
            let digits = rest.get(..4)?;
            rest = (u16::from_str_radix(digits, 16).ok()? == *unit).then_some(&rest[4..])?;
        }
        return Some(rest);
    }
    let short = match c {
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '"' | '\\' | '/' => c,
        _ => return None,
    };
    plain(escape, short)
}

/// `application/x-www-form-urlencoded`, and percent-encoding that leaves more as it is.
fn form(text: &str, c: char) -> Option<&str> {
    if c == ' ' && text.starts_with('+') {
        return text.strip_prefix('+');
    }
    if !text.starts_with('%') {
        return plain(text, c);
    }
    c.encode_utf8(&mut [0; 4]).bytes().try_fold(text, |rest, byte| {
        let digits = rest.strip_prefix('%')?.get(..2)?;
        (u8::from_str_radix(digits, 16).ok()? == byte).then_some(&rest[3..])
    })
}

/// Character references of HTML, by number or by the names that escaping functions use.
fn html(text: &str, c: char) -> Option<&str> {
    let Some((reference, rest)) = text.strip_prefix('&').and_then(reference) else {
        return plain(text, c);
    };
    let referred = match reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => reference.strip_prefix('#').and_then(|number| {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }),
    };
    if referred == Some(c) { Some(rest) } else { plain(text, c) }
}

/// What stands before the next semicolon, if one is near: a text of ampersands must not be searched to its end from
/// each of them.
fn reference(text: &str) -> Option<(&str, &str)> {
    const LONGEST: usize = 16;
    let end = text.bytes().take(LONGEST).position(|byte| byte == b';')?;
    Some((&text[..end], &text[end + 1..]))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("a/b \"c\"é😀.", "a/b \"c\"é😀")]
    #[case::json_as_needed(r#"a/b \"c\"é😀."#, "a/b \"c\"é😀")]
    #[case::json_with_slashes(r#"a\/b \"c\"é😀."#, "a/b \"c\"é😀")]
    #[case::json_in_ascii(r"a\u002Fb\u0020\u0022c\u0022\u00e9\ud83d\ude00.", "a/b \"c\"é😀")]
    #[case::json_controls(r"\b\f\n\r\t\\.", "\u{8}\u{c}\n\r\t\\")]
    #[case::backslash_and_n(r"\\n.", r"\n")]
    #[case::form("a%2Fb+%22c%22%C3%A9%F0%9F%98%80.", "a/b \"c\"é😀")]
    #[case::form_in_lower_case("a%2fb%20%22c%22%c3%a9%f0%9f%98%80.", "a/b \"c\"é😀")]
    #[case::form_of_a_percent_sign("100%25%2B.", "100%+")]
    #[case::html("&lt;&amp;&gt;&quot;&apos;&#39;&#x2B;.", "<&>\"''+")]
    #[case::html_with_leading_zeros("&#0000038;&#x000026;.", "&&")]
    #[case::html_with_a_bare_ampersand("a&b;c.", "a&b;c")]
    fn every_spelling_is_recognised(#[case] text: &str, #[case] word: &str) {
        assert_eq!(strip(text, word), Some("."));
    }

    #[test]
    fn hex_is_recognised_in_both_cases() {
        assert!(
            ["3c7365637265743e", "3C7365637265743E"]
                .iter()
                .all(|hex| encodings("<secret>").iter().any(|word| **word == *hex))
        );
    }

    #[test]
    fn base64_is_recognised_wherever_it_begins_and_ends() {
        for (before, after) in (0..7).flat_map(|before| (0..7).map(move |after| (before, after))) {
            let text = format!("{}p?q~secret{}", "x".repeat(before), "y".repeat(after));
            for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
                let encoded = engine.encode(&text);
                let is_found = encodings("p?q~secret").iter().any(|word| encoded.contains(word.as_str()));
                assert!(is_found, "{text}: {encoded}");
            }
        }
    }

    #[test]
    fn short_words_are_not_searched_for_encoded() {
        assert!(encodings("short").is_empty());
    }

    #[rstest]
    #[case("abd", "abc")]
    #[case("ab", "abc")]
    #[case("", "abc")]
    #[case(r"a\u006", "ab")]
    #[case(r"a\u00é", "ab")]
    #[case("a%6", "ab")]
    #[case("a%é", "ab")]
    #[case("a&#;", "ab")]
    #[case("a&#x110000;", "ab")]
    #[case(r"a\nb", "anb")]
    fn other_texts_are_not(#[case] text: &str, #[case] word: &str) {
        assert_eq!(strip(text, word), None);
    }
}
