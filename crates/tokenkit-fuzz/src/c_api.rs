//! Requests of the C API. Nothing is sent: a call is cancelled before it begins, or ends with its first pause.
#![allow(unsafe_code, reason = "the C API is called as C would")]

use std::ffi::{CStr, CString, c_char};
use std::ptr::null;
use std::sync::OnceLock;

use serde_json::{Map, Value, json};
use tokenkit_ffi::c_api::{
    TokenkitCancel, TokenkitClient, tokenkit_cancel_new, tokenkit_cancel_trigger, tokenkit_client_new,
    tokenkit_device_token, tokenkit_jwt_sign, tokenkit_jwt_verify, tokenkit_metadata, tokenkit_string_free,
    tokenkit_token,
};

type Call = unsafe extern "C" fn(*const TokenkitClient, *const c_char, *const TokenkitCancel) -> *mut c_char;

/// The functions, and the members that would send a request or open a file: an address that refuses at once, and a
/// time limit of nothing.
const CALLS: &[(Call, Offline)] = &[
    (tokenkit_token, offline_token),
    (tokenkit_device_token, |members| match members.get_mut("request") {
        Some(Value::Object(request)) => {
            offline_token(request);
            // One attempt.
            members.insert("expires_in".into(), json!(0));
            true
        }
        _ => false,
    }),
    (tokenkit_jwt_sign, |_| true),
    (tokenkit_jwt_verify, |members| {
        members.remove("http");
        let here = ["secret", "key"].map(Value::from);
        members.get("keys").is_some_and(|keys| here.contains(&keys["type"]))
    }),
    (tokenkit_metadata, |members| {
        members.insert("issuer".into(), json!("http://127.0.0.1:9"));
        members.insert("http".into(), no_time());
        true
    }),
];

/// Changes a request so that it stays on this machine; false when that cannot be.
type Offline = fn(&mut Map<String, Value>) -> bool;

fn offline_token(members: &mut Map<String, Value>) -> bool {
    members.insert("endpoint".into(), json!("http://127.0.0.1:9"));
    members.insert("http".into(), no_time());
    true
}

fn no_time() -> Value {
    json!({ "timeout_ms": 0, "max_retries": 0 })
}

struct Handles {
    client: *const TokenkitClient,
    triggered: *const TokenkitCancel,
}

// SAFETY: tokenkit.h says that all threads may use both.
unsafe impl Send for Handles {}
// SAFETY: as above.
unsafe impl Sync for Handles {}

fn handles() -> &'static Handles {
    static HANDLES: OnceLock<Handles> = OnceLock::new();
    HANDLES.get_or_init(|| {
        let handles = Handles { client: tokenkit_client_new(), triggered: tokenkit_cancel_new() };
        // SAFETY: the handle is new, and is never freed.
        unsafe { tokenkit_cancel_trigger(handles.triggered) };
        handles
    })
}

/// A request as it came, which is read only; then as far as it can go without a network.
pub(crate) fn c_api(data: &[u8]) {
    let Handles { client, triggered } = handles();
    if let Ok(request) = CString::new(data) {
        for (call, _) in CALLS {
            answers(*call, *client, &request, *triggered);
        }
    }
    let Ok(Value::Object(members)) = serde_json::from_slice(data) else { return };
    for (call, offline) in CALLS {
        let mut members = members.clone();
        if offline(&mut members)
            && let Ok(request) = CString::new(Value::Object(members).to_string())
        {
            answers(*call, *client, &request, null());
        }
    }
}

/// There is always an answer in JSON, and never one that tells of a defect.
fn answers(call: Call, client: *const TokenkitClient, request: &CStr, cancel: *const TokenkitCancel) {
    // SAFETY: client and cancel handle are never freed, the request ends with a NUL, and the answer is freed once.
    unsafe {
        let text = call(client, request.as_ptr(), cancel);
        assert!(!text.is_null());
        let answer: Value = serde_json::from_slice(CStr::from_ptr(text).to_bytes()).unwrap_or_default();
        tokenkit_string_free(text);
        assert!(answer.is_object(), "the answer is no JSON object");
        assert_ne!(answer["error"]["code"], "internal_error", "{answer}");
    }
}
