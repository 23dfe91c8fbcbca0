//! What the server remembers: shared by both ports.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::AtomicUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::error::Unspecified;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::RecordedRequest;
use crate::canned::Queue;
use crate::device::Device;
use crate::entra::Entra;
use crate::fault::{self, Fault};
use crate::id_token::Signer;
use crate::token::{Code, RefreshToken};
use crate::{governance, venafi};

/// One server's state.
#[derive(Debug)]
pub(crate) struct AppState {
    pub(crate) https_port: u16,
    pub(crate) fault_ports: fault::Ports,
    pub(crate) signer: Signer,
    /// Requests being answered.
    pub(crate) open: AtomicUsize,
    store: Mutex<Store>,
}

/// The part that `POST /control/reset` empties.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) requests: Vec<RecordedRequest>,
    pub(crate) canned: HashMap<String, Queue>,
    pub(crate) codes: HashMap<String, Code>,
    pub(crate) refresh_tokens: HashMap<String, RefreshToken>,
    /// Users by access token, of those with the scope `openid`.
    pub(crate) subjects: HashMap<String, String>,
    pub(crate) entra: Entra,
    /// By name, each with the body of the answer that it spoils.
    pub(crate) faults: HashMap<String, (Fault, Vec<u8>)>,
    /// By device code.
    pub(crate) devices: HashMap<String, Device>,
    pub(crate) venafi: venafi::Service,
    pub(crate) governance: governance::Service,
    /// The `Proxy-Authorization` value that proxied requests must carry.
    pub(crate) proxy: Option<String>,
}

impl AppState {
    pub(crate) fn new(https_port: u16, fault_ports: fault::Ports) -> io::Result<Self> {
        let signer = Signer::generate().map_err(io::Error::other)?;
        Ok(Self { https_port, fault_ports, signer, open: AtomicUsize::new(0), store: Mutex::default() })
    }

    /// Locks the store; never hold it across an await.
    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 256 random bits in base64url: a token or code nobody guesses.
pub(crate) fn random_token() -> Result<String, Unspecified> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
