//! No panic may pass a door: unwinding into another language ends the process.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Once;
use std::task::Poll;

use tokenkit::{Error, ErrorCode};

thread_local! {
    static LAST_PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps panics from writing to the host's standard error, and notes where they happened. Their message is
/// dropped: it may quote anything.
pub(crate) fn silence() {
    static ONCE: Once = Once::new();
    if cfg!(test) {
        return; // A failing test is to be heard.
    }
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            let place = info.location().map(|at| {
                let file = at.file().rsplit(['/', '\\']).next().unwrap_or_default();
                format!("{file}:{}", at.line())
            });
            LAST_PLACE.set(place);
        }));
    });
}

/// Runs `work`; a panic in it becomes an internal error.
pub(crate) fn catch<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(defect()))
}

/// Runs the future `work`; a panic in it becomes an internal error.
pub(crate) async fn catch_async<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let mut work = pin!(work);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(poll) => poll,
        Err(_) => Poll::Ready(Err(defect())),
    })
    .await
}

fn defect() -> Error {
    let place = LAST_PLACE.take().map(|place| format!(" at {place}")).unwrap_or_default();
    Error::Internal {
        code: ErrorCode::Internal,
        message: format!("TokenKit has failed unexpectedly{place}."),
    }
}

/// Panics. Whether a host bears that can be tried in every build: with the endpoint [`ENDPOINT`], and with
/// `TokenClient::provoke_panic`.
#[allow(clippy::panic, reason = "what it is for")]
pub(crate) fn provoke() {
    panic!("provoked");
}

/// No token endpoint has this address.
pub(crate) const ENDPOINT: &str = "panic:";

#[cfg(test)]
mod tests {
    use super::*;

    fn is_defect<T>(result: Result<T, Error>) -> bool {
        result.is_err_and(|error| error.error_code() == ErrorCode::Internal)
    }

    #[test]
    fn panics_become_internal_errors() {
        assert!(is_defect(catch(|| {
            provoke();
            Ok(())
        })));
        assert_eq!(catch(|| Ok(7)).unwrap(), 7);
    }

    #[tokio::test]
    async fn panics_after_an_await_become_internal_errors() {
        let work = catch_async(async {
            tokio::task::yield_now().await;
            provoke();
            Ok(())
        });
        assert!(is_defect(work.await));
        assert_eq!(catch_async(async { Ok(7) }).await.unwrap(), 7);
    }
}
