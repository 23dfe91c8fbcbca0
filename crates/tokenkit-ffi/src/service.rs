//! Door 1: a typed asynchronous service for .NET.
//!
//! A [`TokenClient`] is made once per process. Each call is an [`Operation`]: it takes the secrets and the signer,
//! runs the call, tells what happens meanwhile, and wipes with its end what was not used.

#![allow(
    clippy::items_after_statements,
    clippy::ptr_cast_constness,
    clippy::used_underscore_binding,
    reason = "what #[ffi] generates"
)]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use interoptopus::pattern::asynk::Async;
use interoptopus::rt::Tokio;
use interoptopus::wire::Wire;
use interoptopus::{AsyncRuntime, ffi};
use tokenkit::store::Memory;
use tokenkit::{Client, Error, ErrorCode, Secret};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::dto::{DeviceTokenRequest, Resources, TokenRequest, TokenResponse, invalid};
use crate::events::{Event, EventQueue};
use crate::failure::Failure;
use crate::governance::{GovernanceAnswer, GovernanceRequest};
use crate::jose::{
    self, DecodedJwt, Jwk, JwkRequest, JwtSignRequest, JwtVerification, JwtVerifyRequest, KeyPair,
    KeyPairRequest, MetadataRequest, MetadataResponse, PkceChallenge, SignedJwt,
};
use crate::lcs::{
    self, LcsAddress, LcsCheckRequest, LcsClearRequest, LcsConfig, LcsConfigRequest, LcsImport,
    LcsImportRequest, LcsRefreshRequest, LcsSaveRequest, LcsTokenRequest, LcsTokenState, LcsWritten,
};
use crate::panic::{catch, catch_async, provoke, silence};
use crate::sign_in::{
    AuthorizationRequest, AuthorizationResponse, DeviceAuthorizationRequest, DeviceAuthorizationResponse,
    OpenRequest, OpenResult, Pending, PreparedAuthorization, QrCode, QrRequest, SignInOptions,
    UserInfoRequest, UserInfoResponse,
};
use crate::signer::SignCallback;
use crate::store::{
    Host, RefreshRequest, StoreMoveRequest, StoreOptions, StoreReadRequest, StoreRemoveRequest, StoreSection,
    StoreStatus, StoreUpdateRequest, StoreWritten,
};
use crate::venafi::{
    self, VenafiRegion, VenafiServer, VenafiServerRequest, VenafiSessionRequest, VenafiSessionState,
    VenafiToken, VenafiTokenRequest, VenafiUser, VenafiUserRequest,
};

/// The worker threads and connections of a process, and what it remembers of its stores.
#[ffi(service)]
#[derive(AsyncRuntime)]
pub struct TokenClient {
    runtime: Tokio,
    client: Arc<Client>,
    memory: Arc<Memory>,
}

#[ffi]
impl TokenClient {
    /// Starts the worker threads. One client is enough for a process.
    pub fn create() -> ffi::Result<Self, Failure> {
        silence();
        catch(|| Ok(Self { runtime: Tokio::new(), client: Arc::default(), memory: Arc::default() }))
            .map_err(Failure::from)
            .into()
    }

    /// Panics inside the library, to try how a host bears it: as an internal failure.
    pub fn provoke_panic(&self) -> ffi::Result<(), Failure> {
        let work = || {
            provoke();
            Ok(())
        };
        catch(work).map_err(Failure::from).into()
    }
}

/// One call. It may be disposed of while the call still runs, which then ends by itself.
#[ffi(service)]
#[derive(AsyncRuntime)]
pub struct Operation {
    runtime: Tokio,
    client: Arc<Client>,
    memory: Arc<Memory>,
    resources: Resources,
    pending: Mutex<Option<Pending>>,
    queue: Mutex<Option<EventQueue>>,
    events: tokio::sync::Mutex<UnboundedReceiver<Event>>,
}

#[ffi]
impl Operation {
    /// Prepares a call.
    pub fn create(client: &TokenClient) -> ffi::Result<Self, Failure> {
        let (sender, events) = unbounded_channel();
        ffi::Ok(Self {
            runtime: client.runtime.clone(),
            client: client.client.clone(),
            memory: client.memory.clone(),
            resources: Resources::default(),
            pending: Mutex::default(),
            queue: Mutex::new(Some(EventQueue { sender, details: true })),
            events: tokio::sync::Mutex::new(events),
        })
    }

    /// Copies a secret and returns the slot by which the request can name it, once.
    pub fn put_secret(&self, bytes: ffi::Slice<u8>) -> ffi::Result<u64, Failure> {
        let put = || Ok(self.resources.slots.put(Secret::from(bytes.as_slice())));
        catch(put).map_err(Failure::from).into()
    }

    /// Sets the callback that signs for a key outside. It is called on a worker thread and may block. The
    /// signature is made with the algorithm of that JOSE name over the message.
    pub fn set_signer(&self, callback: SignCallback) {
        *self.resources.signer.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(callback));
    }

    /// Leaves out of the events what is for a log only: [`EventKind::Sending`](crate::events::EventKind::Sending),
    /// `Received` and `Note`. To be said before the call.
    pub fn skip_details(&self) {
        if let Some(queue) = &mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            queue.details = false;
        }
    }

    /// Whether there are events to ask for. Once the call is over, a host that has not asked yet need not do so
    /// without any.
    pub fn has_events(&self) -> bool {
        self.events.try_lock().is_ok_and(|events| !events.is_empty())
    }

    /// Requests a token.
    pub async fn token(
        this: Async<Self>,
        request: Wire<TokenRequest>,
    ) -> ffi::Result<Wire<TokenResponse>, Failure> {
        let call = async move {
            let queue = this.start()?;
            let core = read(request)?.into_core(&this.resources)?;
            this.client.token(&core.request, &core.http, &queue).await.map(answer)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Requests a token until the user of a device flow has finished (RFC 8628 section 3.5).
    pub async fn device_token(
        this: Async<Self>,
        request: Wire<DeviceTokenRequest>,
    ) -> ffi::Result<Wire<TokenResponse>, Failure> {
        let call = async move {
            let queue = this.start()?;
            let (core, polling) = read(request)?.into_core(&this.resources)?;
            this.client.device_token(&core.request, polling, &core.http, &queue).await.map(answer)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Makes an authorization request, and listens for its answer if that is wanted and possible. To be followed by
    /// [`authorize`](Self::authorize) when it listens, else by [`accept_answer`](Self::accept_answer) and
    /// [`complete_authorization`](Self::complete_authorization).
    pub fn prepare_authorization(
        &self,
        request: Wire<AuthorizationRequest>,
    ) -> ffi::Result<Wire<PreparedAuthorization>, Failure> {
        let work = || {
            let (prepared, pending) = read(request)?.prepare(&self.resources)?;
            *self.pending() = Some(pending);
            Ok(Wire::from(prepared))
        };
        catch(work).map_err(Failure::from).into()
    }

    /// Starts the browser with the prepared request and waits for the answer.
    pub async fn authorize(
        this: Async<Self>,
        options: Wire<SignInOptions>,
    ) -> ffi::Result<Wire<AuthorizationResponse>, Failure> {
        let call = async move {
            let queue = this.start()?;
            let pending = this.take_pending()?;
            pending.authorize(read(options)?, &this.client, &queue).await.map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Takes the address, in UTF-8, to which the browser was sent with the answer. After a failure another one may be
    /// given.
    pub fn accept_answer(&self, pasted: ffi::Slice<u8>) -> ffi::Result<(), Failure> {
        let work = || {
            let mut pending = self.pending();
            let pending = pending.as_mut().ok_or_else(nothing_prepared)?;
            pending.accept(&String::from_utf8_lossy(pasted.as_slice()))
        };
        catch(work).map_err(Failure::from).into()
    }

    /// Completes the prepared request with the answer that was accepted.
    pub async fn complete_authorization(
        this: Async<Self>,
    ) -> ffi::Result<Wire<AuthorizationResponse>, Failure> {
        let call = async move {
            let queue = this.start()?;
            this.take_pending()?.complete(&this.client, &queue).await.map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Asks for the codes of a device flow (RFC 8628 section 3.1).
    pub async fn device_authorization(
        this: Async<Self>,
        request: Wire<DeviceAuthorizationRequest>,
    ) -> ffi::Result<Wire<DeviceAuthorizationResponse>, Failure> {
        let call = async move {
            let queue = this.start()?;
            read(request)?.ask(&this.resources, &this.client, &queue).await.map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Starts a browser.
    pub async fn open_browser(
        this: Async<Self>,
        request: Wire<OpenRequest>,
    ) -> ffi::Result<Wire<OpenResult>, Failure> {
        let call = async move {
            let _queue = this.start()?;
            Ok(Wire::from(read(request)?.open().await))
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Asks who the user of an access token is (OpenID Connect Core section 5.3).
    pub async fn user_info(
        this: Async<Self>,
        request: Wire<UserInfoRequest>,
    ) -> ffi::Result<Wire<UserInfoResponse>, Failure> {
        let call = async move {
            let queue = this.start()?;
            read(request)?.ask(&this.resources, &this.client, &queue).await.map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Draws a QR code for the terminal.
    pub fn draw_qr(&self, request: Wire<QrRequest>) -> ffi::Result<Wire<QrCode>, Failure> {
        catch(|| read(request)?.draw().map(Wire::from)).map_err(Failure::from).into()
    }

    /// Signs a JWT. A signer that was set may block.
    pub async fn sign_jwt(
        this: Async<Self>,
        request: Wire<JwtSignRequest>,
    ) -> ffi::Result<Wire<SignedJwt>, Failure> {
        let call = async move {
            let _queue = this.start()?;
            let request = read(request)?;
            // Whoever asks a smart card for its PIN takes the time of no other call.
            let sign = move || catch(|| request.sign(&this.resources));
            let signed = tokio::task::spawn_blocking(sign).await;
            signed.map_err(|error| internal(format!("Signing ended unexpectedly: {error}")))?.map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Checks many JWTs at once.
    pub async fn verify_jwts(
        this: Async<Self>,
        request: Wire<JwtVerifyRequest>,
    ) -> ffi::Result<Wire<JwtVerification>, Failure> {
        let call = async move {
            let queue = this.start()?;
            read(request)?.verify(&this.resources, &this.client, &queue).await.map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Asks for the metadata of an authorization server (RFC 8414, OpenID Connect Discovery).
    pub async fn metadata(
        this: Async<Self>,
        request: Wire<MetadataRequest>,
    ) -> ffi::Result<Wire<MetadataResponse>, Failure> {
        let call = async move {
            let queue = this.start()?;
            read(request)?.ask(&this.resources, &this.client, &queue).await.map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Gets an access token for a service account of Venafi's service.
    pub async fn venafi_token(
        this: Async<Self>,
        request: Wire<VenafiTokenRequest>,
    ) -> ffi::Result<Wire<VenafiToken>, Failure> {
        let call = async move {
            let queue = this.start()?;
            read(request)?.ask(&this.resources, &this.client, &queue).await.map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Asks Venafi's service for the user behind a credential. What the server or the network does wrong is part
    /// of the answer.
    pub async fn venafi_user(
        this: Async<Self>,
        request: Wire<VenafiUserRequest>,
    ) -> ffi::Result<Wire<VenafiUser>, Failure> {
        let call = async move {
            let queue = this.start()?;
            read(request)?.ask(&this.resources, &this.client, &queue).await.map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Tells whether a session with Venafi's service is to be renewed, and whether its JWT can do it.
    pub fn venafi_session(
        &self,
        request: Wire<VenafiSessionRequest>,
    ) -> ffi::Result<Wire<VenafiSessionState>, Failure> {
        let work = || read(request)?.look(&self.resources).map(Wire::from);
        catch(work).map_err(Failure::from).into()
    }

    /// Finds the server of a region or of a token endpoint of Venafi's service.
    pub fn venafi_server(
        &self,
        request: Wire<VenafiServerRequest>,
    ) -> ffi::Result<Wire<VenafiServer>, Failure> {
        catch(|| read(request)?.find().map(Wire::from)).map_err(Failure::from).into()
    }

    /// The regions of Venafi's service; the first one is the usual one.
    pub fn venafi_regions(&self) -> ffi::Result<Wire<Vec<VenafiRegion>>, Failure> {
        catch(|| Ok(Wire::from(venafi::regions()))).map_err(Failure::from).into()
    }

    /// Makes a call to Cloud Governance.
    pub async fn governance(
        this: Async<Self>,
        request: Wire<GovernanceRequest>,
    ) -> ffi::Result<Wire<GovernanceAnswer>, Failure> {
        let call = async move {
            let queue = this.start()?;
            read(request)?.ask(&this.resources, &this.client, &queue).await.map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Reads a JWT, given in UTF-8, without checking it.
    pub fn decode_jwt(&self, token: ffi::Slice<u8>) -> ffi::Result<Wire<DecodedJwt>, Failure> {
        let work = || jose::decode(&String::from_utf8_lossy(token.as_slice())).map(Wire::from);
        catch(work).map_err(Failure::from).into()
    }

    /// Writes a key as JWK.
    pub fn write_jwk(&self, request: Wire<JwkRequest>) -> ffi::Result<Wire<Jwk>, Failure> {
        let work = || read(request)?.write(&self.resources).map(Wire::from);
        catch(work).map_err(Failure::from).into()
    }

    /// Makes a key pair. An RSA key takes a while, so this runs beside the others.
    pub async fn make_key_pair(
        this: Async<Self>,
        request: Wire<KeyPairRequest>,
    ) -> ffi::Result<Wire<KeyPair>, Failure> {
        let call = async move {
            let _queue = this.start()?;
            let request = read(request)?;
            let made = tokio::task::spawn_blocking(move || catch(|| request.make())).await;
            made.map_err(|error| internal(format!("Making the key ended unexpectedly: {error}")))?
                .map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Makes a PKCE verifier and its challenge.
    pub fn make_pkce_challenge(&self) -> ffi::Result<Wire<PkceChallenge>, Failure> {
        catch(|| jose::pkce().map(Wire::from)).map_err(Failure::from).into()
    }

    /// Makes a refresh once, however many ask for it with the same refresh token: whoever comes later gets the tokens
    /// of the first. A request that was sent is finished and its answer kept, even when the caller goes away.
    pub async fn refresh_once(
        this: Async<Self>,
        request: Wire<RefreshRequest>,
    ) -> ffi::Result<Wire<TokenResponse>, Failure> {
        let call = async move {
            let host = this.host()?;
            read(request)?.run(&this.resources, &this.client, &host).await.map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Says where the store is and how it is kept.
    pub async fn store_status(
        this: Async<Self>,
        request: Wire<StoreOptions>,
    ) -> ffi::Result<Wire<StoreStatus>, Failure> {
        let call = async move {
            let host = this.host()?;
            read(request)?.status(&this.resources, &host).await.map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Gives the store another key, or none. When it was interrupted, the same again finishes it.
    pub async fn store_move(
        this: Async<Self>,
        request: Wire<StoreMoveRequest>,
    ) -> ffi::Result<Wire<StoreStatus>, Failure> {
        let call = async move {
            let host = this.host()?;
            read(request)?.run(&this.resources, &host).await.map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Reads a section.
    pub async fn store_read(
        this: Async<Self>,
        request: Wire<StoreReadRequest>,
    ) -> ffi::Result<Wire<StoreSection>, Failure> {
        let call = async move {
            let host = this.host()?;
            read(request)?.run(&this.resources, &host).await.map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Changes a section under its lock.
    pub async fn store_update(
        this: Async<Self>,
        request: Wire<StoreUpdateRequest>,
    ) -> ffi::Result<Wire<StoreWritten>, Failure> {
        let call = async move {
            let host = this.host()?;
            read(request)?.run(&this.resources, &host).await.map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Removes a section.
    pub async fn store_remove(
        this: Async<Self>,
        request: Wire<StoreRemoveRequest>,
    ) -> ffi::Result<Wire<StoreWritten>, Failure> {
        let call = async move {
            let host = this.host()?;
            read(request)?.run(&this.resources, &host).await.map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Requests a token for LCS with a user name and password (RFC 6749 section 4.3).
    pub async fn lcs_token(
        this: Async<Self>,
        request: Wire<LcsTokenRequest>,
    ) -> ffi::Result<Wire<TokenResponse>, Failure> {
        let call = async move {
            let host = this.host()?;
            read(request)?.run(&this.resources, &this.client, &host).await.map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Refreshes a token for LCS once, as [`refresh_once`](Self::refresh_once) does.
    pub async fn lcs_refresh(
        this: Async<Self>,
        request: Wire<LcsRefreshRequest>,
    ) -> ffi::Result<Wire<TokenResponse>, Failure> {
        let call = async move {
            let host = this.host()?;
            read(request)?.run(&this.resources, &this.client, &host).await.map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Reads the settings for LCS.
    pub async fn lcs_config(
        this: Async<Self>,
        request: Wire<LcsConfigRequest>,
    ) -> ffi::Result<Wire<LcsConfig>, Failure> {
        let call = async move {
            let host = this.host()?;
            read(request)?.run(&this.resources, &host).await.map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Saves settings for LCS.
    pub async fn lcs_save(
        this: Async<Self>,
        request: Wire<LcsSaveRequest>,
    ) -> ffi::Result<Wire<LcsWritten>, Failure> {
        let call = async move {
            let host = this.host()?;
            read(request)?.run(&this.resources, &host).await.map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Forgets settings for LCS.
    pub async fn lcs_clear(
        this: Async<Self>,
        request: Wire<LcsClearRequest>,
    ) -> ffi::Result<Wire<LcsWritten>, Failure> {
        let call = async move {
            let host = this.host()?;
            read(request)?.run(&this.resources, &host).await.map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Looks at a token for LCS: when does it expire?
    pub async fn lcs_check(
        this: Async<Self>,
        request: Wire<LcsCheckRequest>,
    ) -> ffi::Result<Wire<LcsTokenState>, Failure> {
        let call = async move {
            let host = this.host()?;
            read(request)?.run(&this.resources, &host).await.map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// Takes over the settings of d365fo.tools.
    pub async fn lcs_import(
        this: Async<Self>,
        request: Wire<LcsImportRequest>,
    ) -> ffi::Result<Wire<LcsImport>, Failure> {
        let call = async move {
            let host = this.host()?;
            read(request)?.run(&this.resources, &host).await.map(Wire::from)
        };
        catch_async(call).await.map_err(Failure::from).into()
    }

    /// The addresses of the LCS API.
    pub fn lcs_addresses(&self) -> ffi::Result<Wire<Vec<LcsAddress>>, Failure> {
        let work = || Ok(Wire::from(lcs::addresses()));
        catch(work).map_err(Failure::from).into()
    }

    /// Waits until something has happened and returns it. Nothing means that the call is over.
    pub async fn next_events(this: Async<Self>) -> ffi::Result<Wire<Vec<Event>>, Failure> {
        let next = async move {
            let mut events = Vec::new();
            this.events.lock().await.recv_many(&mut events, usize::MAX).await;
            Ok(Wire::from(events))
        };
        catch_async(next).await.map_err(Failure::from).into()
    }
}

impl Operation {
    /// What a call with a store needs.
    fn host(&self) -> Result<Host, Error> {
        Ok(Host { memory: self.memory.clone(), observer: Arc::new(self.start()?) })
    }

    /// The queue of the one call that an operation makes.
    fn start(&self) -> Result<EventQueue, Error> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        queue.ok_or_else(|| invalid("An operation makes one call. Create another one.".into()))
    }

    fn pending(&self) -> MutexGuard<'_, Option<Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_pending(&self) -> Result<Pending, Error> {
        self.pending().take().ok_or_else(nothing_prepared)
    }
}

fn nothing_prepared() -> Error {
    invalid("No authorization request was prepared with this operation.".into())
}

fn read<T>(mut request: Wire<T>) -> Result<T, Error>
where
    T: interoptopus::lang::types::TypeInfo + interoptopus::lang::types::WireIO,
{
    request.try_unwire().map_err(|error| invalid(format!("The request cannot be read: {error}")))
}

fn answer(response: tokenkit::TokenResponse) -> Wire<TokenResponse> {
    Wire::from(TokenResponse::from(response))
}

fn internal(message: String) -> Error {
    Error::Internal { code: ErrorCode::Internal, message }
}
