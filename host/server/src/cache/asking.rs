//! Asking the integration, and what becomes of what it answers: kept, brought up to date, or passed on.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use gatewright_config::CacheFreshness;
use gatewright_core::{Body, CacheUse, Exchange, Response};
use http::StatusCode;
use http::header::{self, HeaderMap};

use super::asked::{Asked, Asks};
use super::directives::Directives;
use super::filling::{Fetch, Fill};
use super::freshness::{self, Came};
use super::refresh::Refresh;
use super::store::There;
use super::stored::{Head, Stored};
use super::{Cache, is_error};
use crate::telemetry::Revalidated;

impl Cache {
    /// Asks the integration for a response, or whether the one that is kept is still good.
    pub(super) async fn ask(
        &self,
        exchange: &mut Exchange,
        fetch: Fetch,
        there: There,
        asks: &Asks,
        refresh: Refresh,
    ) -> Response {
        let asked = exchange.request.headers.clone();
        // A `HEAD` brings nothing that could be kept, and asks about nothing.
        let known = there.this().filter(|_| asks.method == Asked::Get).cloned();
        // What the configuration says the client may have fetched anew is not asked about, but fetched.
        let anew = refresh.is_asked() && matches!(self.config.freshness, CacheFreshness::Ttl(_));
        let validates = match &known {
            Some(stored) if !anew => stored.head.ask_about(&mut exchange.request.headers),
            _ => false,
        };
        let sent = exchange.now;
        let mut response = self.inner.serve(exchange).await;
        let (now, _) = exchange.look_at_clock();
        if validates {
            // Stages before the cache see what the client asked, and not what was asked about.
            exchange.request.headers.clone_from(&asked);
        }
        let why = match refresh.is_asked() {
            true => "request",
            false => there.why(),
        };
        let status = response.status();
        if let Some(stored) = &known {
            if validates {
                self.count_revalidation(status);
            }
            if validates && status == StatusCode::NOT_MODIFIED {
                let facts = self.facts(exchange, asks);
                let stored = self.freshen(
                    fetch,
                    stored,
                    &response,
                    &asked,
                    facts,
                    now.saturating_duration_since(sent),
                    now,
                );
                let mut answer = stored.answer(asks, &asked, now, None);
                self.forwarded(exchange, &mut answer, CacheUse::Revalidated, why, Some(304), true);
                refresh.warn(&mut answer);
                return answer;
            }
            if is_error(status) && stored.head.serves_instead_of_an_error(now) {
                fetch.fail();
                // The client has its answer; what was wrong is counted where it happened.
                let record = &mut exchange.record;
                (record.problem, record.cause, record.answered_by) = (None, None, None);
                let mut answer = stored.answer(asks, &asked, now, None);
                self.forwarded(
                    exchange,
                    &mut answer,
                    CacheUse::Stale,
                    why,
                    Some(status.as_u16()),
                    false,
                );
                return answer;
            }
        }
        let stored = self.keep(
            exchange,
            fetch,
            known.as_ref(),
            &mut response,
            &asked,
            asks,
            now.saturating_duration_since(sent),
        );
        self.forwarded(exchange, &mut response, CacheUse::Miss, why, None, stored);
        refresh.warn(&mut response);
        response
    }

    /// Has a response kept that may be; its body, when it has come. Whether it may.
    #[expect(clippy::too_many_arguments, reason = "what a response is judged by")]
    pub(super) fn keep(
        &self,
        exchange: &Exchange,
        fetch: Fetch,
        known: Option<&Arc<Stored>>,
        response: &mut Response,
        asked: &HeaderMap,
        asks: &Asks,
        took: Duration,
    ) -> bool {
        let status = response.status();
        let answered = exchange.record.problem.is_none() && exchange.record.answered_by.is_none();
        let may = answered && asks.method == Asked::Get && !self.keys.is_misleading(asked);
        let head = self.judge(response, asked, self.facts(exchange, asks), took, exchange.now);
        match head.filter(|_| may) {
            Some(head) => {
                let fill = Fill::new(fetch, head, self.config.object_bytes.0, self.config.variants);
                let body = fill.watch(response.body_mut().take());
                *response.body_mut() = body;
                true
            }
            None => {
                match is_error(status) {
                    true => fetch.fail(),
                    false => fetch.refuse(known),
                }
                false
            }
        }
    }

    /// What would be kept of a response; none when nothing may be.
    pub(super) fn judge(
        &self,
        response: &Response,
        asked: &HeaderMap,
        facts: freshness::Asked,
        took: Duration,
        now: Instant,
    ) -> Option<Head> {
        let (status, headers) = (response.status(), response.headers());
        let said = Directives::of_response(headers);
        let came = Came {
            status,
            headers,
            directives: &said,
            now: SystemTime::now(),
            took,
        };
        let times = freshness::times(&self.config, facts, came)?;
        Some(Head::new(status, headers.clone(), &said, asked, times, now))
    }

    /// What is kept, with what the answer that it is still good says. Kept further, if it may be.
    #[expect(clippy::too_many_arguments, reason = "what a response is judged by")]
    pub(super) fn freshen(
        &self,
        fetch: Fetch,
        stored: &Arc<Stored>,
        by: &Response,
        asked: &HeaderMap,
        facts: freshness::Asked,
        took: Duration,
        now: Instant,
    ) -> Arc<Stored> {
        let mut by_headers = by.headers().clone();
        if !self.config.set_cookie {
            // It is for this client, and not for others.
            by_headers.remove(header::SET_COOKIE);
        }
        let mut whole = Response::new(Body::empty());
        *whole.status_mut() = stored.head.status;
        *whole.headers_mut() = stored.head.freshened(&by_headers);
        if !by_headers.contains_key(header::DATE) {
            // It was found to be good now.
            whole.headers_mut().remove(header::DATE);
        }
        match self.judge(&whole, asked, facts, took, now) {
            Some(head) => fetch.keep(Stored::new(head, stored.body.clone()), self.config.variants),
            None => {
                fetch.refuse(Some(stored));
                let mut head = stored.head.clone();
                head.headers = whole.headers().clone();
                Arc::new(Stored::new(head, stored.body.clone()))
            }
        }
    }

    pub(super) fn facts(&self, exchange: &Exchange, asks: &Asks) -> freshness::Asked {
        freshness::Asked {
            authenticated: asks.authorization || exchange.principal().is_some(),
            cookies: asks.cookie,
            no_store: asks.no_store(),
        }
    }

    pub(super) fn count_revalidation(&self, status: StatusCode) {
        self.store.metrics().revalidated(match status {
            StatusCode::NOT_MODIFIED => Revalidated::Unchanged,
            status if is_error(status) => Revalidated::Failed,
            _ => Revalidated::Changed,
        });
    }
}
