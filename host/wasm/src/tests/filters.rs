//! Bodies that go through a plugin.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use gatewright_config::ByteSize;
use gatewright_config::gateway::{IdentitySource, InstancePolicy, OnFault, PluginConfig, PluginStageConfig};
use gatewright_core::body::CollectError;
use gatewright_core::{Body, BodyError, Exchange, Problem, ProblemKind, Response, Stage};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body::{Body as HttpBody, Frame};
use serde_json::json;

use crate::Plugin;
use crate::testing::{exchange, exchange_with, fail, guest, host, pass, stage, try_stage};

/// A sender that counts how often it was asked for a frame.
struct Sender {
    frames: VecDeque<Result<Frame<Bytes>, BodyError>>,
    asked: Arc<AtomicUsize>,
}

impl HttpBody for Sender {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(self.frames.pop_front())
    }
}

fn sender(chunks: &[&[u8]]) -> (Body, Arc<AtomicUsize>) {
    let asked = Arc::<AtomicUsize>::default();
    let frames = chunks
        .iter()
        .map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk))));
    let sender = Sender {
        frames: frames.collect(),
        asked: Arc::clone(&asked),
    };
    (Body::stream(sender), asked)
}

/// The guest under a name that no other test has: instances are counted by name.
async fn plugin(name: &str, change: impl FnOnce(&mut PluginConfig)) -> Arc<Plugin> {
    let mut config = PluginConfig {
        time: Duration::from_secs(5),
        ..PluginConfig::default()
    };
    change(&mut config);
    host().load(name, &guest("filters-body"), &config).await.unwrap()
}

async fn filters(plugin: &Arc<Plugin>, mode: &str, change: impl FnOnce(&mut PluginStageConfig)) -> Arc<dyn Stage> {
    let set = |config: &mut PluginStageConfig| {
        config.config = json!({ "mode": mode });
        change(config);
    };
    stage(plugin, set).await
}

/// A request with such a body, after the stage let it pass.
async fn sent(stage: &Arc<dyn Stage>, chunks: &[&[u8]]) -> Exchange {
    let mut exchange = exchange_with(&[("content-length", "5")]);
    exchange.body = sender(chunks).0;
    pass(stage, &mut exchange).await;
    exchange
}

/// What comes out of a body, or why it breaks off.
async fn out(body: &mut Body) -> Result<Bytes, Problem> {
    body.take().collect(u64::MAX).await.map_err(|error| match error {
        CollectError::Body(error) => error.0,
        CollectError::TooLarge => panic!("no limit"),
    })
}

async fn frame(body: &mut Body) -> Option<Result<Frame<Bytes>, BodyError>> {
    std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await
}

#[tokio::test]
async fn bodies_of_requests_and_responses_go_through_chunk_by_chunk() {
    let plugin = plugin("chunk-by-chunk", |_| {}).await;
    let stage = filters(&plugin, "", |_| {}).await;
    let mut exchange = sent(&stage, &[b"he", b"", b"llo"]).await;
    assert!(!exchange.request.headers.contains_key("content-length"));
    assert_eq!(
        frame(&mut exchange.body).await.unwrap().unwrap().into_data().unwrap(),
        "HE"
    );
    assert_eq!(out(&mut exchange.body).await.unwrap(), "LLO");

    assert!(stage.sees_responses());
    let mut response = Response::new(Body::full("world"));
    response
        .headers_mut()
        .insert("content-length", HeaderValue::from_static("5"));
    stage.on_response(&mut exchange, &mut response).await.unwrap();
    assert!(!response.headers().contains_key("content-length"));
    assert_eq!(out(response.body_mut()).await.unwrap(), "WORLD");
}

#[tokio::test]
async fn a_chunk_is_never_empty_and_never_longer_than_64_kib() {
    let plugin = plugin("longest", |_| {}).await;
    let stage = filters(&plugin, "lengths", |_| {}).await;
    let long = vec![b'x'; (64 << 10) * 2 + 1];
    let mut exchange = sent(&stage, &[b"", &long, b"", b"ab"]).await;
    assert_eq!(out(&mut exchange.body).await.unwrap(), "65536\n65536\n1\n2\n");
}

#[tokio::test]
async fn a_filter_may_keep_everything_until_the_end_and_trailers_come_after_that() {
    let plugin = plugin("trailers", |_| {}).await;
    let stage = filters(&plugin, "collect", |_| {}).await;
    let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from_static("7"))]);
    let mut exchange = exchange();
    exchange.body = Body::stream(Sender {
        frames: VecDeque::from([
            Ok(Frame::data(Bytes::from("abc"))),
            Ok(Frame::trailers(trailers.clone())),
        ]),
        asked: Arc::default(),
    });
    pass(&stage, &mut exchange).await;
    assert_eq!(
        frame(&mut exchange.body).await.unwrap().unwrap().into_data().unwrap(),
        "abc"
    );
    assert!(!exchange.body.is_empty());
    let last = frame(&mut exchange.body).await.unwrap().unwrap();
    assert_eq!(last.into_trailers().unwrap(), trailers);
    assert!(frame(&mut exchange.body).await.is_none());
}

#[tokio::test]
async fn a_body_that_is_not_interesting_stays_as_it_is() {
    let plugin = plugin("bypass", |_| {}).await;
    let stage = filters(&plugin, "bypass", |_| {}).await;
    let mut exchange = sent(&stage, &[b"hello"]).await;
    assert_eq!(exchange.request.headers.get("content-length").unwrap(), "5");
    assert_eq!(out(&mut exchange.body).await.unwrap(), "hello");
    assert_eq!(plugin.runtime_stats().instances, 0);
}

#[tokio::test]
async fn what_has_no_body_is_not_filtered() {
    let plugin = plugin("no-body", |_| {}).await;
    // It would fail.
    let stage = filters(&plugin, "open-trap", |_| {}).await;
    let mut exchange = exchange();
    pass(&stage, &mut exchange).await;
    for (method, status) in [
        (Method::GET, 204),
        (Method::HEAD, 200),
        (Method::GET, 304),
        (Method::GET, 200),
    ] {
        exchange.request.method = method;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response
            .headers_mut()
            .insert("content-length", HeaderValue::from_static("5"));
        stage.on_response(&mut exchange, &mut response).await.unwrap();
        // Of a body that would have been filtered nobody knows the length.
        let empty = (&exchange.request.method, status) == (&Method::GET, 200);
        assert_eq!(response.headers().contains_key("content-length"), empty, "{status}");
    }
}

#[tokio::test]
async fn nothing_is_asked_of_the_sender_before_somebody_wants_what_comes_out() {
    let plugin = plugin("pulled", |_| {}).await;
    let stage = filters(&plugin, "", |_| {}).await;
    let mut exchange = exchange();
    let (body, asked) = sender(&[b"a", b"b", b"c"]);
    exchange.body = body;
    pass(&stage, &mut exchange).await;
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    frame(&mut exchange.body).await.unwrap().unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_filter_that_fails_in_the_middle_breaks_the_body_off() {
    use ProblemKind::{PluginFault, PluginOutputTooLarge, PluginTimeout};
    for (mode, kind, words) in [
        ("trap", PluginFault, "trapped (unreachable)"),
        ("loop", PluginTimeout, "processor time"),
        ("fault", PluginFault, "it reported `internal`"),
        ("finish-trap", PluginFault, "trapped (unreachable)"),
        ("finish-loop", PluginTimeout, "processor time"),
        ("drop-trap", PluginFault, "trapped (unreachable)"),
        ("endless", PluginOutputTooLarge, "host_call_bytes"),
        ("expand", PluginOutputTooLarge, "output_bytes"),
        (
            "triple",
            PluginOutputTooLarge,
            "more than twice what the filter was given",
        ),
        ("hoard", PluginFault, "trapped (memory)"),
    ] {
        let name = format!("broken-{mode}");
        let plugin = plugin(&name, |config| {
            config.cpu = Duration::from_millis(20);
            config.output_bytes = ByteSize(8 << 10);
        });
        let plugin = plugin.await;
        let stage = filters(&plugin, mode, |stage| stage.on_fault = OnFault::Status(509)).await;
        let chunk = vec![b'x'; 2 << 10];
        let chunks: Vec<&[u8]> = vec![&chunk; 8];
        let mut exchange = sent(&stage, &chunks).await;
        let problem = out(&mut exchange.body).await.unwrap_err();
        assert_eq!(
            (problem.kind(), problem.status().as_u16()),
            (kind, 509),
            "{mode}: {problem}"
        );
        let cause = problem.cause().unwrap();
        assert!(
            cause.contains(&format!("plugin `{name}`")) && cause.contains(words),
            "{mode}: {cause}"
        );
        assert_eq!(plugin.runtime_stats().instances, 0, "{mode}");
    }
}

#[tokio::test]
async fn a_filter_that_cannot_be_opened_is_passed_over_where_the_route_says_so() {
    for mode in ["open-fault", "open-trap"] {
        let plugin = plugin("skip", |_| {}).await;
        let stage = filters(&plugin, mode, |stage| stage.on_fault = OnFault::Skip).await;
        let mut exchange = sent(&stage, &[b"hello"]).await;
        assert_eq!(out(&mut exchange.body).await.unwrap(), "hello");
        let stage = filters(&plugin, mode, |_| {}).await;
        exchange.body = Body::full("hello");
        assert_eq!(fail(&stage, &mut exchange).await.kind(), ProblemKind::PluginFault);
    }
}

#[tokio::test]
async fn a_body_of_which_the_filter_has_seen_something_is_never_passed_over() {
    let plugin = plugin("no-skip", |_| {}).await;
    let stage = filters(&plugin, "trap", |stage| stage.on_fault = OnFault::Skip).await;
    let mut exchange = sent(&stage, &[b"a", b"b", b"c"]).await;
    assert_eq!(
        frame(&mut exchange.body).await.unwrap().unwrap().into_data().unwrap(),
        "A"
    );
    assert_eq!(
        out(&mut exchange.body).await.unwrap_err().kind(),
        ProblemKind::PluginFault
    );
}

#[tokio::test]
async fn what_the_sender_fails_with_is_passed_on_and_the_filter_is_not_finished() {
    let plugin = plugin("sender-fails", |_| {}).await;
    let stage = filters(&plugin, "collect", |_| {}).await;
    let mut exchange = exchange();
    let error = BodyError::new(ProblemKind::ClientClosed, "gone");
    exchange.body = Body::stream(Sender {
        frames: VecDeque::from([Ok(Frame::data(Bytes::from("abc"))), Err(error)]),
        asked: Arc::default(),
    });
    pass(&stage, &mut exchange).await;
    assert_eq!(
        out(&mut exchange.body).await.unwrap_err().kind(),
        ProblemKind::ClientClosed
    );
    assert_eq!(plugin.runtime_stats().instances, 0);
}

#[tokio::test]
async fn an_instance_serves_another_body_only_when_its_filter_came_to_its_end() {
    let plugin = plugin("again", |config| config.instances = InstancePolicy::Reuse(10)).await;
    let stage = filters(&plugin, "", |_| {}).await;
    let mut exchange = sent(&stage, &[b"a", b"b"]).await;
    frame(&mut exchange.body).await.unwrap().unwrap();
    let stats = plugin.runtime_stats();
    assert_eq!((stats.instances, stats.idle), (1, 0));
    exchange.body = Body::empty();
    assert_eq!(plugin.runtime_stats().instances, 0);
    for _ in 0..3 {
        let mut exchange = sent(&stage, &[b"a"]).await;
        assert_eq!(out(&mut exchange.body).await.unwrap(), "A");
        let stats = plugin.runtime_stats();
        assert_eq!((stats.instances, stats.idle), (1, 1));
    }
}

#[tokio::test]
async fn filters_have_places_of_their_own_for_each_direction_as_long_as_they_live() {
    let plugin = plugin("places", |config| {
        config.concurrency = 1;
        config.queue_timeout = Duration::ZERO;
    });
    let plugin = plugin.await;
    let stage = filters(&plugin, "", |_| {}).await;
    let mut first = sent(&stage, &[b"a", b"b"]).await;
    let mut second = exchange();
    second.body = sender(&[b"a"]).0;
    assert_eq!(fail(&stage, &mut second).await.kind(), ProblemKind::PluginSaturated);
    // The exchange that has the one place may have its response filtered too.
    let mut response = Response::new(Body::full("c"));
    stage.on_response(&mut first, &mut response).await.unwrap();
    assert_eq!(out(response.body_mut()).await.unwrap(), "C");
    assert_eq!(out(&mut first.body).await.unwrap(), "AB");
    second.body = Body::full("d");
    pass(&stage, &mut second).await;
    assert_eq!(out(&mut second.body).await.unwrap(), "D");
}

#[tokio::test]
async fn a_filter_that_fails_each_time_rests_though_its_first_chunks_go_well() {
    let plugin = plugin("rests", |_| {}).await;
    let stage = filters(&plugin, "trap", |_| {}).await;
    for _ in 0..crate::breaker::THRESHOLD {
        let mut exchange = sent(&stage, &[b"a", b"b"]).await;
        out(&mut exchange.body).await.unwrap_err();
    }
    let mut exchange = exchange();
    exchange.body = Body::full("a");
    assert_eq!(fail(&stage, &mut exchange).await.kind(), ProblemKind::PluginUnavailable);
}

#[tokio::test]
async fn a_filter_is_no_integration_and_takes_no_identity() {
    let plugin = plugin("no-integration", |_| {}).await;
    let error = try_stage(&plugin, |stage| stage.identity = vec![IdentitySource::Client])
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("`identity` is for authorizers"), "{error}");
}
