//! X9: a defect of the gateway costs one request. No configuration provokes a panic, so this puts together a gateway of
//! the same parts with an integration that does.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use gatewright::admission::Bounds;
use gatewright::chain::Chain;
use gatewright::drain;
use gatewright::forwarded::Trust;
use gatewright::gateway::{Gateway, Route, Service};
use gatewright::listener::{Settings, connection, guard::Watch, socket::Socket};
use gatewright::live::Live;
use gatewright::router::Router;
use gatewright::streams::Pace;
use gatewright::via;
use gatewright_config::Underscores;
use gatewright_core::path::Encodings;
use gatewright_core::{AccessRecord, Body, ClientAddress, Exchange, Integration, Problem, Recorder, Response, Step};
use gatewright_tests::{H2Client, RawClient, empty, runtime};
use http::Request;

/// Panics, unless it is asked for something else.
struct Defect;

impl Integration for Defect {
    fn name(&self) -> &str {
        "defect"
    }

    fn call<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Response, Problem>> {
        let path = exchange.request.path().to_owned();
        Step::waiting(async move {
            tokio::task::yield_now().await;
            assert!(path != "/panic", "this is the defect");
            Ok(Response::new(Body::full("fine")))
        })
    }
}

#[derive(Default)]
struct Records(Mutex<Vec<Option<u16>>>);

impl Recorder for Records {
    fn record(&self, record: &AccessRecord) {
        self.0.lock().unwrap().push(record.status);
    }
}

/// Serves on one thread, as a worker does.
fn serve() -> (SocketAddr, Arc<Records>) {
    let text = "[listener.public]\naddress = \"127.0.0.1:0\"\n[[route]]\nname = \"all\"\npath = \"/{rest+}\"\n\
                integration = { respond = 200 }\n";
    let config = gatewright_config::parse(text, std::path::Path::new("gateway.toml")).unwrap();
    let settings = Arc::new(Settings::new("public", &config.listeners["public"]).unwrap());
    let records = Arc::<Records>::default();
    let service = Service {
        router: Router::new(config.routes.iter().enumerate()).unwrap(),
        bounds: Bounds {
            uri_bytes: 8192,
            header_count: 100,
            underscores: Underscores::Refuse,
            encodings: Encodings::default(),
            via: via::own(),
        },
        body_bytes: 1024,
        pace: Pace::new(std::time::Duration::from_secs(5), 0),
        trust: Trust::default(),
    };
    let route = Route {
        name: "all".into(),
        chain: Chain::new(Vec::new(), Arc::new(Defect)),
        timeout: std::time::Duration::from_secs(5),
        encodings: Encodings::default(),
        body_bytes: None,
        recorder: Arc::clone(&records) as Arc<dyn Recorder>,
        cors: None,
    };
    let live = Live::new(Gateway {
        listeners: vec![("public".into(), service)],
        no_route: "".into(),
        routes: vec![route],
        recorder: Arc::clone(&records) as Arc<dyn Recorder>,
        noting: None,
        explainer: None,
        generation: 1,
    });
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    runtime().spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let (_drainer, drain) = drain::new();
        while let Ok((stream, peer)) = listener.accept().await {
            let (socket, address) = (Socket::Tcp(stream), ClientAddress::Tcp(peer));
            tokio::spawn(connection::serve(
                socket,
                address,
                Arc::clone(&settings),
                live.clone(),
                drain.clone(),
                Watch::new(),
            ));
        }
    });
    (addr, records)
}

#[test]
fn x9_a_panic_costs_one_request_and_not_its_connection() {
    let (addr, records) = serve();
    let mut client = RawClient::connect(addr);
    assert_eq!(client.request("GET", "/fine", &[], b"").text(), "fine");
    let response = client.request("GET", "/panic", &[], b"");
    assert_eq!((response.status, response.error()), (500, Some("INTERNAL_ERROR")));
    assert!(!response.text().contains("defect"), "inner text: {}", response.text());
    assert_eq!(client.request("GET", "/fine", &[], b"").text(), "fine");
    let mut http2 = H2Client::connect(addr);
    let mut status = |path: &str| {
        http2
            .send(Request::get(format!("http://a{path}")).body(empty()).unwrap())
            .unwrap()
            .status
    };
    assert_eq!(
        (status("/panic"), status("/fine")),
        (http::StatusCode::INTERNAL_SERVER_ERROR, http::StatusCode::OK)
    );
    let records = records.0.lock().unwrap();
    let failed = records.iter().filter(|status| **status == Some(500)).count();
    assert_eq!(
        (records.len(), failed),
        (5, 2),
        "each request has one record, those that panicked too: {records:?}"
    );
}
