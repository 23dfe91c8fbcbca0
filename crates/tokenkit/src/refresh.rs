//! A refresh that is made once, in however many processes the same refresh token is presented.
//!
//! A server that rotates refresh tokens takes the second use of one for theft and revokes the whole family (RFC 9700
//! section 4.14.2). So the request is made under a lock for its token, and what it got is kept under the token's hash
//! before the lock is given up: who comes later finds it there.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::client::Client;
use crate::error::{Error, ErrorCode};
use crate::event::Event;
use crate::grant::Grant;
use crate::http::HttpConfig;
use crate::reply::{seconds, wipe};
use crate::secret::Secret;
use crate::store::{Records, Refreshed, Section, Store, TokenHash, request_hash};
use crate::token::{TokenRequest, TokenResponse};

/// More often than anybody can be overtaken by others who refresh the same token.
const HOPS: usize = 64;

/// Where a section keeps a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptToken {
    /// The section.
    pub section: String,
    /// The entry with the access token, a secret.
    pub access_token: String,
    /// The entry with the refresh token, a secret.
    pub refresh_token: String,
    /// The entry with the time at which the access token expires: Unix time in seconds.
    pub expires_on: Option<String>,
    /// The entry with the client that the tokens were issued to. They are not used for another.
    pub client_id: Option<String>,
}

/// How one attempt ended.
enum Turn {
    Done(TokenResponse),
    /// The token is spent, and this one came after it.
    Newer(Secret),
    /// The server refused the token, and the store has another one.
    Other(Secret, Error),
}

impl Client {
    /// Refreshes a token under a lock of `store`, so that no refresh token is spent twice:
    ///
    /// - Who presents a token that was spent in the last two minutes gets the answer that it got, without a request,
    ///   unless its access token has expired.
    /// - When the token is the one that `kept` names, the new tokens are kept there before they are returned. What another one
    ///   got is kept in the memory of the process only.
    /// - When it was spent longer ago, or the server refuses it, and `kept` has a newer one, that one is refreshed.
    ///
    /// An ID token is validated as by [`token`](Self::token), though after its answer was kept.
    ///
    /// Failures are not kept. A request that was sent is finished even when the future is dropped. A store that cannot
    /// be used does not prevent the request; an [`Event::Warning`] says so.
    ///
    /// # Errors
    /// See [`Error`]; [`ErrorCode::StoreLocked`] when another process refreshes the same token for too long.
    pub async fn refresh_once(
        self: &Arc<Self>,
        mut request: TokenRequest,
        config: &HttpConfig,
        store: &Store,
        kept: Option<&KeptToken>,
    ) -> Result<TokenResponse, Error> {
        // What cannot be sent shall not leave a store behind.
        request.build(&crate::client_auth::Attempt::now())?;
        if config.rehearse {
            return self.token(&request, config, &**store.observer()).await;
        }
        let mut refused = None;
        for _ in 0..HOPS {
            let token = match Box::pin(self.turn(&request, config, store, kept)).await? {
                Turn::Done(response) => return Ok(response),
                Turn::Newer(token) => token,
                Turn::Other(token, error) if refused.is_none() => {
                    refused = Some(error);
                    token
                }
                Turn::Other(_, error) => return Err(error),
            };
            request.grant = Grant::RefreshToken { refresh_token: token };
        }
        Err(refused.unwrap_or_else(|| {
            let message = "Others refresh this token all the time, and were always earlier.";
            Error::store(ErrorCode::StoreLocked, message)
        }))
    }

    async fn turn(
        self: &Arc<Self>,
        request: &TokenRequest,
        config: &HttpConfig,
        store: &Store,
        kept: Option<&KeptToken>,
    ) -> Result<Turn, Error> {
        let Grant::RefreshToken { refresh_token: token } = &request.grant else {
            return Err(Error::invalid(ErrorCode::InvalidArgument, "Only a refresh token can be refreshed."));
        };
        let hash = TokenHash::of(token);
        let lease = match store.begin_refresh(hash, config.timeout).await {
            Ok(lease) => lease,
            Err(error) if error.error_code() == ErrorCode::StoreLocked => return Err(error),
            Err(error) => {
                store.observer().event(Event::Warning(format!(
                    "The token is refreshed without the store, and its successor not kept there: {error}"
                )));
                let response = self.token(request, config, &**store.observer()).await?;
                return Ok(Turn::Done(response));
            }
        };
        let wanted = name_of(request);
        let recorded = store.record(hash).await?;
        // A token that the section does not keep, such as one of its temporary layer, gets on no disk by being refreshed.
        let on_disk = match kept {
            Some(kept) => recorded.is_some() || holds(&store.read_stored(&kept.section).await?, kept, hash),
            None => true,
        };
        if let Some(record) = recorded.or_else(|| store.answer(hash)) {
            let spent = record.next != hash;
            if spent && let Some(kept) = kept {
                // Whoever refreshed it was killed before the section had the new token.
                adopt(store, kept, hash, &record).await?;
            }
            let now = Utc::now();
            let answers = record.request == wanted && record.is_fresh(now);
            if answers && record.response.expires_at.is_none_or(|expires_at| now < expires_at) {
                drop(lease);
                let text = "This refresh token was spent a moment ago: its answer is used again.";
                store.observer().event(Event::Note(text.into()));
                let checked = self.check_granted(request, record.response, config, &**store.observer()).await;
                return checked.map(Turn::Done);
            }
            if spent {
                let newer = match newer(store, kept, request).await? {
                    Some(newer) if store.descends(hash, TokenHash::of(&newer)).await? => Some(newer),
                    // The access token of its answer has expired, and not the refresh token.
                    _ if answers => members(&record.response).refresh_token,
                    _ => None,
                };
                if let Some(newer) = newer {
                    let text = "This refresh token is spent: the one that came after it is used.";
                    store.observer().event(Event::Note(text.into()));
                    return Ok(Turn::Newer(newer));
                }
            }
        }

        let (client, request, config) = (self.clone(), request.clone(), config.clone());
        let (store, kept, token) = (store.clone(), kept.cloned(), token.clone());
        // From here on the token may be spent, so this goes on without whoever asked.
        let work = async move {
            let observer = &**store.observer();
            match client.unchecked_token(&request, &config, observer).await {
                Ok(response) => {
                    let record = Refreshed {
                        at: Utc::now(),
                        request: wanted,
                        next: members(&response).refresh_token.map_or(hash, |next| TokenHash::of(&next)),
                        response,
                    };
                    if let Err(error) = keep(&store, kept.as_ref(), hash, &record, on_disk).await {
                        // The tokens are there all the same, and must not be lost with the error.
                        let text = format!("The new tokens could not be kept: {error}");
                        store.observer().event(Event::Warning(text));
                    }
                    drop(lease);
                    // Not before: the old token is spent, even if the ID token is not accepted.
                    client.check_granted(&request, record.response, &config, observer).await.map(Turn::Done)
                }
                Err(error) if error.oauth().is_some_and(|oauth| oauth.error == "invalid_grant") => {
                    // Somebody who leaves no records may have saved a newer one meanwhile.
                    match newer(&store, kept.as_ref(), &request).await {
                        Ok(Some(other)) if !other.matches(&token) && store.tokens().was_seen(&token) => {
                            Ok(Turn::Other(other, error))
                        }
                        _ => Err(error),
                    }
                }
                Err(error) => Err(error),
            }
        };
        let done = tokio::spawn(work).await;
        done.unwrap_or_else(|error| Err(Error::internal(format!("The refresh ended unexpectedly: {error}."))))
    }
}

/// What an answer says about tokens.
pub(crate) struct Members {
    pub(crate) access_token: Option<Secret>,
    pub(crate) refresh_token: Option<Secret>,
    /// Unix time in seconds, as the server says or by this machine's clock.
    pub(crate) expires_on: Option<i64>,
    /// Whether the server says so.
    pub(crate) has_expires_on: bool,
}

pub(crate) fn members(response: &TokenResponse) -> Members {
    let mut object = response.members();
    let mut secret = |name| match object.shift_remove(name) {
        Some(Value::String(text)) if !text.is_empty() => Some(Secret::from(text)),
        _ => None,
    };
    let (access_token, refresh_token) = (secret("access_token"), secret("refresh_token"));
    let said = object.get("expires_on").and_then(seconds).and_then(|seconds| i64::try_from(seconds).ok());
    let expires_on = said.or(response.expires_at.as_ref().map(DateTime::timestamp));
    let has_expires_on = object.contains_key("expires_on");
    wipe(Value::Object(object));
    Members { access_token, refresh_token, expires_on, has_expires_on }
}

/// What is asked for, beside the refresh token: another scope or resource makes another answer.
fn name_of(request: &TokenRequest) -> String {
    let optional =
        [&request.client_id, &request.scope, &request.nonce].map(|text| text.as_deref().unwrap_or(""));
    let parameters =
        request.parameters.iter().flat_map(|field| [field.name.as_bytes(), field.value.expose()]);
    request_hash(
        std::iter::once(request.endpoint.trim().as_bytes())
            .chain(optional.map(str::as_bytes))
            .chain(parameters),
    )
}

async fn keep(
    store: &Store,
    kept: Option<&KeptToken>,
    hash: TokenHash,
    record: &Refreshed,
    on_disk: bool,
) -> Result<(), Error> {
    let recorded = if on_disk {
        store.keep_record(hash, record).await
    } else {
        store.remember(hash, record.clone());
        Ok(())
    };
    // Without the record, the section is the only place where the tokens are kept, and the other way round.
    if let Some(kept) = kept {
        adopt(store, kept, hash, record).await?;
    }
    recorded
}

/// Puts the new tokens where the old one is kept: in the section and in its temporary layer.
async fn adopt(store: &Store, kept: &KeptToken, old: TokenHash, record: &Refreshed) -> Result<(), Error> {
    let members = members(&record.response);
    if store.layer(&kept.section).is_some_and(|layer| holds(&layer, kept, old)) {
        store.update_temporary(&kept.section, |layer| put(layer, kept, &members))?;
    }
    if !holds(&store.read_stored(&kept.section).await?, kept, old) {
        return Ok(());
    }
    let place = kept.clone();
    let change = move |section: &mut Section, _: &Records<'_>| {
        if holds(section, &place, old) {
            put(section, &place, &members);
        }
        Ok(())
    };
    store.transact(&kept.section, false, change).await
}

fn holds(section: &Section, kept: &KeptToken, token: TokenHash) -> bool {
    section.secret(&kept.refresh_token).is_some_and(|held| TokenHash::of(held) == token)
}

fn put(section: &mut Section, kept: &KeptToken, members: &Members) {
    if let Some(token) = &members.access_token {
        section.set_secret(&kept.access_token, token.clone());
    }
    if let Some(token) = &members.refresh_token {
        section.set_secret(&kept.refresh_token, token.clone());
    }
    if let (Some(name), Some(expires_on)) = (&kept.expires_on, members.expires_on) {
        section.set(name, expires_on);
    }
}

/// The refresh token that is kept, if it is for the same client.
async fn newer(
    store: &Store,
    kept: Option<&KeptToken>,
    request: &TokenRequest,
) -> Result<Option<Secret>, Error> {
    let Some(kept) = kept else { return Ok(None) };
    let section = store.read(&kept.section).await?;
    let client = kept.client_id.as_ref().and_then(|name| section.text(name)).filter(|id| !id.is_empty());
    if client.is_some() && client != request.client_id.as_deref() {
        return Ok(None);
    }
    Ok(section.secret(&kept.refresh_token).filter(|token| !token.is_empty()).cloned())
}
