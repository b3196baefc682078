//! Changing requests and responses. An answer of the plugin is checked as a whole before any of it is applied.

use bytes::Bytes;
use gatewright_core::body::CollectError;
use gatewright_core::{Attributes, Body, Exchange, Flow, Problem, ProblemKind, Response, Value};
use http::header::CONTENT_LENGTH;
use http::{Method, StatusCode};
use http_body::Body as _;

use super::{PluginStage, collect};
use crate::api::{
    RequestEdits, RequestOutcome, ResponseEdits, ResponseOutcome, TransformRequest, TransformResponse, View,
};
use crate::runtime::Cause;

impl PluginStage {
    pub(super) async fn transform_request(&self, exchange: &mut Exchange) -> Result<Flow, Problem> {
        let body = self.request_body(exchange).await?;
        let cause = Cause::of(exchange, &self.stats);
        let hook = TransformRequest {
            view: View::of(exchange),
            needs: self.runtime.plugin().needs(),
            body: body.as_deref(),
        };
        match self.runtime.call(&hook, cause).await {
            Ok(RequestOutcome::Proceed(edits)) => {
                change_request(*edits, exchange);
                Ok(Flow::Proceed)
            }
            Ok(RequestOutcome::Respond(answer)) => Ok(Flow::Answer(Box::new(answer.into_response()))),
            Err(failure) => self.forgive(&failure).map(|()| Flow::Proceed),
        }
    }

    pub(super) async fn transform_response(
        &self,
        exchange: &mut Exchange,
        response: &mut Response,
    ) -> Result<(), Problem> {
        let needs = self.runtime.plugin().needs();
        let bodiless = has_no_body(&exchange.request.method, response.status());
        let rule = &self.plan.responses;
        let announced = response.body().size_hint().exact().filter(|_| !bodiless);
        let body = match needs.response_body && rule.gives(response.headers(), announced) {
            false => None,
            // A plugin that replaces bodies need not know that a response to HEAD has none.
            true if bodiless => Some(Bytes::new()),
            true => {
                let body = collect(response.body_mut(), rule, self.plan.body_bytes).await;
                body.map_err(|error| match error {
                    CollectError::TooLarge => {
                        Problem::new(ProblemKind::IntegrationFailure).with_cause(self.too_large())
                    }
                    CollectError::Body(error) => error.0,
                })?
            }
        };
        let cause = Cause::of(exchange, &self.stats);
        let hook = TransformResponse {
            view: View::of(exchange),
            needs,
            status: response.status(),
            headers: response.headers(),
            body: body.as_deref(),
        };
        match self.runtime.call(&hook, cause).await {
            Ok(ResponseOutcome::Proceed(edits)) => change_response(edits, bodiless, &mut exchange.attributes, response),
            Ok(ResponseOutcome::Replace(answer)) => *response = answer.into_response(),
            Err(failure) => self.forgive(&failure)?,
        }
        Ok(())
    }
}

fn change_request(edits: RequestEdits, exchange: &mut Exchange) {
    let RequestEdits {
        method,
        target,
        authority,
        fields,
        body,
        attributes,
    } = edits;
    let request = &mut exchange.request;
    if let Some(method) = method {
        request.method = method;
    }
    if let Some(target) = target {
        request.target = target;
    }
    if let Some((authority, host)) = authority {
        request.authority = authority;
        request.host = host;
    }
    fields.iter().for_each(|edit| edit.apply(&mut request.headers));
    if let Some(body) = body {
        request.headers.remove(CONTENT_LENGTH);
        exchange.body = Body::full(body);
    }
    set(&mut exchange.attributes, attributes);
}

fn change_response(edits: ResponseEdits, bodiless: bool, known: &mut Attributes, response: &mut Response) {
    let ResponseEdits {
        status,
        fields,
        body,
        attributes,
    } = edits;
    fields.iter().for_each(|edit| edit.apply(response.headers_mut()));
    if let Some(body) = body.filter(|_| !bodiless) {
        replace_body(response, Body::full(body));
    }
    if let Some(status) = status {
        *response.status_mut() = status;
        if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            replace_body(response, Body::empty());
        }
    }
    set(known, attributes);
}

fn replace_body(response: &mut Response, body: Body) {
    // Whoever sends the response knows the new length.
    response.headers_mut().remove(CONTENT_LENGTH);
    *response.body_mut() = body;
}

fn set(known: &mut Attributes, attributes: Vec<(String, Value)>) {
    for (name, value) in attributes {
        known.set(name, value);
    }
}

/// Whether a response has no body whatever its fields say.
pub(super) fn has_no_body(method: &Method, status: StatusCode) -> bool {
    method == Method::HEAD || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}
