//! Bodies that go through a plugin's filter. What is done here is done before the first chunk: from then on the body is on
//! its own ([`FilteredBody`]).

use gatewright_core::{Body, Exchange, Problem, Response};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::Body as _;

use super::PluginStage;
use super::transform::has_no_body;
use crate::api::{OpenFilter, View};
use crate::filter::Filter;
use crate::filtered_body::FilteredBody;
use crate::runtime::Cause;

impl PluginStage {
    pub(super) async fn filter_request(&self, exchange: &mut Exchange) -> Result<(), Problem> {
        if exchange.body.is_empty() || !self.is_given(exchange)? {
            return Ok(());
        }
        let cause = Cause::of(exchange, &self.stats);
        let hook = OpenFilter {
            content_length: exchange.body.size_hint().exact(),
            view: View::of(exchange),
            needs: self.runtime.plugin().needs(),
            response: None,
        };
        let filter = self.open(&hook, cause).await?;
        self.lead_through(filter, &mut exchange.request.headers, &mut exchange.body);
        Ok(())
    }

    pub(super) async fn filter_response(
        &self,
        exchange: &mut Exchange,
        response: &mut Response,
    ) -> Result<(), Problem> {
        let announced = response.body().size_hint().exact();
        if has_no_body(&exchange.request.method, response.status()) {
            if !self.plan.responses.gives(response.headers(), None) {
                return Ok(());
            }
            // It says how long a body would be, which nobody knows.
            response.headers_mut().remove(CONTENT_LENGTH);
            return Ok(());
        }
        if response.body().is_empty() || !self.plan.responses.gives(response.headers(), announced) {
            return Ok(());
        }
        let cause = Cause::of(exchange, &self.stats);
        let hook = OpenFilter {
            content_length: announced,
            view: View::of(exchange),
            needs: self.runtime.plugin().needs(),
            response: Some((response.status(), response.headers())),
        };
        let filter = self.open(&hook, cause).await?;
        let mut body = response.body_mut().take();
        self.lead_through(filter, response.headers_mut(), &mut body);
        *response.body_mut() = body;
        Ok(())
    }

    async fn open(&self, hook: &OpenFilter<'_>, cause: Cause<'_>) -> Result<Option<Filter>, Problem> {
        match Filter::open(&self.runtime, &self.stats, hook, cause).await {
            Ok(filter) => Ok(filter),
            Err(failure) => self.forgive(&failure).map(|()| None),
        }
    }

    fn lead_through(&self, filter: Option<Filter>, headers: &mut HeaderMap, body: &mut Body) {
        if let Some(filter) = filter {
            // Nobody knows how long it will be.
            headers.remove(CONTENT_LENGTH);
            *body = FilteredBody::wrap(body.take(), filter, self.plan.on_fault);
        }
    }
}
