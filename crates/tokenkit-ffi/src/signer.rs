//! Keys that stay in .NET sign through a callback.

use std::sync::Arc;

use interoptopus::wire::Wire;
use interoptopus::{callback, ffi};
use tokenkit::jwt::{Algorithm, ExternalSigner, KeyType};

/// What the signing callback returns.
#[ffi]
pub struct Signature {
    /// The signature in JWS form: for ECDSA the integers r and s side by side (RFC 7518 section 3.4).
    pub bytes: Vec<u8>,
    /// Why there is no signature, in words for people.
    pub problem: Option<String>,
}

pub use callback_type::SignCallback;

#[allow(missing_docs, reason = "the macro takes no documentation")]
mod callback_type {
    use super::{Signature, Wire, callback, ffi};

    callback!(SignCallback(algorithm: ffi::Slice<'static, u8>, message: ffi::Slice<'static, u8>) -> Wire<Signature>);
}

/// A key in .NET as the core sees it.
pub(crate) struct CallbackSigner {
    pub(crate) callback: Arc<SignCallback>,
    pub(crate) key_type: KeyType,
}

impl ExternalSigner for CallbackSigner {
    fn key_type(&self) -> KeyType {
        self.key_type
    }

    fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, String> {
        let answer = self.callback.call_if_some(borrowed(algorithm.as_str().as_bytes()), borrowed(message));
        // A callback that threw an exception has answered with an empty buffer.
        let signature = answer.and_then(|mut wire| wire.try_unwire().ok());
        match signature.ok_or("The key outside TokenKit failed while it was signing.")? {
            Signature { problem: Some(problem), .. } => {
                Err(format!("The key outside TokenKit did not sign: {problem}"))
            }
            Signature { bytes, .. } if bytes.is_empty() => {
                Err("The key outside TokenKit gave no signature.".into())
            }
            Signature { bytes, .. } => Ok(bytes),
        }
    }
}

/// A view for the length of a callback, whose type can name no shorter lifetime.
fn borrowed(bytes: &[u8]) -> ffi::Slice<'static, u8> {
    // SAFETY: the view is passed to the callback only, and the borrow outlives that call.
    ffi::Slice::from_slice(unsafe { std::slice::from_raw_parts(bytes.as_ptr(), bytes.len()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(answer: impl Fn(&[u8]) -> Signature + Send + Sync + 'static) -> Result<Vec<u8>, String> {
        let callback = SignCallback::from_fn(move |_, message| Wire::from(answer(message.as_slice())));
        let signer = CallbackSigner { callback: Arc::new(callback), key_type: KeyType::Rsa };
        signer.sign(Algorithm::RS256, b"message")
    }

    #[test]
    fn the_answer_is_the_signature() {
        let signature = sign(|message| Signature { bytes: message.to_vec(), problem: None });
        assert_eq!(signature.unwrap(), b"message");
    }

    #[test]
    fn a_problem_is_passed_on() {
        let problem = sign(|_| Signature { bytes: vec![1], problem: Some("no card".into()) });
        assert_eq!(problem.unwrap_err(), "The key outside TokenKit did not sign: no card");
    }

    #[test]
    fn an_empty_signature_is_refused() {
        assert!(sign(|_| Signature { bytes: vec![], problem: None }).is_err());
    }

    #[test]
    fn a_missing_callback_is_an_error() {
        let signer = CallbackSigner { callback: Arc::new(SignCallback::default()), key_type: KeyType::Rsa };
        assert!(signer.sign(Algorithm::RS256, b"message").is_err());
    }
}
