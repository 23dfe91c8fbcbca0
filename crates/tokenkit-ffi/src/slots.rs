//! Secrets that .NET hands over before the request that names them.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use tokenkit::Secret;

/// The secrets of one operation. Each is given out once; those nobody asked for are wiped with the whole.
#[derive(Default)]
pub(crate) struct Slots(Mutex<Vec<Option<Secret>>>);

impl Slots {
    /// Keeps a secret and returns its number, counted from 1.
    pub(crate) fn put(&self, secret: Secret) -> u64 {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.push(Some(secret));
        slots.len() as u64
    }

    /// Gives the secret out, or `None` when there is none of this number any more.
    pub(crate) fn take(&self, number: u64) -> Option<Secret> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(index)?.take()
    }
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slots")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_given_out_once() {
        let slots = Slots::default();
        let (first, second) = (slots.put(Secret::from("one")), slots.put(Secret::from("two")));
        assert_eq!((first, second), (1, 2));
        assert!(slots.take(second).unwrap().matches(&Secret::from("two")));
        assert!(slots.take(second).is_none());
        assert!(slots.take(first).is_some());
    }

    #[test]
    fn unknown_numbers_are_refused() {
        let slots = Slots::default();
        for number in [0, 1, u64::MAX] {
            assert!(slots.take(number).is_none());
        }
    }
}
