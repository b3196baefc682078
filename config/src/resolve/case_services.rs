//! `services` of a case.

use std::collections::BTreeMap;
use std::time::Duration;

use gatewright_core::path::normalise;
use http::uri::PathAndQuery;
use http::{Method, StatusCode};
use serde_json::Value;
use toml::value::Datetime;

use super::Resolver;
use super::upstream::{Url, parse_url};
use crate::cases::{
    CaseCall, CaseOutbound, CaseResponse, CaseServices, Contents, ExpectedBody, ExpectedRequest, ExpectedValue,
    ServiceAnswer,
};
use crate::file::{self, Cache, Counters, Json, Kv, Located, SentRequest};
use crate::gateway::{CacheGrant, CounterGrant, Grants, KvGrant, OriginGrant, Scope};

impl Resolver<'_> {
    pub(super) fn case_services(&mut self, services: &file::CaseServices) -> Option<CaseServices> {
        let file::CaseServices {
            secrets,
            kv,
            cache,
            counters,
            buckets,
            http,
            unavailable,
            calls,
            time,
            seed,
        } = services;
        let outbound: Vec<_> = http
            .iter()
            .filter_map(|outbound| self.case_outbound(&outbound.value, outbound))
            .collect();
        let time = match time {
            Some(time) => Some(self.case_time(time)?),
            None => None,
        };
        let calls = match calls {
            Some(calls) => Some(self.case_calls(services, calls)?),
            None => None,
        };
        Some(CaseServices {
            secrets: secrets
                .iter()
                .map(|(name, value)| (name.clone(), value.value.clone()))
                .collect(),
            kv: contents(kv),
            cache: contents(cache),
            counters: values(counters),
            buckets: values(buckets),
            http: (outbound.len() == http.len()).then_some(outbound)?,
            calls,
            unavailable: unavailable.as_ref().map(|reason| reason.value.clone()),
            time,
            seed: seed.as_ref().map(|seed| seed.value),
        })
    }

    fn case_calls(
        &mut self,
        services: &file::CaseServices,
        calls: &Located<Vec<Located<file::CaseCall>>>,
    ) -> Option<Vec<CaseCall>> {
        let file::CaseServices {
            secrets,
            kv,
            cache,
            counters,
            buckets,
            http,
            unavailable,
            calls: _,
            time: _,
            seed: _,
        } = services;
        let beside = [
            ("secrets", !secrets.is_empty()),
            ("kv", !kv.is_empty()),
            ("cache", !cache.is_empty()),
            ("counters", !counters.is_empty()),
            ("buckets", !buckets.is_empty()),
            ("http", !http.is_empty()),
            ("unavailable", unavailable.is_some()),
        ];
        if let Some((key, _)) = beside.iter().find(|(_, there)| *there) {
            let message = format!("`calls` and `{key}` exclude each other");
            let hint = "`calls` has every call of a service; keep one of the two";
            self.error(&calls.span, message, hint);
            return None;
        }
        let resolved: Vec<_> = calls.value.iter().filter_map(|call| self.case_call(call)).collect();
        (resolved.len() == calls.value.len()).then_some(resolved)
    }

    fn case_call(&mut self, call: &Located<file::CaseCall>) -> Option<CaseCall> {
        let file::CaseCall { ask, answer } = &call.value;
        let ask = self.required(ask.as_ref(), &call.span, "ask", "\"kv.get sessions alice\"")?;
        let Some(answer) = answer else {
            return Some(CaseCall {
                ask: ask.value.clone(),
                answer: ServiceAnswer::Done,
            });
        };
        if answer.value.content().is_some_and(|content| content.bytes().is_none()) {
            let message = "it is not said in one way what the bytes are";
            let hint = "write one of { text = \"…\" }, { hex = \"00ff\" } and { redacted = 16 }, or nothing";
            self.error(&answer.span, message, hint);
            return None;
        }
        Some(CaseCall {
            ask: ask.value.clone(),
            answer: answer.value.clone(),
        })
    }

    fn case_outbound<T>(&mut self, outbound: &file::CaseOutbound, at: &Located<T>) -> Option<CaseOutbound> {
        let file::CaseOutbound {
            method,
            url,
            request,
            status,
            headers,
            body,
            json,
            hex,
            error,
        } = outbound;
        let url = self.required(url.as_ref(), &at.span, "url", "\"https://idp.example.com/keys\"");
        let method = match method {
            Some(method) => self.case_method(method),
            None => Some(Method::GET),
        };
        let origin = url.and_then(|url| self.case_url(url));
        let request = match request {
            Some(request) => self.sent_request(&request.value),
            None => Some(ExpectedRequest::default()),
        };
        let status = match status {
            Some(status) => self.final_status(status),
            None => Some(StatusCode::OK),
        };
        let message = self.message(headers, body.as_ref(), json.as_ref(), hex.as_ref());
        let (origin, target) = origin?;
        let (headers, body) = message?;
        Some(CaseOutbound {
            line: self.report.line(&at.span),
            method: method?,
            origin,
            target,
            request: request?,
            answer: match error {
                Some(error) => Err(error.value),
                None => Ok(CaseResponse {
                    status: status?,
                    headers,
                    body,
                    chunks: Vec::new(),
                }),
            },
        })
    }

    fn sent_request(&mut self, request: &SentRequest) -> Option<ExpectedRequest> {
        let SentRequest {
            headers,
            body,
            json,
            hex,
        } = request;
        let headers = self.expected_fields(headers);
        let body = self.expected_body(body.as_ref(), json.as_ref(), hex.as_ref());
        Some(ExpectedRequest {
            headers: headers?,
            body: body?,
            ..ExpectedRequest::default()
        })
    }

    /// Origin, and path and query, as the gateway makes them of a plugin's URL.
    fn case_url(&mut self, url: &Located<String>) -> Option<(OriginGrant, PathAndQuery)> {
        let (whole, query) = match url.value.split_once('?') {
            Some((whole, query)) => (whole, format!("?{query}")),
            None => (url.value.as_str(), String::new()),
        };
        let parsed = parse_url(whole).and_then(|parsed| {
            let path = whole.splitn(4, '/').nth(3).map(|path| format!("/{path}"));
            let path = normalise(path.as_deref().unwrap_or("/")).map_err(|reason| reason.to_string())?;
            let target = format!("{path}{query}").parse();
            Ok((parsed, target.map_err(|_| format!("`{}` is not a URL", url.value))?))
        });
        let (Url { tls, host, port, .. }, target) = match parsed {
            Ok(parsed) => parsed,
            Err(reason) => {
                self.error(
                    &url.span,
                    reason,
                    "write one such as \"https://idp.example.com/keys?page=1\"",
                );
                return None;
            }
        };
        let origin = OriginGrant {
            tls,
            host,
            port,
            path: String::new(),
            place: self.report.place(&url.span, "services.http".to_owned()),
        };
        Some((origin, target))
    }

    fn case_time(&mut self, time: &Located<Json>) -> Option<Duration> {
        let parsed = time.value.0.as_str().and_then(|text| text.parse().ok()).and_then(unix);
        if parsed.is_none() {
            let message = format!("{} is not a date and time from 1970 on", time.value.0);
            self.error(&time.span, message, "write one such as 2026-01-01T00:00:00Z");
        }
        parsed
    }
}

impl CaseServices {
    /// Adds what is named here to what is granted anyway.
    pub fn grant(&self, grants: &mut Grants) {
        for name in self.kv.keys() {
            let Kv { value_bytes, bytes, .. } = Kv::default();
            let grant = KvGrant {
                value_bytes,
                bytes,
                scope: Scope::Instance,
            };
            grants.kv.entry(name.clone()).or_insert(grant);
        }
        for name in self.cache.keys() {
            let Cache {
                value_bytes,
                bytes,
                waiting,
                ..
            } = Cache::default();
            let grant = CacheGrant {
                value_bytes,
                bytes,
                waiting: waiting.as_usize(),
                scope: Scope::Instance,
            };
            grants.cache.entry(name.clone()).or_insert(grant);
        }
        for name in self.counters.keys().chain(self.buckets.keys()) {
            let grant = CounterGrant {
                bytes: Counters::default().bytes,
                scope: Scope::Instance,
            };
            grants.counters.entry(name.clone()).or_insert(grant);
        }
        for outbound in &self.http {
            grants.http.push(outbound.origin.clone());
        }
    }
}

/// Text as it is, everything else as JSON.
fn contents(stores: &file::Contents) -> Contents {
    let bytes = |value: &Value| match value {
        Value::String(text) => text.clone().into_bytes(),
        other => other.to_string().into_bytes(),
    };
    let store = |store: &BTreeMap<String, Located<Json>>| {
        let entries = store.iter();
        entries
            .map(|(key, value)| (key.clone(), bytes(&value.value.0)))
            .collect()
    };
    stores
        .iter()
        .map(|(name, entries)| (name.clone(), store(entries)))
        .collect()
}

/// What must be in stores: `true` for anything, `false` for nothing.
pub(super) fn expected_contents(stores: &file::Contents) -> BTreeMap<String, BTreeMap<String, ExpectedValue>> {
    let expected = |value: &Value| match value {
        Value::Bool(true) => ExpectedValue::Present,
        Value::Bool(false) => ExpectedValue::Absent,
        Value::String(text) => ExpectedValue::Body(ExpectedBody::Text(text.clone())),
        other => ExpectedValue::Body(ExpectedBody::Json(other.clone())),
    };
    let store = |store: &BTreeMap<String, Located<Json>>| {
        let entries = store.iter();
        entries
            .map(|(key, value)| (key.clone(), expected(&value.value.0)))
            .collect()
    };
    stores
        .iter()
        .map(|(name, entries)| (name.clone(), store(entries)))
        .collect()
}

pub(super) fn values<T: Copy>(
    names: &BTreeMap<String, BTreeMap<String, Located<T>>>,
) -> BTreeMap<String, BTreeMap<String, T>> {
    let keys =
        |keys: &BTreeMap<String, Located<T>>| keys.iter().map(|(key, value)| (key.clone(), value.value)).collect();
    names.iter().map(|(name, each)| (name.clone(), keys(each))).collect()
}

/// Since 1970-01-01T00:00:00Z. Without an offset, in UTC.
fn unix(time: Datetime) -> Option<Duration> {
    let (date, time, offset) = (time.date?, time.time?, time.offset);
    let offset = match offset {
        Some(toml::value::Offset::Custom { minutes }) => i64::from(minutes),
        _ => 0,
    };
    let days = days(date.year.into(), date.month.into(), date.day.into());
    let minutes = (days * 24 + i64::from(time.hour)) * 60 + i64::from(time.minute) - offset;
    let seconds = minutes * 60 + i64::from(time.second.unwrap_or_default());
    Some(Duration::new(
        u64::try_from(seconds).ok()?,
        time.nanosecond.unwrap_or_default(),
    ))
}

/// Days since 1970-01-01 in the Gregorian calendar, whose years begin in March here, so that leap days come last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month < 3 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_and_time_is_a_number_of_seconds() {
        let seconds = |text: &str| text.parse().ok().and_then(unix).map(|time| time.as_secs());
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds("2023-11-14T22:13:20Z"), Some(1_700_000_000));
        assert_eq!(seconds("2000-02-29T12:00:00+02:00"), Some(951_818_400));
        assert_eq!(seconds("2024-03-01T00:00:00"), Some(1_709_251_200));
        assert_eq!(seconds("1969-12-31T23:59:59Z"), None);
        assert_eq!(seconds("2024-03-01"), None);
    }
}
