//! A candidate that is asked beside the version that serves. Nobody waits for it, and nobody sees what it answers: it gets
//! a copy of the exchange, without the body, after the version that serves has answered.

use std::borrow::Cow;
use std::sync::Arc;

use gatewright_core::{
    AccessRecord, Attributes, Body, Exchange, Flow, Problem, Recorder, Request, Response, Stage, Step, Value,
};
use http::HeaderMap;
use tokio::sync::Semaphore;

use super::probation::{Compared, Probation};

/// A stage with a shadow.
pub struct ShadowStage {
    serving: Arc<dyn Stage>,
    candidate: Arc<dyn Stage>,
    probation: Arc<Probation>,
    /// Calls of the shadow that may be under way: a busy machine leaves it out.
    places: Arc<Semaphore>,
}

impl ShadowStage {
    /// Of the version that serves and the one on trial.
    pub fn new(serving: Arc<dyn Stage>, candidate: Arc<dyn Stage>, probation: Arc<Probation>) -> Self {
        let places = Arc::new(Semaphore::new(
            probation.rules().concurrency.min(Semaphore::MAX_PERMITS),
        ));
        Self {
            serving,
            candidate,
            probation,
            places,
        }
    }
}

impl Stage for ShadowStage {
    fn name(&self) -> &str {
        self.serving.name()
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        if !self.probation.has(exchange) {
            return self.serving.on_request(exchange);
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            self.probation.left_out();
            return self.serving.on_request(exchange);
        };
        let mut beside = copy(exchange);
        Step::waiting(async move {
            let result = self.serving.on_request(exchange).await;
            let serving = Answered::of(&result, exchange);
            let (candidate, probation) = (Arc::clone(&self.candidate), Arc::clone(&self.probation));
            tokio::spawn(async move {
                let result = candidate.on_request(&mut beside).await;
                let answered = Answered::of(&result, &mut beside);
                probation.compared(serving.compare(&answered), &serving.decision, &answered.decision);
                drop(place);
            });
            result
        })
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        response: &'a mut Response,
    ) -> Step<'a, Result<(), Problem>> {
        self.serving.on_response(exchange, response)
    }

    fn sees_responses(&self) -> bool {
        self.serving.sees_responses()
    }
}

/// What a version made of an exchange.
struct Answered {
    /// `proceed`, `answer 403`, `problem AUTHORIZER_FAILURE`.
    decision: String,
    request: Request,
    attributes: Attributes,
}

impl Answered {
    fn of(result: &Result<Flow, Problem>, exchange: &mut Exchange) -> Self {
        Self {
            decision: match result {
                Ok(Flow::Proceed) => "proceed".to_owned(),
                Ok(Flow::Answer(response)) => format!("answer {}", response.status().as_u16()),
                Err(problem) => format!("problem {}", problem.kind().code()),
            },
            request: exchange.request.clone(),
            attributes: exchange.attributes.clone(),
        }
    }

    fn compare(&self, other: &Self) -> Compared {
        let head = |request: &Request| {
            (
                request.method.clone(),
                request.target.clone(),
                request.authority.clone(),
                request.headers.clone(),
            )
        };
        let attributes = |attributes: &Attributes| {
            let mut known: Vec<(String, Value)> = attributes
                .iter()
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect();
            known.sort_by(|(one, _), (other, _)| one.cmp(other));
            known
        };
        let principal = |answered: &Self| answered.attributes.get("auth.principal").map(Cow::into_owned);
        if self.decision != other.decision || principal(self) != principal(other) {
            Compared::OtherDecision
        } else if head(&self.request) != head(&other.request)
            || attributes(&self.attributes) != attributes(&other.attributes)
        {
            Compared::OtherEdits
        } else {
            Compared::Same
        }
    }
}

struct Nowhere;

impl Recorder for Nowhere {
    fn record(&self, _: &AccessRecord) {}
}

/// The exchange as it is, without what is there once: its body and its record.
fn copy(exchange: &Exchange) -> Exchange {
    let Exchange {
        id,
        now,
        deadline,
        client,
        request,
        body: _,
        route,
        parameters,
        attributes,
        for_response: _,
        rate_limit,
        interim: _,
        record,
    } = exchange;
    let mut copied = AccessRecord::new(
        *id,
        Arc::clone(&record.listener),
        client.clone(),
        request.method.clone(),
        request.version,
        Arc::new(Nowhere),
    );
    copied.principal.clone_from(&record.principal);
    Exchange {
        id: *id,
        now: *now,
        deadline: *deadline,
        client: client.clone(),
        request: request.clone(),
        body: Body::empty(),
        route: Arc::clone(route),
        parameters: parameters.clone(),
        attributes: attributes.clone(),
        for_response: HeaderMap::new(),
        rate_limit: *rate_limit,
        interim: None,
        record: copied,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gatewright_config::cases::parse_cases;
    use gatewright_config::{CandidateConfig, CandidateMode, CandidateShare};
    use http::{HeaderValue, StatusCode};
    use tokio::sync::Notify;

    use super::*;
    use crate::telemetry::Metrics;

    /// Lets pass and marks the request, with 403 instead, or once it is told to.
    enum Fake {
        Marks,
        Denies,
        Waits(Arc<Notify>),
    }

    impl Stage for Fake {
        fn name(&self) -> &str {
            "fake"
        }

        fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
            Step::waiting(async move {
                match self {
                    Self::Marks => {}
                    Self::Denies => {
                        let mut response = Response::new(Body::empty());
                        *response.status_mut() = StatusCode::FORBIDDEN;
                        exchange
                            .request
                            .headers
                            .insert("x-denied", HeaderValue::from_static("yes"));
                        return Ok(Flow::Answer(Box::new(response)));
                    }
                    Self::Waits(told) => told.notified().await,
                }
                exchange
                    .request
                    .headers
                    .insert("x-mark", HeaderValue::from_static("yes"));
                Ok(Flow::Proceed)
            })
        }
    }

    fn shadowed(candidate: Fake) -> ShadowStage {
        let rules = CandidateConfig {
            mode: CandidateMode::Shadow,
            percent: 100,
            by: CandidateShare::Request,
            failures: 0,
            slow_after: None,
            slow: 10,
            differences: None,
            concurrency: 1,
        };
        let numbers = Metrics::default().candidate(&"a".into());
        let probation = Probation::new("a", "new", "old", &rules, numbers);
        ShadowStage::new(Arc::new(Fake::Marks), Arc::new(candidate), Arc::new(probation))
    }

    async fn ask(stage: &ShadowStage) -> Exchange {
        let cases = parse_cases("[[case]]\nname = \"a\"\n", Path::new("cases.toml")).unwrap();
        let mut exchange = crate::trial::exchange(&cases.cases[0]);
        let flow = stage.on_request(&mut exchange).await.unwrap();
        assert!(matches!(flow, Flow::Proceed));
        exchange
    }

    /// Until the shadow has nothing under way.
    async fn rest(stage: &ShadowStage) {
        drop(stage.places.acquire().await.unwrap());
    }

    #[tokio::test]
    async fn what_a_shadow_does_to_its_exchange_is_seen_by_nobody() {
        let stage = shadowed(Fake::Denies);
        let exchange = ask(&stage).await;
        rest(&stage).await;
        assert!(exchange.request.headers.contains_key("x-mark") && !exchange.request.headers.contains_key("x-denied"));
        assert_eq!(stage.probation.status()["other_decision"], 1);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_shadow_and_more_than_may_be_under_way_are_left_out() {
        let told = Arc::new(Notify::new());
        let stage = shadowed(Fake::Waits(Arc::clone(&told)));
        for _ in 0..3 {
            assert!(ask(&stage).await.request.headers.contains_key("x-mark"));
        }
        let status = stage.probation.status();
        assert_eq!(
            (&status["same"], &status["left_out"]),
            (&0.into(), &2.into()),
            "{status:#}"
        );
        told.notify_one();
        rest(&stage).await;
        assert_eq!(stage.probation.status()["same"], 1);
    }
}
