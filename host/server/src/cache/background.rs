//! Having a response anew while the old one is served (RFC 5861): nobody waits for it.

use std::sync::Arc;
use std::time::Instant;

use gatewright_core::{AccessRecord, Body, Exchange, Recorder};
use http::HeaderMap;

use super::asked::Asks;
use super::filling::Fetch;
use super::stored::{Stored, ask_for_all};
use super::{Cache, is_error};
use crate::gateway::next_id;

struct Nowhere;

impl Recorder for Nowhere {
    fn record(&self, _: &AccessRecord) {}
}

impl Cache {
    /// Has a response anew, in a task of this worker's. There is one at a time for each key.
    pub(super) fn revalidate_beside(self: &Arc<Self>, exchange: &Exchange, fetch: Fetch, stored: &Arc<Stored>) {
        let (cache, stored) = (Arc::clone(self), Arc::clone(stored));
        let mut beside = self.beside(exchange);
        tokio::spawn(async move {
            let within = tokio::time::Instant::from_std(beside.deadline);
            let _ = tokio::time::timeout_at(within, cache.revalidate(&mut beside, fetch, &stored)).await;
        });
    }

    async fn revalidate(&self, exchange: &mut Exchange, fetch: Fetch, stored: &Arc<Stored>) {
        ask_for_all(&mut exchange.request.headers);
        let asks = Asks::of(exchange);
        let asked = exchange.request.headers.clone();
        let validates = stored.head.ask_about(&mut exchange.request.headers);
        let sent = exchange.now;
        let mut response = self.inner.serve(exchange).await;
        let (now, _) = exchange.look_at_clock();
        let took = now.saturating_duration_since(sent);
        let status = response.status();
        self.count_revalidation(status);
        if validates && status == http::StatusCode::NOT_MODIFIED {
            let facts = self.facts(exchange, &asks);
            self.freshen(fetch, stored, &response, &asked, facts, took, now);
        } else if is_error(status) {
            // The old one serves as long as it may.
            fetch.fail();
        } else if self.keep(exchange, fetch, Some(stored), &mut response, &asked, &asks, took) {
            // It is kept as it is read.
            let _ = response.into_body().collect(self.config.object_bytes.0).await;
        }
    }

    /// The same exchange for nobody, with time of its own.
    fn beside(&self, exchange: &Exchange) -> Exchange {
        let mut record = AccessRecord::new(
            next_id(),
            Arc::clone(&exchange.record.listener),
            exchange.client.clone(),
            exchange.request.method.clone(),
            exchange.request.version,
            Arc::new(Nowhere),
        );
        record.leave_to_another();
        record.principal.clone_from(&exchange.record.principal);
        record.route.clone_from(&exchange.record.route);
        let now = Instant::now();
        Exchange {
            id: record.id,
            now,
            deadline: now + self.timeout,
            client: exchange.client.clone(),
            request: exchange.request.clone(),
            body: Body::empty(),
            route: Arc::clone(&exchange.route),
            parameters: exchange.parameters.clone(),
            attributes: exchange.attributes.clone(),
            for_response: HeaderMap::new(),
            rate_limit: None,
            interim: None,
            record,
        }
    }
}
