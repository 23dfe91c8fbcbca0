//! When a token is to be renewed, and whether the JWT that renews it is still good. The time is always given, so
//! that every answer can be tried out.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::error::{Error, ErrorCode};
use crate::jwt::decode_unverified;
use crate::reply::CALENDAR;

/// How far this machine's clock and the server's may be apart.
const CLOCK_SKEW: Duration = Duration::from_mins(1);

/// Whether a token is to be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// It is good for longer than the margin.
    NotDue,
    /// It is still good, but for no longer than the margin.
    Due,
    /// It has expired.
    Overdue,
    /// Nobody said when it expires: the server will tell.
    Unknown,
}

impl Renewal {
    /// The margin that lets a request begun in time reach the server before the token expires.
    pub const MARGIN: Duration = Duration::from_mins(1);

    /// Whether a token that expires at `expires_at` is to be renewed at the time `now`.
    ///
    /// ```
    /// use chrono::{TimeDelta, Utc};
    /// use tokenkit::Renewal;
    ///
    /// let now = Utc::now();
    /// let expires_at = Some(now + TimeDelta::seconds(59));
    /// assert_eq!(Renewal::of(expires_at, Renewal::MARGIN, now), Renewal::Due);
    /// ```
    #[must_use]
    pub fn of(expires_at: Option<DateTime<Utc>>, margin: Duration, now: DateTime<Utc>) -> Self {
        let Some(expires_at) = expires_at else { return Self::Unknown };
        match (expires_at - now).to_std() {
            // Less than nothing is left.
            Err(_) | Ok(Duration::ZERO) => Self::Overdue,
            Ok(left) if left <= margin => Self::Due,
            Ok(_) => Self::NotDue,
        }
    }
}

/// `nbf` and `exp` of a JWT (RFC 7519 section 4.1). Its signature is not checked: that is for whom it is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JwtLifetime {
    /// Not to be used before.
    pub not_before: Option<DateTime<Utc>>,
    /// Not to be used from then on.
    pub expires_at: Option<DateTime<Utc>>,
}

impl JwtLifetime {
    /// Reads the times of a JWT in compact form.
    ///
    /// # Errors
    /// [`ErrorCode::MalformedToken`] or [`ErrorCode::EncryptedToken`].
    pub fn read(jwt: &str) -> Result<Self, Error> {
        let claims = decode_unverified(jwt)?.claims;
        Ok(Self { not_before: time(&claims, "nbf")?, expires_at: time(&claims, "exp")? })
    }

    /// Checks that the JWT may be used at the time `now`, give or take a minute.
    ///
    /// # Errors
    /// [`ErrorCode::AssertionExpired`] or [`ErrorCode::AssertionNotYetValid`].
    pub fn check(&self, now: DateTime<Utc>) -> Result<(), Error> {
        match (self.expires_at, self.not_before) {
            (Some(expires_at), _) if now >= expires_at + CLOCK_SKEW => Err(Error::invalid(
                ErrorCode::AssertionExpired,
                format!("The JWT expired at {}.", shown(expires_at)),
            )),
            (_, Some(not_before)) if now + CLOCK_SKEW < not_before => Err(Error::invalid(
                ErrorCode::AssertionNotYetValid,
                format!("The JWT is not valid before {}.", shown(not_before)),
            )),
            _ => Ok(()),
        }
    }
}

fn shown(time: DateTime<Utc>) -> impl std::fmt::Display {
    time.format("%Y-%m-%d %H:%M:%S UTC")
}

#[allow(clippy::cast_possible_truncation, reason = "a cast beyond the range saturates")]
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<DateTime<Utc>>, Error> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    // RFC 7519 section 2: a NumericDate may have a fraction. It has no limits, as calendars have.
    let within = |seconds: f64| ((seconds * 1000.0) as i64).clamp(*CALENDAR.start(), *CALENDAR.end());
    let time = value.as_f64().map(within).and_then(DateTime::from_timestamp_millis);
    let malformed = || Error::invalid(ErrorCode::MalformedToken, format!("{name} of the JWT is no time."));
    time.map(Some).ok_or_else(malformed)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use chrono::TimeDelta;
    use rstest::rstest;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn jwt(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[rstest]
    #[case::long_before(0, Renewal::NotDue)]
    #[case::before_the_margin(3539, Renewal::NotDue)]
    #[case::at_the_margin(3540, Renewal::Due)]
    #[case::just_before_the_end(3599, Renewal::Due)]
    #[case::at_the_end(3600, Renewal::Overdue)]
    #[case::long_after(1_000_000_000, Renewal::Overdue)]
    fn a_moving_clock_passes_the_margin_and_the_end(#[case] seconds: i64, #[case] expected: Renewal) {
        let issued = at("2026-01-02T03:04:05Z");
        let expires_at = Some(issued + TimeDelta::hours(1));
        let now = issued + TimeDelta::seconds(seconds);
        assert_eq!(Renewal::of(expires_at, Renewal::MARGIN, now), expected);
    }

    #[test]
    fn a_margin_of_nothing_renews_at_the_end_only() {
        let now = at("2026-01-02T03:04:05Z");
        let in_a_while = Some(now + TimeDelta::milliseconds(1));
        assert_eq!(Renewal::of(in_a_while, Duration::ZERO, now), Renewal::NotDue);
        assert_eq!(Renewal::of(Some(now), Duration::ZERO, now), Renewal::Overdue);
        assert_eq!(Renewal::of(None, Duration::MAX, now), Renewal::Unknown);
    }

    // 1767323045 is 2026-01-02T03:04:05Z.
    #[rstest]
    #[case::good(r#"{"exp":1767323045}"#, "2026-01-02T03:04:04Z", None)]
    #[case::within_the_skew(r#"{"exp":1767323045}"#, "2026-01-02T03:05:04Z", None)]
    #[case::expired(
        r#"{"exp":1767323045}"#,
        "2026-01-02T03:05:05Z",
        Some("The JWT expired at 2026-01-02 03:04:05 UTC.")
    )]
    #[case::fraction(r#"{"exp":1767323045.9}"#, "2026-01-02T03:05:05Z", None)]
    #[case::early_within_the_skew(r#"{"nbf":1767323045}"#, "2026-01-02T03:03:05Z", None)]
    #[case::early(
        r#"{"nbf":1767323045}"#,
        "2026-01-02T03:03:04Z",
        Some("The JWT is not valid before 2026-01-02 03:04:05 UTC.")
    )]
    #[case::expired_before_the_calendar(
        r#"{"exp":-62135596801}"#,
        "2026-01-02T03:04:05Z",
        Some("The JWT expired at 0001-01-01 00:00:00 UTC.")
    )]
    #[case::early_until_the_end_of_the_calendar(
        r#"{"nbf":1e300}"#,
        "2026-01-02T03:04:05Z",
        Some("The JWT is not valid before 9999-12-31 23:59:59 UTC.")
    )]
    #[case::no_times("{}", "2026-01-02T03:04:05Z", None)]
    fn a_jwt_is_used_within_its_times(
        #[case] claims: &str,
        #[case] now: &str,
        #[case] problem: Option<&str>,
    ) {
        let result = JwtLifetime::read(&jwt(claims)).unwrap().check(at(now));
        assert_eq!(result.err().map(|error| error.to_string()).as_deref(), problem);
    }

    /// .NET knows no later times, and chrono has some to which nothing can be added.
    #[rstest]
    #[case(r#"{"exp":253402300800}"#)]
    #[case(r#"{"exp":8210266876790}"#)]
    #[case(r#"{"exp":1e300}"#)]
    fn a_jwt_expires_at_the_end_of_the_calendar_at_last(#[case] claims: &str) {
        let lifetime = JwtLifetime::read(&jwt(claims)).unwrap();
        assert_eq!(lifetime.expires_at.unwrap().timestamp_millis(), 253_402_300_799_999);
        lifetime.check(at("2026-01-02T03:04:05Z")).unwrap();
    }

    #[rstest]
    #[case("opaque", "malformed_token")]
    #[case("e30.a.b.c.d", "encrypted_token")]
    #[case(&jwt(r#"{"exp":"tomorrow"}"#), "malformed_token")]
    #[case(&jwt(r#"{"nbf":null}"#), "malformed_token")]
    fn what_is_no_jwt_with_times_is_told(#[case] jwt: &str, #[case] code: &str) {
        assert_eq!(JwtLifetime::read(jwt).unwrap_err().code(), code);
    }
}
