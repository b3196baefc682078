//! `compress`: bodies of responses in a content coding that the client accepts, chunk by chunk as they come.

use gatewright_config::{CompressCoding, CompressConfig, TypePattern};
use gatewright_core::{Exchange, Flow, Problem, Response, Stage, Step, Value};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};

use super::decompress::changed;
use super::entity_tags::{self, UpstreamTags};
use crate::codings::encoder::EncodedBody;
use crate::codings::{Coded, Coding, coded};

/// The attribute with the coding that the client likes best, of those that are offered.
const CODING: &str = "compress.coding";

/// Compresses responses.
pub struct Compress {
    config: CompressConfig,
    offered: Vec<Coding>,
    tags: UpstreamTags,
}

impl Stage for Compress {
    fn name(&self) -> &str {
        "compress"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        self.tags.restore(&mut exchange.request.headers);
        // What later stages leave of the field is for the upstream.
        if let Some(coding) = chosen(&exchange.request.headers, &self.offered) {
            exchange.attributes.set(CODING, Value::Text(coding.as_str().to_owned()));
        }
        Step::ready(Ok(Flow::Proceed))
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        response: &'a mut Response,
    ) -> Step<'a, Result<(), Problem>> {
        self.tags.look(response.headers());
        let coding = match exchange.attributes.get(CODING).as_deref() {
            Some(Value::Text(name)) => Coding::named(name),
            _ => None,
        };
        if response.status() == StatusCode::NOT_MODIFIED && self.may_be_about_compressed(response.headers()) {
            vary(response.headers_mut());
            let request = &exchange.request.headers;
            entity_tags::match_unchanged(request, response.headers_mut(), coding.is_some());
        }
        if !self.would_compress(response) {
            return Step::ready(Ok(()));
        }
        vary(response.headers_mut());
        // What is said in answer to `HEAD` is what would be said to `GET`.
        let is_head = exchange.record.method == Method::HEAD;
        if let Some(coding) = coding.filter(|_| is_head || !response.body().is_empty()) {
            if !is_head {
                let body = response.body_mut().take();
                *response.body_mut() = EncodedBody::wrap(body, coding, self.config.level);
            }
            let headers = response.headers_mut();
            changed(headers);
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.as_str()));
        }
        Step::ready(Ok(()))
    }

    fn sees_responses(&self) -> bool {
        true
    }
}

impl Compress {
    /// A stage with these settings.
    #[must_use]
    pub fn new(config: &CompressConfig, tags: UpstreamTags) -> Self {
        let offered = config.codings.iter().map(|coding| match coding {
            CompressCoding::Gzip => Coding::Gzip,
            CompressCoding::Brotli => Coding::Brotli,
            CompressCoding::Zstd => Coding::Zstd,
        });
        Self {
            offered: offered.collect(),
            config: config.clone(),
            tags,
        }
    }

    /// Whether some client would get it compressed.
    fn would_compress(&self, response: &Response) -> bool {
        let headers = response.headers();
        let status = response.status();
        let is_whole = !status.is_informational()
            && !matches!(
                status,
                StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT
            )
            && !headers.contains_key(header::CONTENT_RANGE);
        let length = http_body::Body::size_hint(response.body())
            .exact()
            .filter(|length| *length > 0);
        let said = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        let is_long = length
            .or(said)
            .is_none_or(|length: u64| length >= self.config.minimum_bytes.0);
        is_whole && is_long && coded(headers) == Coded::Plain && may_be_transformed(headers) && self.has_type(headers)
    }

    /// Whether a 304 may be about a response that some client would get compressed: it hardly ever says of what type that is.
    fn may_be_about_compressed(&self, headers: &HeaderMap) -> bool {
        let has_type = !headers.contains_key(header::CONTENT_TYPE) || self.has_type(headers);
        has_type && coded(headers) == Coded::Plain && may_be_transformed(headers)
    }

    fn has_type(&self, headers: &HeaderMap) -> bool {
        let essence = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        essence
            .and_then(|value| value.split(';').next())
            .is_some_and(|essence| {
                let essence = essence.trim().to_ascii_lowercase();
                self.config
                    .types
                    .iter()
                    .any(|pattern: &TypePattern| pattern.matches(&essence))
            })
    }
}

/// Whether nobody has forbidden to change the body (RFC 9111, section 5.2.2.6).
fn may_be_transformed(headers: &HeaderMap) -> bool {
    let mut directives = headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok());
    !directives.any(|value| {
        value
            .split(',')
            .any(|directive| directive.trim().eq_ignore_ascii_case("no-transform"))
    })
}

/// Caches keep what this client gets for those only who accept the same.
fn vary(headers: &mut HeaderMap) {
    let mut values = headers
        .get_all(header::VARY)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let is_said = values.any(|value| {
        let mut names = value.split(',').map(str::trim);
        names.any(|name| name == "*" || name.eq_ignore_ascii_case("accept-encoding"))
    });
    if !is_said {
        headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
}

/// The coding with the highest weight, of those with the same the first that is offered; none where the client accepts none
/// or would rather have it plain (RFC 9110, section 12.5.3).
fn chosen(headers: &HeaderMap, offered: &[Coding]) -> Option<Coding> {
    // Weights in thousandths, as fine as they can be written.
    let mut accepted: Vec<(&str, u32)> = Vec::new();
    for value in headers.get_all(header::ACCEPT_ENCODING) {
        for item in value.to_str().ok()?.split(',') {
            let (name, parameter) = item.split_once(';').unwrap_or((item, ""));
            let weight = match parameter.trim().split_once('=') {
                Some((q, weight)) if q.trim().eq_ignore_ascii_case("q") => thousandths(weight.trim())?,
                _ => 1000,
            };
            accepted.push((name.trim(), weight));
        }
    }
    let said = |name: &str| accepted.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let mut best: Option<(Coding, u32)> = None;
    for coding in offered {
        let alias = (*coding == Coding::Gzip).then(|| said("x-gzip")).flatten();
        let weight = said(coding.as_str())
            .or(alias)
            .or_else(|| said("*"))
            .map_or(0, |(_, weight)| *weight);
        if weight > best.map_or(0, |(_, best)| best) {
            best = Some((*coding, weight));
        }
    }
    let plain = said("identity").map_or(0, |(_, weight)| *weight);
    best.filter(|(_, weight)| *weight >= plain).map(|(coding, _)| coding)
}

/// `0.5` as 500.
fn thousandths(weight: &str) -> Option<u32> {
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u32 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn for_client(accepts: &str) -> Option<Coding> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, accepts.parse().unwrap());
        chosen(&headers, &[Coding::Zstd, Coding::Brotli, Coding::Gzip])
    }

    #[test]
    fn a_client_gets_what_it_likes_best_and_then_what_is_offered_first() {
        for (accepts, expected) in [
            ("gzip, deflate, br, zstd", Some(Coding::Zstd)),
            ("gzip, br;q=0.9", Some(Coding::Gzip)),
            ("gzip;q=0.5, br;q=0.501", Some(Coding::Brotli)),
            ("GZip;Q=1.000", Some(Coding::Gzip)),
            ("*", Some(Coding::Zstd)),
            ("zstd;q=0, *;q=0.1", Some(Coding::Brotli)),
            ("x-gzip", Some(Coding::Gzip)),
            ("identity, gzip;q=0.5", None),
            ("identity;q=0.5, gzip;q=0.5", Some(Coding::Gzip)),
            ("gzip;q=0", None),
            ("deflate", None),
            ("", None),
            ("gzip;q=nonsense", None),
            ("gzip;q=2", None),
        ] {
            assert_eq!(for_client(accepts), expected, "{accepts}");
        }
        assert_eq!(chosen(&HeaderMap::new(), &[Coding::Gzip]), None);
    }
}
