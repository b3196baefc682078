//! A plugin as a stage: what the chain sees. One plugin may be authorizer, request transform and response transform at
//! once; on the way in it decides first and changes after.

mod filter;
mod transform;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use gatewright_config::ByteSize;
use gatewright_config::gateway::{BodyRule, OnFault};
use gatewright_core::body::{CollectError, Start};
use gatewright_core::{Body, Exchange, Flow, Problem, ProblemKind, Response, Stage, Step};
use http::header::ACCEPT_ENCODING;
use http::{HeaderValue, Method, StatusCode};
use http_body::Body as _;

use self::transform::has_no_body;
use crate::PluginError;
use crate::api::{Authorize, View};
use crate::authorizer::{Authorizer, Lookup};
use crate::bodies::{self, GivenBodies};
use crate::decision_cache::Keys;
use crate::failure::Failure;
use crate::kind::PluginKind;
use crate::metrics::RouteStats;
use crate::plugin::{Plugin, StageUse};
use crate::runtime::{Cause, Runtime};

const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// One use of a plugin in a chain.
pub(crate) struct PluginStage {
    runtime: Arc<Runtime>,
    stats: Arc<RouteStats>,
    plan: Plan,
}

/// The settings of the use, checked.
pub(crate) struct Plan {
    authorizer: Option<Authorizer>,
    transforms_requests: bool,
    transforms_responses: bool,
    filters_requests: bool,
    filters_responses: bool,
    /// Which bodies of requests it is given, whole or chunk by chunk.
    requests: GivenBodies,
    /// Which bodies of responses.
    responses: GivenBodies,
    /// Whether requests must not ask for parts of responses.
    wholes: bool,
    /// Whether requests must not ask for codings of responses.
    plains: bool,
    on_fault: OnFault,
    body_bytes: u64,
}

impl PluginStage {
    /// Checks that the plugin can be used so.
    pub(crate) fn check(plugin: &Plugin, use_: StageUse<'_>) -> Result<Plan, PluginError> {
        let kinds = plugin.kinds();
        let config = use_.config;
        let needs = plugin.needs();
        let bodies = &plugin.summary().needs.bodies;
        let requests = bodies.requests(&config.config, &config.request_bodies);
        let responses = bodies.responses(&config.config, &config.response_bodies);
        let filters =
            |chunks: bool, given: &GivenBodies| kinds.has(PluginKind::BodyFilter) && chunks && !given.is_nothing();
        let filters_responses = filters(needs.response_chunks, &responses);
        let transforms_responses = kinds.has(PluginKind::ResponseTransform);
        let reads_responses =
            filters_responses || transforms_responses && needs.response_body && !responses.is_nothing();
        let plan = Plan {
            authorizer: kinds
                .has(PluginKind::Authorizer)
                .then(|| Authorizer::check(plugin, use_))
                .transpose()?,
            transforms_requests: kinds.has(PluginKind::RequestTransform),
            transforms_responses,
            filters_requests: filters(needs.request_chunks, &requests),
            filters_responses,
            wholes: reads_responses && responses.whole,
            plains: reads_responses && responses.plain,
            requests,
            responses,
            on_fault: config.on_fault,
            body_bytes: config.body_bytes.0,
        };
        if plan.authorizer.is_none()
            && !plan.sees_requests()
            && !plan.sees_responses()
            && !kinds.has(PluginKind::BodyFilter)
        {
            return Err(plugin.unusable(format!("it is no stage; it exports {}", kinds.list())));
        }
        if plan.authorizer.is_none() && !config.identity.is_empty() {
            return Err(plugin.unusable("`identity` is for authorizers, and it is none".to_owned()));
        }
        if plan.authorizer.is_some() && plan.on_fault == OnFault::Skip {
            let reason = "an authorizer that fails must not let requests pass; `on_fault = \"skip\"` is for transforms";
            return Err(plugin.unusable(reason.to_owned()));
        }
        if plan.authorizer.is_some() && config.request_bodies != BodyRule::default() {
            let reason =
                "an authorizer decides by every body that it asks for; `bodies.request` is for transforms and filters";
            return Err(plugin.unusable(reason.to_owned()));
        }
        if matches!(plan.on_fault, OnFault::Status(status) if !(400..600).contains(&status)) {
            return Err(plugin.unusable("`on_fault` is not a status from 400 to 599".to_owned()));
        }
        Ok(plan)
    }
}

impl Plan {
    /// Whether requests are changed, which takes longer than to look at them.
    fn sees_requests(&self) -> bool {
        self.transforms_requests || self.filters_requests
    }

    fn sees_responses(&self) -> bool {
        self.transforms_responses || self.filters_responses
    }

    pub(crate) fn with(self, runtime: Arc<Runtime>, stats: Arc<RouteStats>) -> PluginStage {
        PluginStage {
            runtime,
            stats,
            plan: self,
        }
    }
}

impl Stage for PluginStage {
    fn name(&self) -> &str {
        &self.runtime.plugin().caller().name
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        if self.plan.wholes {
            bodies::ask_for_the_whole(&mut exchange.request.headers);
        }
        if self.plan.plains {
            bodies::ask_for_plain(&mut exchange.request.headers);
        }
        let Some(authorizer) = &self.plan.authorizer else {
            return match self.plan.sees_requests() {
                true => Step::waiting(self.change_request(exchange)),
                false => Step::ready(Ok(Flow::Proceed)),
            };
        };
        match authorizer.look_up(&self.runtime, &self.stats, exchange) {
            // Nothing to wait for, nothing to allocate.
            Lookup::Found(decision) if !self.plan.sees_requests() => {
                Step::ready(authorizer.apply(self.name(), &decision, exchange))
            }
            Lookup::Found(decision) => Step::waiting(async move {
                match authorizer.apply(self.name(), &decision, exchange)? {
                    Flow::Proceed => self.change_request(exchange).await,
                    answer => Ok(answer),
                }
            }),
            Lookup::Ask(keys) if !self.plan.sees_requests() => {
                Step::waiting(self.authorize(authorizer, keys, exchange))
            }
            Lookup::Ask(keys) => Step::waiting(async move {
                match self.authorize(authorizer, keys, exchange).await? {
                    Flow::Proceed => self.change_request(exchange).await,
                    answer => Ok(answer),
                }
            }),
        }
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        response: &'a mut Response,
    ) -> Step<'a, Result<(), Problem>> {
        Step::waiting(self.change_response(exchange, response))
    }

    fn sees_responses(&self) -> bool {
        self.plan.sees_responses()
    }
}

impl PluginStage {
    /// What a request is, first; then what becomes of its body.
    async fn change_request(&self, exchange: &mut Exchange) -> Result<Flow, Problem> {
        if self.plan.transforms_requests
            && let answer @ Flow::Answer(_) = self.transform_request(exchange).await?
        {
            return Ok(answer);
        }
        if self.plan.filters_requests {
            self.filter_request(exchange).await?;
        }
        Ok(Flow::Proceed)
    }

    async fn change_response(&self, exchange: &mut Exchange, response: &mut Response) -> Result<(), Problem> {
        if let Some(failure) = self.unreadable(&exchange.request.method, response) {
            let kind = match self.plan.transforms_responses {
                true => PluginKind::ResponseTransform,
                false => PluginKind::BodyFilter,
            };
            self.runtime.refused(kind, &self.stats, &failure);
            return self.forgive(&failure);
        }
        if self.plan.wholes {
            bodies::offer_no_parts(response.headers_mut());
        }
        if self.plan.transforms_responses {
            self.transform_response(exchange, response).await?;
        }
        if self.plan.filters_responses {
            self.filter_response(exchange, response).await?;
        }
        Ok(())
    }

    /// Asks the plugin and does what it decides. Large futures are copied where they are handed on: there is one here for the
    /// whole of it.
    async fn authorize(
        &self,
        authorizer: &Authorizer,
        keys: Option<Keys>,
        exchange: &mut Exchange,
    ) -> Result<Flow, Problem> {
        let body = self.request_body(exchange).await?;
        let view = View::of(exchange);
        let identity = authorizer.identity.of(&view);
        let values: Vec<_> = identity.values.iter().map(Option::as_deref).collect();
        let question = Authorize {
            view,
            shown: authorizer.shown(),
            needs: self.runtime.plugin().needs(),
            identity: &values,
            body: body.as_deref(),
        };
        let asked = self.runtime.call(&question, Cause::of(exchange, &self.stats)).await;
        let decision = asked.map_err(|failure| self.problem(&failure, true))?;
        authorizer.keep(&self.runtime, keys, &decision);
        authorizer.apply(self.name(), &decision, exchange)
    }

    /// The request's body, if the plugin is given it; the exchange keeps it.
    async fn request_body(&self, exchange: &mut Exchange) -> Result<Option<Bytes>, Problem> {
        if !self.runtime.plugin().needs().request_body || !self.is_given(exchange)? {
            return Ok(None);
        }
        // How long a client may take to send is for its listener to say.
        let began = Instant::now();
        let body = collect(&mut exchange.body, &self.plan.requests, self.plan.body_bytes).await;
        exchange.deadline += began.elapsed();
        body.map_err(|error| match error {
            CollectError::TooLarge => Problem::new(ProblemKind::RequestTooLarge).with_cause(self.too_large()),
            CollectError::Body(error) => error.0,
        })
    }

    /// Whether the plugin is given the request's body, as far as the head says.
    ///
    /// # Errors
    /// When the body is in a state that the plugin must not be given: the client's to mend.
    fn is_given(&self, exchange: &Exchange) -> Result<bool, Problem> {
        let (rule, headers) = (&self.plan.requests, &exchange.request.headers);
        if !exchange.body.is_empty() && rule.whole && !rule.is_nothing() && bodies::is_part(headers) {
            let problem =
                Problem::new(ProblemKind::BadRequest).with_detail("The body must not be a part of a representation");
            return Err(problem.with_cause(format!("plugin `{}` is given whole bodies only", self.name())));
        }
        let given = rule.gives(headers, exchange.body.size_hint().exact());
        if given && !exchange.body.is_empty() && rule.plain && bodies::is_coded(headers) {
            let problem = Problem::new(ProblemKind::UnsupportedMediaType).with_header(ACCEPT_ENCODING, IDENTITY);
            let cause = format!(
                "plugin `{}`: the body has a content coding; put `decompress` before it",
                self.name()
            );
            return Err(problem.with_cause(cause));
        }
        Ok(given)
    }

    /// Why the plugin must not be given this response.
    fn unreadable(&self, method: &Method, response: &Response) -> Option<Failure> {
        let Plan {
            wholes,
            plains,
            responses,
            ..
        } = &self.plan;
        if *wholes && bodies::is_part_of_response(response.status(), response.headers()) {
            let status = response.status().as_u16();
            return Some(Failure::Message(format!(
                "the response ({status}) is a part of a representation, and the plugin is given whole ones only"
            )));
        }
        let headers = response.headers();
        let announced = response.body().size_hint().exact();
        let bodiless = has_no_body(method, response.status());
        if *plains && !bodiless && bodies::is_coded(headers) && responses.gives(headers, announced) {
            let text = "the response has a content coding, and the plugin is given bodies without one only";
            return Some(Failure::Message(text.to_owned()));
        }
        None
    }

    fn too_large(&self) -> String {
        format!(
            "plugin `{}`: the body has more than the {} that `body` of its use allows",
            self.name(),
            ByteSize(self.plan.body_bytes)
        )
    }

    /// What a failure means here, where it is not passed over.
    fn problem(&self, failure: &Failure, authorizer: bool) -> Problem {
        with_status(failure.problem(self.name(), authorizer), self.plan.on_fault)
    }

    /// Whether the exchange goes on as if the stage were not there.
    fn forgive(&self, failure: &Failure) -> Result<(), Problem> {
        if self.plan.on_fault != OnFault::Skip || matches!(failure, Failure::ExchangeOver) {
            return Err(self.problem(failure, false));
        }
        self.stats.skipped();
        self.runtime.plugin().note_skipped(failure);
        Ok(())
    }
}

/// A problem with the status that a use of a plugin gives to all of its failures, if it does.
pub(crate) fn with_status(problem: Problem, on_fault: OnFault) -> Problem {
    match on_fault {
        OnFault::Status(status) => match StatusCode::from_u16(status) {
            Ok(status) => problem.with_status(status),
            Err(_) => problem,
        },
        OnFault::Deny | OnFault::Skip => problem,
    }
}

/// All of a body, which stays where it is; none when it is longer than those that are given.
async fn collect(body: &mut Body, given: &GivenBodies, limit: u64) -> Result<Option<Bytes>, CollectError> {
    if let Some(longest) = given.longest().filter(|longest| *longest <= limit) {
        let Start { bytes, complete } = body.read_start(longest).await.map_err(CollectError::Body)?;
        return Ok(complete.then_some(bytes));
    }
    let bytes = body.take().collect(limit).await?;
    *body = Body::full(bytes.clone());
    Ok(Some(bytes))
}

impl<'a> Cause<'a> {
    /// The exchange as a cause.
    pub(crate) fn of(exchange: &'a Exchange, stats: &'a RouteStats) -> Self {
        Self {
            exchange: exchange.id,
            deadline: exchange.deadline,
            stats,
            explanation: exchange.record.explanation.as_deref(),
            headers: &exchange.request.headers,
        }
    }
}
