//! What a browser keeps for the gateway, before anybody reads it: logins under way, and sessions.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::packed;
use super::seal::Seal;
use crate::token::claims::Claims;
use crate::token::json;

const SESSION: &str = "session";
const LOGIN: &str = "login";

/// A login at the provider that has not come back yet. Names are short because browsers send them with every request.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub struct Begun {
    /// What the provider's answer must repeat.
    #[serde(rename = "s")]
    pub state: String,
    /// What the ID token must repeat.
    #[serde(rename = "n")]
    pub nonce: String,
    /// What only the one who began can tell the provider (RFC 7636).
    #[serde(rename = "v")]
    pub verifier: String,
    /// Where the browser was told to come back to.
    #[serde(rename = "c")]
    pub callback: String,
    /// What it wanted to see: path and query.
    #[serde(rename = "t")]
    pub target: String,
    /// When it is over, in seconds since 1970.
    #[serde(rename = "e")]
    pub ends: f64,
    /// The provider has refused to answer without the person being asked, so that this login has them asked.
    #[serde(rename = "a", default, skip_serializing_if = "std::ops::Not::not")]
    pub interactive: bool,
}

impl Begun {
    /// Sealed, for a cookie.
    #[must_use]
    pub fn seal(&self, seal: &Seal) -> Option<String> {
        seal.seal(LOGIN, &packed::pack(&serde_json::to_vec(self).ok()?)?)
    }

    /// What was sealed.
    #[must_use]
    pub fn open(seal: &Seal, sealed: &str) -> Option<Self> {
        serde_json::from_slice(&packed::unpack(&seal.open(LOGIN, sealed)?)?).ok()
    }
}

/// What one login is good for.
#[derive(Debug)]
pub struct Session {
    kept: Kept,
    /// What the provider says of the person.
    pub claims: Arc<Claims>,
    /// When it is over, in seconds since 1970.
    pub ends: f64,
}

/// A session as a browser keeps it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Kept {
    /// The ID token, as it came.
    #[serde(rename = "i", with = "packed::token")]
    pub id_token: String,
    /// What the provider says of the person besides.
    #[serde(rename = "u", default, skip_serializing_if = "Map::is_empty")]
    pub userinfo: Map<String, Value>,
    /// The access token, where the upstream gets it.
    #[serde(
        rename = "a",
        default,
        skip_serializing_if = "Option::is_none",
        with = "packed::optional_token"
    )]
    pub access_token: Option<String>,
    /// What a new access token is had with.
    #[serde(
        rename = "r",
        default,
        skip_serializing_if = "Option::is_none",
        with = "packed::optional_token"
    )]
    pub refresh_token: Option<String>,
    /// When that is to be done, in seconds since 1970.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub renew: Option<f64>,
    /// When it is over, in seconds since 1970.
    #[serde(rename = "e")]
    pub ends: f64,
}

impl Session {
    /// A session of what has been verified, or was sealed and so has been once.
    ///
    /// # Errors
    /// When its ID token is none.
    pub fn new(kept: Kept) -> Result<Self, String> {
        let payload = kept.id_token.split('.').nth(1).unwrap_or_default();
        let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| "the ID token is none")?;
        let mut all = json::object(&payload).map_err(|error| format!("the ID token is none: {error}"))?;
        for (name, value) in &kept.userinfo {
            // What is signed has the last word.
            all.entry(name.clone()).or_insert_with(|| value.clone());
        }
        Ok(Self {
            ends: kept.ends,
            claims: Arc::new(Claims::new(all)?),
            kept,
        })
    }

    /// Sealed, for cookies.
    #[must_use]
    pub fn seal(&self, seal: &Seal) -> Option<String> {
        seal.seal(SESSION, &packed::pack(&serde_json::to_vec(&self.kept).ok()?)?)
    }

    /// What was sealed.
    #[must_use]
    pub fn open(seal: &Seal, sealed: &str) -> Option<Self> {
        let kept = serde_json::from_slice(&packed::unpack(&seal.open(SESSION, sealed)?)?).ok()?;
        Self::new(kept).ok()
    }

    /// As a browser keeps it.
    #[must_use]
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Whether the provider has to be asked whether it is still good.
    #[must_use]
    pub fn is_due(&self, now: f64) -> bool {
        self.kept.refresh_token.is_some() && self.kept.renew.is_some_and(|time| now >= time)
    }

    /// Bytes in memory, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let token = |token: &Option<String>| token.as_ref().map_or(0, String::len);
        let userinfo = serde_json::to_string(&self.kept.userinfo).map_or(0, |text| text.len());
        // A parsed object takes a few times what its text does.
        self.kept.id_token.len() * 4 + userinfo * 8 + token(&self.kept.access_token) + token(&self.kept.refresh_token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kept(claims: &Value) -> Kept {
        Kept {
            id_token: format!("e30.{}.AA", URL_SAFE_NO_PAD.encode(claims.to_string())),
            userinfo: Map::new(),
            access_token: None,
            refresh_token: None,
            renew: None,
            ends: 1.0,
        }
    }

    fn seal() -> Seal {
        Seal::new(&["secret".to_owned()], &[])
    }

    #[test]
    fn a_session_comes_back_as_it_was_and_a_login_is_none() {
        let mut kept = kept(&json!({ "sub": "a", "email": "signed" }));
        kept.userinfo = json!({ "email": "said", "name": "A" }).as_object().unwrap().clone();
        let session = Session::new(kept.clone()).unwrap();
        let sealed = session.seal(&seal()).unwrap();
        let opened = Session::open(&seal(), &sealed).unwrap();
        assert_eq!(*opened.kept(), kept);
        assert_eq!(opened.claims.text("email"), Some("signed"));
        assert_eq!(opened.claims.text("name"), Some("A"));
        assert_eq!(Begun::open(&seal(), &sealed), None);
    }

    #[test]
    fn only_what_can_be_renewed_is_due() {
        let mut kept = kept(&json!({ "sub": "a" }));
        kept.renew = Some(10.0);
        assert!(!Session::new(kept.clone()).unwrap().is_due(11.0));
        kept.refresh_token = Some("r".to_owned());
        let session = Session::new(kept).unwrap();
        assert!(session.is_due(10.0) && !session.is_due(9.0));
    }

    #[test]
    fn an_id_token_that_is_none_is_no_session() {
        for wrong in ["", "e30", "e30.!.AA", "e30.W10.AA", "e30.eyJhIjoxLCJhIjoyfQ.AA"] {
            let kept = Kept {
                id_token: wrong.to_owned(),
                ..kept(&json!({}))
            };
            assert!(Session::new(kept).is_err(), "{wrong}");
        }
    }
}
