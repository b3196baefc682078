//! Exchanges for the unit tests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use gatewright_core::{
    AccessRecord, Attributes, Body, Client, ClientAddress, Exchange, ExchangeId, Parameters, Recorder, Request,
};
use http::{HeaderMap, HeaderValue, Method, Version};

struct Nowhere;

impl Recorder for Nowhere {
    fn record(&self, _: &AccessRecord) {}
}

/// `GET /a` on route `route`, from 192.0.2.1, with ten seconds to go.
pub(crate) fn exchange() -> Exchange {
    let id = ExchangeId { process: 1, number: 2 };
    let peer = SocketAddr::from(([192, 0, 2, 1], 4711));
    let client = Client { peer: ClientAddress::Tcp(peer), address: Some(peer.ip()), tls: false };
    let recorder: Arc<dyn Recorder> = Arc::new(Nowhere);
    Exchange {
        id,
        received: SystemTime::now(),
        deadline: Instant::now() + Duration::from_secs(10),
        client: client.clone(),
        request: Request {
            method: Method::GET,
            secure: false,
            authority: HeaderValue::from_static("Api.Example:8080"),
            host: "api.example".to_owned(),
            target: "/a".parse().unwrap(),
            version: Version::HTTP_11,
            headers: HeaderMap::new(),
        },
        body: Body::empty(),
        route: "route".into(),
        parameters: Parameters::default(),
        attributes: Attributes::default(),
        rate_limit: None,
        record: AccessRecord::new(id, "listener".into(), client, Method::GET, Version::HTTP_11, recorder),
    }
}
