//! What a caller can watch while a request runs.

use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

/// Something that happened. Holds no secret: names are kept, values that are not known to be public are
/// masked where the event is made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A request is about to be sent.
    Sending {
        /// Such as `POST`.
        method: &'static str,
        /// The address, without user information, query and fragment.
        url: String,
        /// Header names and masked values.
        headers: Vec<(String, String)>,
        /// Names and masked values of the form fields, or of the JSON object's members.
        content: Vec<(String, String)>,
    },
    /// An answer came.
    Received {
        /// The address it came from.
        url: String,
        /// HTTP status code.
        status: u16,
        /// Protocol version, such as `HTTP/2.0`.
        version: String,
        /// Size of the body in bytes.
        bytes: usize,
        /// Time since the request was sent.
        elapsed: Duration,
    },
    /// What was granted.
    Answer {
        /// Names and masked values of the members of the JSON object.
        members: Vec<(String, String)>,
    },
    /// The request failed in a way that allows another attempt.
    Retrying {
        /// Why.
        reason: String,
        /// Time until the next attempt.
        delay: Duration,
    },
    /// The user has not finished the device flow (RFC 8628 section 3.5).
    Pending {
        /// Time until the next poll.
        interval: Duration,
        /// Time until the device code expires.
        remaining: Duration,
    },
    /// Something that the user should know, and that nothing else tells.
    Warning(String),
    /// Something that is good to know when one looks closer.
    Note(String),
    /// A user is waited for; told once a second.
    Waiting {
        /// Time that the user has left.
        remaining: Duration,
    },
    /// A browser was started.
    BrowserStarted {
        /// The program.
        program: String,
    },
    /// No browser was started: the user has to open the address.
    BrowserNotStarted {
        /// Why.
        reason: String,
    },
    /// Something was sent to the redirect URI that is not the answer, and was refused.
    AnswerRefused {
        /// What it was.
        reason: String,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sending { method, url, headers, content } => {
                write!(f, "{method} {url}")?;
                for (name, value) in headers {
                    write!(f, "\n  {name}: {value}")?;
                }
                for (name, value) in content {
                    write!(f, "\n  {name}={value}")?;
                }
                Ok(())
            }
            Self::Received { url, status, version, bytes, elapsed } => {
                write!(f, "{version} {status} from {url}: {bytes} bytes in {} ms", elapsed.as_millis())
            }
            Self::Answer { members } => {
                f.write_str("Granted:")?;
                members.iter().enumerate().try_for_each(|(index, (name, value))| {
                    write!(f, "{} {name}={value}", if index == 0 { "" } else { "," })
                })
            }
            Self::Retrying { reason, delay } => {
                write!(f, "Trying again in {:.1} s: {reason}", delay.as_secs_f64())
            }
            Self::Pending { interval, remaining } => write!(
                f,
                "Waiting for the sign-in: next question in {} s, the code expires in {} s",
                interval.as_secs(),
                remaining.as_secs()
            ),
            Self::Warning(text) | Self::Note(text) => f.write_str(text),
            Self::Waiting { remaining } => {
                write!(f, "Waiting for the sign-in: {} s left", remaining.as_secs_f64().ceil())
            }
            Self::BrowserStarted { program } => write!(f, "Started the browser ({program})"),
            Self::BrowserNotStarted { reason } => write!(f, "No browser was started: {reason}"),
            Self::AnswerRefused { reason } => write!(f, "An answer was refused: {reason}"),
        }
    }
}

/// Receives [`Event`]s, on whichever thread the work runs. `()` ignores them.
pub trait Observer: Send + Sync {
    /// Called for each event; must return quickly.
    fn event(&self, event: Event);

    /// Whether [`Event::Sending`] and [`Event::Received`] are wanted. They are made for every request, and most hosts
    /// drop them.
    fn wants_details(&self) -> bool {
        true
    }
}

impl Observer for () {
    fn event(&self, _: Event) {}

    fn wants_details(&self) -> bool {
        false
    }
}

/// The end of a time that may be as long as a caller likes: what the clock cannot express is as good as never.
pub(crate) fn deadline(start: Instant, wait: Duration) -> Instant {
    const NEVER: Duration = Duration::from_hours(24 * 365 * 30);
    start + wait.min(NEVER)
}

/// Tells once a second how much time is left.
pub(crate) async fn count_down(deadline: Instant, observer: &dyn Observer) -> Infallible {
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        observer.event(Event::Waiting { remaining: deadline.saturating_duration_since(Instant::now()) });
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.into(), value.into())
    }

    #[rstest]
    #[case(
        Event::Sending {
            method: "POST",
            url: "https://as.example/token".into(),
            headers: vec![pair("Accept", "application/json"), pair("Authorization", "***")],
            content: vec![pair("grant_type", "client_credentials")],
        },
        "POST https://as.example/token\n  Accept: application/json\n  Authorization: ***\n  grant_type=client_credentials"
    )]
    #[case(
        Event::Received {
            url: "https://as.example/token".into(),
            status: 200,
            version: "HTTP/2.0".into(),
            bytes: 42,
            elapsed: Duration::from_micros(7890),
        },
        "HTTP/2.0 200 from https://as.example/token: 42 bytes in 7 ms"
    )]
    #[case(
        Event::Answer { members: vec![pair("access_token", "***"), pair("expires_in", "3600")] },
        "Granted: access_token=***, expires_in=3600"
    )]
    #[case(
        Event::Retrying { reason: "no connection".into(), delay: Duration::from_millis(1234) },
        "Trying again in 1.2 s: no connection"
    )]
    #[case(
        Event::Pending { interval: Duration::from_secs(5), remaining: Duration::from_secs(595) },
        "Waiting for the sign-in: next question in 5 s, the code expires in 595 s"
    )]
    #[case(Event::Warning("The key is short.".into()), "The key is short.")]
    #[case(Event::Waiting { remaining: Duration::from_millis(298_001) }, "Waiting for the sign-in: 299 s left")]
    #[case(Event::BrowserStarted { program: "xdg-open".into() }, "Started the browser (xdg-open)")]
    #[case(
        Event::BrowserNotStarted { reason: "there is no screen".into() },
        "No browser was started: there is no screen"
    )]
    #[case(
        Event::AnswerRefused { reason: "its state is not the one that was sent".into() },
        "An answer was refused: its state is not the one that was sent"
    )]
    fn events_read_as_lines(#[case] event: Event, #[case] expected: &str) {
        assert_eq!(event.to_string(), expected);
    }
}
