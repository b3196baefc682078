//! Answers of services and their errors in the words of tapes, there and back.

use bytes::Bytes;
use gatewright_config::cases::{BucketAnswer, EntryAnswer, ResponseAnswer, ServiceAnswer};
use http::{HeaderName, HeaderValue, Response};

use crate::api::bindings::gatewright::plugin::cache::{CacheError, Found};
use crate::api::bindings::gatewright::plugin::counters::{Bucket, CounterError};
use crate::api::bindings::gatewright::plugin::http_client::HttpError;
use crate::api::bindings::gatewright::plugin::kv::{Entry, KvError};
use crate::api::bindings::gatewright::plugin::secrets::SecretError;
use crate::recording::Keeper;
use crate::tape::{Answer, Named};

/// The value of a secret: never written down.
pub(super) struct SecretValue(pub(super) Vec<u8>);

impl Answer for SecretValue {
    fn noted(&self, _: &mut Keeper<'_>) -> ServiceAnswer {
        ServiceAnswer::Value(Keeper::secret(&self.0))
    }

    fn given(answer: &ServiceAnswer) -> Option<Self> {
        Vec::given(answer).map(Self)
    }
}

/// A random number: a secret as often as not, so it is written down as other values are.
pub(super) struct RandomNumber(pub(super) u64);

impl Answer for RandomNumber {
    fn noted(&self, keeper: &mut Keeper<'_>) -> ServiceAnswer {
        ServiceAnswer::Value(keeper.value(&self.0.to_be_bytes()))
    }

    fn given(answer: &ServiceAnswer) -> Option<Self> {
        let bytes = Vec::given(answer)?.try_into().ok()?;
        Some(Self(u64::from_be_bytes(bytes)))
    }
}

impl Answer for Entry {
    fn noted(&self, keeper: &mut Keeper<'_>) -> ServiceAnswer {
        ServiceAnswer::Entry(EntryAnswer {
            revision: i64::try_from(self.revision).unwrap_or(i64::MAX),
            value: keeper.value(&self.value),
        })
    }

    fn given(answer: &ServiceAnswer) -> Option<Self> {
        let ServiceAnswer::Entry(EntryAnswer { revision, value }) = answer else {
            return None;
        };
        Some(Self {
            value: value.bytes()?,
            revision: u64::try_from(*revision).ok()?,
        })
    }
}

impl Answer for Found {
    fn noted(&self, keeper: &mut Keeper<'_>) -> ServiceAnswer {
        match self {
            Self::Value(value) => value.noted(keeper),
            Self::Compute => ServiceAnswer::Absent,
        }
    }

    fn given(answer: &ServiceAnswer) -> Option<Self> {
        Some(Option::<Vec<u8>>::given(answer)?.map_or(Self::Compute, Self::Value))
    }
}

impl Answer for Bucket {
    fn noted(&self, _: &mut Keeper<'_>) -> ServiceAnswer {
        ServiceAnswer::Bucket(BucketAnswer {
            allowed: self.allowed,
            remaining: u32::try_from(self.remaining).unwrap_or(u32::MAX),
            retry_after_ms: self.retry_after,
        })
    }

    fn given(answer: &ServiceAnswer) -> Option<Self> {
        match answer {
            ServiceAnswer::Bucket(bucket) => Some(Self {
                allowed: bucket.allowed,
                remaining: bucket.remaining.into(),
                retry_after: bucket.retry_after_ms,
            }),
            _ => None,
        }
    }
}

impl Answer for Response<Bytes> {
    fn noted(&self, keeper: &mut Keeper<'_>) -> ServiceAnswer {
        ServiceAnswer::Response(ResponseAnswer {
            status: self.status().as_u16(),
            fields: keeper.fields(self.headers()),
            body: keeper.value(self.body()),
        })
    }

    fn given(answer: &ServiceAnswer) -> Option<Self> {
        let ServiceAnswer::Response(ResponseAnswer { status, fields, body }) = answer else {
            return None;
        };
        let mut response = Self::new(body.bytes()?.into());
        *response.status_mut() = (*status).try_into().ok()?;
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            response.headers_mut().append(name, HeaderValue::from_str(value).ok()?);
        }
        Some(response)
    }
}

impl Named for SecretError {
    fn name(&self) -> (&'static str, String) {
        match self {
            Self::NotGranted => ("not-granted", String::new()),
            Self::NotFound => ("not-found", String::new()),
            Self::Unavailable(text) => ("unavailable", text.clone()),
        }
    }

    fn named(name: &str, text: &str) -> Option<Self> {
        Some(match name {
            "not-granted" => Self::NotGranted,
            "not-found" => Self::NotFound,
            "unavailable" => Self::Unavailable(text.to_owned()),
            _ => return None,
        })
    }
}

impl Named for KvError {
    fn name(&self) -> (&'static str, String) {
        match self {
            Self::NoSuchStore => ("no-such-store", String::new()),
            Self::TooLarge => ("too-large", String::new()),
            Self::Unavailable(text) => ("unavailable", text.clone()),
        }
    }

    fn named(name: &str, text: &str) -> Option<Self> {
        Some(match name {
            "no-such-store" => Self::NoSuchStore,
            "too-large" => Self::TooLarge,
            "unavailable" => Self::Unavailable(text.to_owned()),
            _ => return None,
        })
    }
}

impl Named for CacheError {
    fn name(&self) -> (&'static str, String) {
        match self {
            Self::NoSuchCache => ("no-such-cache", String::new()),
            Self::TooLarge => ("too-large", String::new()),
            Self::Timeout => ("timeout", String::new()),
            Self::Unavailable(text) => ("unavailable", text.clone()),
        }
    }

    fn named(name: &str, text: &str) -> Option<Self> {
        Some(match name {
            "no-such-cache" => Self::NoSuchCache,
            "too-large" => Self::TooLarge,
            "timeout" => Self::Timeout,
            "unavailable" => Self::Unavailable(text.to_owned()),
            _ => return None,
        })
    }
}

impl Named for CounterError {
    fn name(&self) -> (&'static str, String) {
        match self {
            Self::NoSuchCounter => ("no-such-counter", String::new()),
            Self::BadRequest(text) => ("bad-request", text.clone()),
            Self::Unavailable(text) => ("unavailable", text.clone()),
        }
    }

    fn named(name: &str, text: &str) -> Option<Self> {
        Some(match name {
            "no-such-counter" => Self::NoSuchCounter,
            "bad-request" => Self::BadRequest(text.to_owned()),
            "unavailable" => Self::Unavailable(text.to_owned()),
            _ => return None,
        })
    }
}

impl Named for HttpError {
    fn name(&self) -> (&'static str, String) {
        match self {
            Self::Forbidden => ("forbidden", String::new()),
            Self::BadRequest(text) => ("bad-request", text.clone()),
            Self::RateLimited(millis) => ("rate-limited", millis.to_string()),
            Self::Dns(text) => ("dns", text.clone()),
            Self::Connect(text) => ("connect", text.clone()),
            Self::Tls(text) => ("tls", text.clone()),
            Self::Timeout => ("timeout", String::new()),
            Self::TooLarge => ("too-large", String::new()),
            Self::Protocol(text) => ("protocol", text.clone()),
        }
    }

    fn named(name: &str, text: &str) -> Option<Self> {
        let text = text.to_owned();
        Some(match name {
            "forbidden" => Self::Forbidden,
            "bad-request" => Self::BadRequest(text),
            "rate-limited" => Self::RateLimited(text.parse().ok()?),
            "dns" => Self::Dns(text),
            "connect" => Self::Connect(text),
            "tls" => Self::Tls(text),
            "timeout" => Self::Timeout,
            "too-large" => Self::TooLarge,
            "protocol" => Self::Protocol(text),
            _ => return None,
        })
    }
}
