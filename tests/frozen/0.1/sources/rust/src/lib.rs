//! Every kind and every service once; `tests/frozen/README.md` says what it does.

use std::time::Duration;

use gatewright_sdk::http::HttpRequest;
use gatewright_sdk::prelude::*;

#[derive(serde::Deserialize)]
struct Frozen {
    greeting: String,
    origin: String,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Plugin for Frozen {
    fn info() -> Info {
        let info = Info::new("frozen", "0.1.0")
            .description("Every kind and every service, in Rust.")
            .config_schema(include_str!("../config.schema.json"))
            .parts(Part::ALL)
            .request_fields(["x-user", "x-answer", "x-tier"])
            .response_fields(["content-type"])
            .request_body(BodyMode::Buffered)
            .response_body(BodyMode::Chunks)
            .reuse(Reuse::Serial);
        let services = [
            Service::Kv,
            Service::Cache,
            Service::Counters,
            Service::Secrets,
            Service::Http,
            Service::Metrics,
            Service::Clock,
            Service::Random,
        ];
        services.into_iter().fold(info, Info::service)
    }

    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        let frozen: Self = config::parse(config)?;
        if frozen.greeting == "wrong" {
            return Err(vec![ConfigError::new("/greeting", "is wrong")]);
        }
        Ok(frozen)
    }
}

impl Authorizer for Frozen {
    fn authorize(&self, request: &AuthorizeRequest) -> Result<Decision, Fault> {
        match request.header("x-user") {
            None => Ok(Decision::Abstain),
            Some("faulty") => Err(Fault::Unavailable("asked to fail".to_owned())),
            Some("mallory") => Ok(Denial::new(Response::new(403).text("not you"), "mallory").into()),
            Some(user) => {
                let grant = Grant::to(user).context("tier", "gold").usage_key("plan").scope("read");
                Ok(grant.ttl(Duration::ZERO).into())
            }
        }
    }
}

impl RequestTransform for Frozen {
    fn transform_request(&self, request: &TransformRequest) -> Result<RequestOutcome, Fault> {
        if request.header("x-answer").is_some() {
            return Ok(Response::new(418).text("answered").into());
        }
        let tier = request
            .exchange
            .attribute("auth.tier")?
            .and_then(Value::text)
            .unwrap_or_default();
        let mut body = request.body.clone().unwrap_or_default();
        body.push(b'!');
        let edits = RequestEdits::new()
            .query("frozen=1")
            .set_header("x-tier", tier)
            .body(body);
        Ok(edits.attribute("seen", true).into())
    }
}

impl Integration for Frozen {
    fn handle(&self, request: &IntegrationRequest) -> Result<Response, Fault> {
        let path = request.path()?;
        let said = if path.ends_with("/services") {
            self.services()?
        } else {
            let principal = request.exchange.attribute("auth.principal")?.and_then(Value::text);
            format!(
                "{} {} {path}?{} {} {} {}",
                self.greeting,
                request.method()?,
                request.query.as_deref().unwrap_or_default(),
                request.header("x-tier").unwrap_or_default(),
                principal.unwrap_or_default(),
                String::from_utf8_lossy(&request.body)
            )
        };
        Ok(Response::new(200).text(said))
    }
}

impl ResponseTransform for Frozen {
    fn transform_response(&self, response: &TransformResponse) -> Result<ResponseOutcome, Fault> {
        let edits = ResponseEdits::new().set_header("x-frozen", self.greeting.as_str());
        Ok(edits.attribute("status", i64::from(response.status)).into())
    }
}

impl BodyFilter for Frozen {
    type Filter = Upper;

    fn open(&self, input: &FilterInput) -> Result<Option<Upper>, Fault> {
        let head = input.response.as_ref();
        let is_text = head
            .and_then(|head| head.header("content-type"))
            .is_some_and(|it| it.starts_with("text/plain"));
        Ok(is_text.then_some(Upper))
    }
}

struct Upper;

impl Filter for Upper {
    fn push(&mut self, chunk: Vec<u8>) -> Result<Vec<u8>, Fault> {
        Ok(chunk.to_ascii_uppercase())
    }

    fn finish(self) -> Result<Vec<u8>, Fault> {
        Ok(b".".to_vec())
    }
}

impl Frozen {
    fn services(&self) -> Result<String, Fault> {
        if log::enabled(log::Level::Info) {
            log::write(log::Level::Info, "frozen", &[("in", "rust")]);
        }
        let revision = kv::set("frozen", "k", b"old", Some(MINUTE)).map_err(failed)?;
        kv::compare_and_set("frozen", "k", Some(revision), b"new", None).map_err(failed)?;
        let kept = kv::get("frozen", "k").map_err(failed)?.map(|entry| entry.value);
        kv::delete("frozen", "k").map_err(failed)?;
        let computed = matches!(
            cache::get("frozen", "k", Some(Duration::ZERO)).map_err(failed)?,
            cache::Found::Compute
        );
        cache::put("frozen", "k", b"cached", MINUTE).map_err(failed)?;
        let cached = match cache::get("frozen", "k", None).map_err(failed)? {
            cache::Found::Value(value) => value,
            cache::Found::Compute => Vec::new(),
        };
        cache::forget("frozen", "k").map_err(failed)?;
        let counted = counters::add("frozen", "n", 2, MINUTE).map_err(failed)?;
        let bucket = counters::take("frozen", "b", 1, 10, 0.001).map_err(failed)?;
        let secret = secrets::get("FROZEN").map_err(failed)?;
        let request = HttpRequest::post(self.origin.as_str(), "ping").header("x-from", "frozen");
        let sent = request.send().map_err(failed)?;
        let all = http::send_all(&[request.clone(), request]);
        let all: Vec<_> = all
            .into_iter()
            .map(|answer| answer.map_err(failed))
            .collect::<Result<_, _>>()?;
        metrics::add("frozen_total", 1, &[("in", "rust")]);
        metrics::set("frozen_level", 0.5, &[]);
        metrics::observe("frozen_seconds", 0.25, &[]);
        let time = clock::unix() > MINUTE && clock::monotonic() <= clock::monotonic();
        let random = random::bytes(16).len() == 16 && random::number() != random::number();
        Ok(format!(
            "kv={} cache={computed},{} counters={counted},{},{} secret={} http={},{},{} time={time} random={random}",
            text(kept.unwrap_or_default()),
            text(cached),
            bucket.allowed,
            bucket.remaining,
            text(secret),
            sent.status,
            text(sent.body),
            all.len()
        ))
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

fn failed(error: impl std::fmt::Debug) -> Fault {
    Fault::Internal(format!("{error:?}"))
}

plugin!(Frozen: authorizer | request_transform | response_transform | body_filter | integration);
