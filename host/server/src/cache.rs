//! `cache`: what has been answered is answered again, as RFC 9111 lets a shared cache, or as Amazon API Gateway does.
//!
//! In the configuration it is a stage; here it is what the chain before it leads to. The stages after it and the integration
//! are a chain of their own, which it asks when it has to: for a client that waits, or on its own, to have a response anew
//! while the old one is served. So stages after it run on misses only, and what they make of a response is what is kept.
//!
//! - `asked`, `directives`: what requests and responses say
//! - `key`: what tells requests apart
//! - `freshness`: whether a response is kept, and how long it may be used
//! - `stored`, `conditions`: a kept response, and what requests want of it
//! - `asking`, `background`, `filling`: how responses come in
//! - `store`, `flight`, `disk`: where they are kept, and who fetches
//! - `purge`: how they go

mod asked;
mod asking;
mod background;
mod conditions;
mod directives;
pub mod disk;
mod filling;
mod flight;
mod freshness;
mod key;
pub mod purge;
mod refresh;
mod said;
pub mod store;
mod stored;

use std::sync::Arc;
use std::time::Duration;

use gatewright_config::CacheConfig;
use gatewright_core::path::{Encoding, Encodings};
use gatewright_core::{Body, CacheUse, Exchange, Integration, Problem, Response, RouteName, Step, Value};
use http::StatusCode;
use http::header::{self, HeaderValue};
use http::uri::Uri;
use tokio::time::timeout_at;

use self::asked::{Asked, Asks};
use self::filling::Fetch;
use self::flight::End;
use self::key::{Key, Keys};
use self::refresh::Refresh;
use self::said::{Said, say};
use self::store::{Entered, Entering, Store, There};
use self::stored::Stored;
use crate::chain::Chain;
use crate::telemetry::RouteCacheMetrics;

/// What the chain before the stage leads to.
pub struct Cached(Arc<Cache>);

/// The cache of one route.
struct Cache {
    config: CacheConfig,
    keys: Keys,
    store: Arc<Store>,
    inner: Chain,
    timeout: Duration,
    metrics: RouteCacheMetrics,
}

impl Integration for Cached {
    fn name(&self) -> &str {
        "cache"
    }

    fn call<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Response, Problem>> {
        let asks = Asks::of(exchange);
        let cache = &self.0;
        if !asks.may_use_cache(exchange) {
            return Step::waiting(cache.pass(exchange, asks));
        }
        // What only costs time where a request says something to caches.
        let refresh = match cache.refresh(exchange, &asks) {
            Ok(refresh) => refresh,
            Err(problem) => return Step::ready(Err(problem)),
        };
        let headers = &exchange.request.headers;
        let found = cache
            .keys
            .with(exchange, &asks, |key, hash| cache.store.look(key, hash, headers));
        if let Some(stored) = found
            && let Some(fresh) = stored.head.fresh_for(exchange.now)
            && refresh.is_satisfied(&stored, exchange.now, fresh)
        {
            return Step::ready(Ok(cache.hit(
                exchange,
                &asks,
                &stored,
                refresh,
                Said::Hit(fresh.as_secs()),
            )));
        }
        Step::waiting(async move { Ok(Cache::fetch(cache, exchange, asks, refresh).await) })
    }
}

impl Cached {
    /// The cache of a route, before these stages and integration.
    pub fn new(config: &CacheConfig, route: &RouteName, timeout: Duration, inner: Chain, store: &Arc<Store>) -> Self {
        Self(Arc::new(Cache {
            config: config.clone(),
            keys: Keys::new(route, config.key.as_deref(), config.by),
            metrics: store.metrics().route(route),
            store: Arc::clone(store),
            inner,
            timeout,
        }))
    }
}

impl Cache {
    /// Whether the request wants to have the response fetched anew, and may.
    fn refresh(&self, exchange: &Exchange, asks: &Asks) -> Result<Refresh, Problem> {
        match &asks.directives {
            None => Ok(Refresh::default()),
            Some(said) => Refresh::of(&self.config, exchange, said),
        }
    }

    /// A request that cannot be answered from what is kept. One that changes something makes it forgotten (section 4.4).
    async fn pass(&self, exchange: &mut Exchange, asks: Asks) -> Result<Response, Problem> {
        let request = &exchange.request;
        let (authority, target) = (request.authority.clone(), request.target.clone());
        let mut response = self.inner.serve(exchange).await;
        let status = response.status();
        let changed = status.is_success() || status.is_redirection();
        if asks.method == Asked::Unsafe && changed && exchange.record.problem.is_none() {
            let mut removed = self
                .store
                .invalidate(key::resource(authority.as_bytes(), target.path()));
            for name in [header::LOCATION, header::CONTENT_LOCATION] {
                if let Some(path) = response
                    .headers()
                    .get(name)
                    .and_then(|value| path_on(value, &authority, target.path()))
                {
                    removed += self.store.invalidate(key::resource(authority.as_bytes(), &path));
                }
            }
            self.store.metrics().purged(removed);
        }
        let why = match asks.method {
            Asked::Get | Asked::Head => "bypass",
            Asked::Safe | Asked::Unsafe => "method",
        };
        self.forwarded(exchange, &mut response, CacheUse::Bypass, why, None, false);
        Ok(response)
    }

    /// A response has to be fetched, by this request or by another one.
    async fn fetch(self: &Arc<Self>, exchange: &mut Exchange, asks: Asks, refresh: Refresh) -> Response {
        let key = self.keys.key(exchange, &asks);
        let began = exchange.now;
        let give_up = (began + self.config.wait).min(exchange.deadline);
        // What comes is for others too if it is the whole, or if it is asked about for all.
        let leads = |known: Option<&Stored>| {
            let whole = !asks.conditional && !asks.range;
            let asked_about = || known.is_some_and(|stored| stored.head.can_be_asked_about());
            asks.method == Asked::Get && !asks.no_store() && (whole || asked_about())
        };
        let mut may_wait = asks.method == Asked::Get && !refresh.is_asked() && !self.config.wait.is_zero();
        let mut waited = false;
        let mut has_read = false;
        loop {
            let now = exchange.now;
            let entered = {
                let usable = |stored: &Stored| match stored.head.fresh_for(now) {
                    Some(fresh) => refresh.is_satisfied(stored, now, fresh),
                    // Whoever has waited for it gets it, also where it is to be used only once: nobody is asked after another.
                    None => waited && stored.head.received >= began,
                };
                let entering = Entering {
                    asked: &exchange.request.headers,
                    now,
                    usable: &usable,
                    takes_stale: asks.method == Asked::Get && !refresh.is_asked(),
                    may_wait,
                    leads: &leads,
                };
                self.store.enter(&key, &entering)
            };
            match entered {
                Entered::Usable(stored) => {
                    let fresh = stored.head.fresh_for(now).unwrap_or_default().as_secs();
                    let said = if waited {
                        Said::Collapsed(fresh)
                    } else {
                        Said::Hit(fresh)
                    };
                    return self.hit(exchange, &asks, &stored, refresh, said);
                }
                Entered::Stale(stored, flight) => {
                    if let Some(flight) = flight {
                        self.revalidate_beside(exchange, Fetch::new(&self.store, key, flight), &stored);
                    }
                    return self.stale(exchange, &asks, &stored);
                }
                Entered::Wait(flight) => {
                    let waiting = self.store.metrics().waits();
                    let ended = timeout_at(give_up.into(), flight.ended()).await;
                    drop(waiting);
                    exchange.look_at_clock();
                    // After one that has left another one is waited for. What was kept and is not for this request, or could
                    // not be kept, would be the same again.
                    may_wait = matches!(ended, Ok(End::Gone)) && exchange.now < give_up;
                    waited = true;
                }
                Entered::Fetch(flight, there) => {
                    let fetch = Fetch::new(&self.store, key.clone(), flight);
                    if matches!(there, There::Nothing) && !has_read {
                        has_read = true;
                        if let Some(variants) = self.on_disk(exchange, &key).await {
                            fetch.restore(variants, self.config.variants);
                            continue;
                        }
                    }
                    if asks.directives.as_ref().is_some_and(|said| said.only_if_cached) {
                        return self.nothing_kept(exchange, there.why());
                    }
                    return self.ask(exchange, fetch, there, &asks, refresh).await;
                }
            }
        }
    }

    /// What the disk has under a key that memory has nothing of.
    async fn on_disk(&self, exchange: &mut Exchange, key: &Key) -> Option<Vec<Stored>> {
        let disk = self.store.disk().filter(|disk| disk.has(key))?;
        let variants = disk.read(key).await;
        exchange.look_at_clock();
        variants
    }

    /// Answers from what is kept.
    fn hit(&self, exchange: &mut Exchange, asks: &Asks, stored: &Stored, refresh: Refresh, said: Said) -> Response {
        let mut response = self.answer(exchange, asks, stored, CacheUse::Hit, said);
        refresh.warn(&mut response);
        response
    }

    /// Answers from what is kept though it is stale.
    fn stale(&self, exchange: &mut Exchange, asks: &Asks, stored: &Stored) -> Response {
        self.answer(exchange, asks, stored, CacheUse::Stale, Said::Stale)
    }

    fn answer(&self, exchange: &mut Exchange, asks: &Asks, stored: &Stored, used: CacheUse, said: Said) -> Response {
        self.note(exchange, used, said);
        let said = self.config.status.then_some(said);
        stored.answer(asks, &exchange.request.headers, exchange.now, said)
    }

    /// The client wants what is kept or nothing.
    fn nothing_kept(&self, exchange: &mut Exchange, why: &'static str) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
        self.forwarded(exchange, &mut response, CacheUse::Miss, why, None, false);
        response
    }

    fn forwarded(
        &self,
        exchange: &mut Exchange,
        response: &mut Response,
        used: CacheUse,
        why: &'static str,
        status: Option<u16>,
        stored: bool,
    ) {
        let said = Said::Forwarded { why, status, stored };
        self.note(exchange, used, said);
        if self.config.status {
            say(response.headers_mut(), said);
        }
    }

    /// Notes what the cache did.
    fn note(&self, exchange: &mut Exchange, used: CacheUse, said: Said) {
        exchange.record.cache = Some(used);
        self.metrics.count(used);
        if let Some(explanation) = &exchange.record.explanation {
            let direction = match said {
                Said::Hit(_) | Said::Collapsed(_) | Said::Stale => "request",
                Said::Forwarded { .. } => "response",
            };
            let facts = [
                ("name", Value::Text("cache".to_owned())),
                ("outcome", Value::Text(used.as_str().to_owned())),
            ];
            explanation.note(direction, facts);
        }
    }
}

/// What may be answered with what is kept instead (RFC 5861, section 4).
fn is_error(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

/// As a path is where its route lets through as much as can be. Where it lets through less, nothing is kept under such a path.
const AS_KEPT: Encodings = Encodings {
    slash: Encoding::Keep,
    percent: Encoding::Keep,
};

/// The path of a reference to the same authority.
fn path_on(value: &HeaderValue, authority: &HeaderValue, base: &str) -> Option<String> {
    let text = value.to_str().ok()?;
    let absolute = if text.starts_with("//") {
        format!("http:{text}")
    } else {
        text.to_owned()
    };
    let path = match absolute.parse::<Uri>() {
        Ok(uri) if uri.scheme().is_some() => {
            let same = uri
                .authority()?
                .as_str()
                .as_bytes()
                .eq_ignore_ascii_case(authority.as_bytes());
            same.then(|| uri.path().to_owned())?
        }
        Ok(uri) if text.starts_with('/') => uri.path().to_owned(),
        // From the folder of what was asked for.
        _ => {
            let (folder, _) = base.rsplit_once('/')?;
            let relative = text.split(['?', '#']).next().unwrap_or_default();
            format!("{folder}/{relative}")
        }
    };
    Some(AS_KEPT.normalise(&path).ok()?.into_owned())
}

#[cfg(test)]
mod tests;
