//! `/usage`: what holders of API keys have used, and an operator's corrections.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;

use super::{json_of, message};
use crate::status::Status;
use crate::usage::{Correction, Page, UsageError};

/// Bytes of a correction.
const LONGEST: usize = 1024;
const WRONG_BODY: &str = "the body is {\"used\": NUMBER} or {\"remaining\": NUMBER}";

/// Answers a request for `/usage` or what is under it.
pub(super) async fn answer(status: &Status, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let usage = status.usage();
    let names: Option<Vec<String>> = request.uri().path().split('/').skip(2).map(decoded).collect();
    let method = request.method().clone();
    match (method, names.as_deref().unwrap_or_default()) {
        (Method::GET, []) => json_of(StatusCode::OK, &usage.overview()),
        (Method::GET, [plan]) => match page(request.uri().query().unwrap_or_default()) {
            Some(page) => told(usage.of(plan, &page).await),
            None => message(
                StatusCode::BAD_REQUEST,
                "there are the parameters `key`, `position` and `limit`, a number",
            ),
        },
        (Method::PATCH, [plan, key]) => {
            let body = Limited::new(request.into_body(), LONGEST).collect().await;
            let body = body.ok().map(http_body_util::Collected::to_bytes);
            match body.and_then(|body| serde_json::from_slice::<Correction>(&body).ok()) {
                Some(correction) => told(usage.correct(plan, key, correction).await),
                None => message(StatusCode::BAD_REQUEST, WRONG_BODY),
            }
        }
        (_, [] | [_] | [_, _]) => message(
            StatusCode::METHOD_NOT_ALLOWED,
            "another method is needed: GET for /usage and /usage/PLAN, PATCH for /usage/PLAN/KEY",
        ),
        _ => message(
            StatusCode::NOT_FOUND,
            "there are /usage, /usage/PLAN and /usage/PLAN/KEY",
        ),
    }
}

fn told(answer: Result<serde_json::Value, UsageError>) -> Response<Full<Bytes>> {
    match answer {
        Ok(value) => json_of(StatusCode::OK, &value),
        Err(error) => {
            let status = match error {
                UsageError::NoPlan(_) | UsageError::NoKey(..) | UsageError::NoQuota(_) => StatusCode::NOT_FOUND,
                UsageError::State(_) => StatusCode::SERVICE_UNAVAILABLE,
            };
            message(status, &error.to_string())
        }
    }
}

/// None when it asks for something else.
fn page(query: &str) -> Option<Page> {
    let mut page = Page::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let value = decoded(value)?;
        match name {
            "key" => page.key = Some(value),
            "position" => page.position = Some(value),
            "limit" => page.limit = Some(value.parse().ok()?),
            _ => return None,
        }
    }
    Some(page)
}

fn decoded(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    Some(text.into_owned())
}
