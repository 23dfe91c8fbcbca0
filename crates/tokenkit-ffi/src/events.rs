//! What happens during a call, queued until the host asks for it.

use interoptopus::ffi;
use tokenkit::Observer;
use tokio::sync::mpsc::UnboundedSender;

/// Something that happened during a call. Holds no secret.
#[ffi]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened, for people; may have several lines.
    pub text: String,
    /// What happened, for programs.
    pub kind: EventKind,
}

/// The kind of an event.
#[ffi]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A request is about to be sent.
    Sending,
    /// An answer came.
    Received,
    /// The request failed in a way that allows another attempt, which is made after this many milliseconds.
    Retrying(u64),
    /// The user has not finished the device flow (RFC 8628 section 3.5).
    Pending(PollPause),
    /// Once a second while a user is waited for: the milliseconds that are left. For progress, not for a log.
    Waiting(u64),
    /// A browser was started.
    BrowserStarted,
    /// No browser was started: the user has to open the address. The text says why.
    BrowserNotStarted,
    /// Something was sent to the redirect URI that is not the answer, and was refused. The text says what.
    AnswerRefused,
    /// The text is something that the user should know, and that nothing else tells.
    Warning,
    /// Anything else that is worth a line.
    Note,
}

/// How long a device flow still waits.
#[ffi]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollPause {
    /// Milliseconds until the next poll.
    pub interval_ms: u64,
    /// Milliseconds until the device code expires.
    pub remaining_ms: u64,
}

/// Queues events for one operation. The queue ends when this is dropped.
pub(crate) struct EventQueue {
    pub(crate) sender: UnboundedSender<Event>,
    /// Whether it takes what is for a log only: what is sent and received, and notes.
    pub(crate) details: bool,
}

impl Observer for EventQueue {
    fn wants_details(&self) -> bool {
        self.details
    }

    fn event(&self, event: tokenkit::Event) {
        let milliseconds = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let kind = match &event {
            tokenkit::Event::Sending { .. } => EventKind::Sending,
            tokenkit::Event::Received { .. } => EventKind::Received,
            tokenkit::Event::Retrying { delay, .. } => EventKind::Retrying(milliseconds(*delay)),
            tokenkit::Event::Pending { interval, remaining } => EventKind::Pending(PollPause {
                interval_ms: milliseconds(*interval),
                remaining_ms: milliseconds(*remaining),
            }),
            tokenkit::Event::Waiting { remaining } => EventKind::Waiting(milliseconds(*remaining)),
            tokenkit::Event::Warning(_) => EventKind::Warning,
            tokenkit::Event::BrowserStarted { .. } => EventKind::BrowserStarted,
            tokenkit::Event::BrowserNotStarted { .. } => EventKind::BrowserNotStarted,
            tokenkit::Event::AnswerRefused { .. } => EventKind::AnswerRefused,
            _ => EventKind::Note,
        };
        if !self.details && matches!(kind, EventKind::Sending | EventKind::Received | EventKind::Note) {
            return;
        }
        // A host that has stopped listening misses nothing it needs.
        drop(self.sender.send(Event { text: event.to_string(), kind }));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn events_arrive_in_order_with_their_numbers() {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let queue = EventQueue { sender, details: true };
        queue.event(tokenkit::Event::Retrying { reason: "busy".into(), delay: Duration::from_millis(1500) });
        let (interval, remaining) = (Duration::from_secs(5), Duration::from_mins(1));
        queue.event(tokenkit::Event::Pending { interval, remaining });
        drop(queue);

        let first = receiver.blocking_recv().unwrap();
        assert_eq!(first.kind, EventKind::Retrying(1500));
        assert_eq!(first.text, "Trying again in 1.5 s: busy");
        let waiting = PollPause { interval_ms: 5000, remaining_ms: 60_000 };
        assert_eq!(receiver.blocking_recv().unwrap().kind, EventKind::Pending(waiting));
        assert_eq!(receiver.blocking_recv(), None);
    }

    #[test]
    fn a_sign_in_is_told_by_kinds_of_its_own() {
        let text = String::new;
        let remaining = Duration::from_millis(2500);
        for (event, kind) in [
            (tokenkit::Event::Warning(text()), EventKind::Warning),
            (tokenkit::Event::Waiting { remaining }, EventKind::Waiting(2500)),
            (tokenkit::Event::BrowserStarted { program: text() }, EventKind::BrowserStarted),
            (tokenkit::Event::BrowserNotStarted { reason: text() }, EventKind::BrowserNotStarted),
            (tokenkit::Event::AnswerRefused { reason: text() }, EventKind::AnswerRefused),
        ] {
            let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
            EventQueue { sender, details: false }.event(event);
            assert_eq!(receiver.blocking_recv().unwrap().kind, kind);
        }
    }

    #[test]
    fn what_is_for_a_log_can_be_left_out() {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let queue = EventQueue { sender, details: false };
        assert!(!queue.wants_details());
        let elapsed = Duration::from_millis(1);
        for event in [
            tokenkit::Event::Sending { method: "POST", url: String::new(), headers: vec![], content: vec![] },
            tokenkit::Event::Received {
                url: String::new(),
                status: 200,
                version: String::new(),
                bytes: 1,
                elapsed,
            },
            tokenkit::Event::Answer { members: vec![] },
            tokenkit::Event::Note(String::new()),
            tokenkit::Event::Retrying { reason: "busy".into(), delay: elapsed },
        ] {
            queue.event(event);
        }
        drop(queue);
        assert_eq!(receiver.blocking_recv().unwrap().kind, EventKind::Retrying(1));
        assert_eq!(receiver.blocking_recv(), None);
    }
}
