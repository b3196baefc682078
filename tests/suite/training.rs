//! The load that a release is built by: `cargo xtask release` counts what the gateway does under it, and the compiler lays the
//! program out for that. What is here often is made fast, so it is what gateways do most, in all the ways they do it.
//!
//! Among the tests it is run once and shortly, so that it stays a load that the gateway can serve.

use std::sync::Arc;

use futures_util::future::join_all;
use gatewright_tests::guests::bench_guest;
use gatewright_tests::raw_client::request;
use gatewright_tests::tokens::{jwks, seconds_from_now};
use gatewright_tests::{
    Certificates, H2Client, RawClient, RawOrigin, Signal, Signer, TestFiles, TestProcess, block_on, empty,
};
use rustls::ClientConfig;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How many rounds are driven, in the environment; one where it is not said.
const ROUNDS: &str = "GATEWRIGHT_TRAINING_ROUNDS";
/// Requests in flight, as many connections or streams.
const IN_FLIGHT: usize = 64;
const SMALL: usize = 1 << 10;
const LARGE: usize = 1 << 20;

/// Fields of a browser, for who has more to say than a benchmark.
const BROWSER: &str = "user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    accept: application/json, text/plain, */*\r\n\
    accept-language: en-GB,en;q=0.7,de;q=0.3\r\n\
    accept-encoding: gzip, deflate, br, zstd\r\n\
    referer: https://app.example.com/orders\r\n\
    origin: https://app.example.com\r\n\
    cookie: theme=dark; session=9f86d081884c7d659a2feaa0c55ad015\r\n\
    sec-fetch-dest: empty\r\nsec-fetch-mode: cors\r\nsec-fetch-site: same-site\r\n\
    connection: keep-alive\r\n";

/// Requests of one sort.
struct Sort {
    /// So many times in a round.
    share: usize,
    bytes: Vec<u8>,
    status: u16,
}

#[test]
fn the_load_that_a_release_is_built_by_is_served() {
    let rounds = std::env::var(ROUNDS).map_or(1, |rounds| rounds.parse().expect(ROUNDS));
    let (origin, certificates) = (RawOrigin::start(answer), Certificates::new());
    let signer = Signer::new("RS256", "training");
    let mut gateway = start(&origin, &certificates, &signer);
    let sorts = sorts(&signer);
    let (h1, h2) = (
        certificates.client(&["http/1.1"]),
        certificates.client(&["h2", "http/1.1"]),
    );
    let (address, secure) = (gateway.addr("public"), gateway.addr("secure"));
    let mut kept: Vec<_> = (0..IN_FLIGHT).map(|_| RawClient::connect(address)).collect();
    let mut kept_secure: Vec<_> = (0..IN_FLIGHT).map(|_| connect_tls(secure, &h1)).collect();
    let streams: Vec<_> = (0..8).map(|_| H2Client::connect(address)).collect();
    let secure_streams: Vec<_> = (0..8)
        .map(|_| H2Client::connect_tls(secure, Arc::clone(&h2)).unwrap())
        .collect();
    for round in 0..rounds {
        if round % 10 == 0 {
            println!("round {round} of {rounds}");
        }
        for sort in &sorts {
            for _ in 0..sort.share {
                turn(&mut kept, sort);
            }
        }
        let plain = &sorts[0];
        for _ in 0..3 {
            turn(&mut kept_secure, plain);
            turn_of_streams(&streams);
            turn_of_streams(&secure_streams);
        }
        let mut new: Vec<_> = (0..8).map(|_| RawClient::connect(address)).collect();
        turn(&mut new, plain);
        let mut new: Vec<_> = (0..8).map(|_| connect_tls(secure, &h1)).collect();
        turn(&mut new, plain);
    }
    // What was counted is written when the process ends by itself.
    gateway.signal(Signal::TERM);
    assert!(gateway.wait().success(), "{}", gateway.stderr());
}

/// One request on each connection, all of them under way before the first response is read.
fn turn(connections: &mut [RawClient], sort: &Sort) {
    for connection in &mut *connections {
        connection.send(&sort.bytes);
    }
    for connection in connections {
        let response = connection.read_response();
        assert_eq!(
            response.status,
            sort.status,
            "{}",
            String::from_utf8_lossy(&sort.bytes[..200.min(sort.bytes.len())])
        );
    }
}

fn turn_of_streams(connections: &[H2Client]) {
    let streams = (0..IN_FLIGHT).map(|number| {
        let mut connection = connections[number % connections.len()].clone();
        async move {
            let request = http::Request::get(format!("http://localhost/plain/{number}"));
            connection.send_async(request.body(empty()).unwrap()).await.unwrap()
        }
    });
    for response in block_on(join_all(streams)) {
        assert_eq!((response.status.as_u16(), response.body.len()), (200, SMALL));
    }
}

fn connect_tls(address: std::net::SocketAddr, config: &Arc<ClientConfig>) -> RawClient {
    RawClient::connect_tls(address, Arc::clone(config)).expect("a handshake")
}

fn sorts(signer: &Signer) -> Vec<Sort> {
    let claims =
        json!({ "iss": "https://idp.example.com", "aud": "api", "sub": "training", "exp": seconds_from_now(36_000) });
    let token = format!("Bearer {}", signer.token(&claims));
    let get = |share, path: &str, fields: &[(&str, &str)], status| Sort {
        share,
        bytes: request("GET", path, fields, b""),
        status,
    };
    let browser = |share, path: &str, fields: &str| Sort {
        share,
        bytes: format!("GET {path} HTTP/1.1\r\nhost: api.example.com\r\n{BROWSER}{fields}\r\n").into_bytes(),
        status: 200,
    };
    let json = ("content-type", "application/json");
    let secret = ("authorization", "Bearer secret");
    vec![
        get(6, "/plain/1k", &[], 200),
        browser(3, "/plain/orders?page=2&sort=-created%20at", ""),
        get(3, "/key/1k", &[("x-api-key", "training")], 200),
        get(3, "/throttle/1k", &[], 200),
        get(4, "/cache/1k", &[], 200),
        browser(2, "/cache/orders?page=2", ""),
        browser(3, "/token/orders", &format!("authorization: {token}\r\n")),
        get(3, "/fresh/1k", &[secret], 200),
        get(3, "/used/1k", &[secret], 200),
        get(2, "/guest/1k", &[secret], 200),
        get(1, "/respond", &[], 204),
        get(1, "/nothing/is/here", &[], 404),
        get(1, "/key/1k", &[("x-api-key", "wrong")], 403),
        Sort {
            share: 1,
            bytes: request("POST", "/plain/orders", &[json], br#"{"item":"book","count":2}"#),
            status: 200,
        },
        // Bodies that come and go in many pieces.
        Sort {
            share: 1,
            bytes: request("PUT", "/plain/upload", &[], &vec![b'x'; LARGE / 16]),
            status: 200,
        },
        get(1, "/plain/large", &[], 200),
    ]
}

fn start(origin: &RawOrigin, certificates: &Certificates, signer: &Signer) -> TestProcess {
    let files = TestFiles::default()
        .with("jwks.json", jwks([signer]))
        // SHA-256 of `training`.
        .with(
            "keys.toml",
            "[[key]]\nname = \"training\"\nsha256 = \"c2fb788c7deedbeaa296e424d4c2921b871a4f6cb4cf393c1c1105653ab399b4\"\n",
        )
        .with("plugins/fresh.wasm", bench_guest("bearer"))
        .with("plugins/used.wasm", bench_guest("bearer"))
        .with("plugins/guest.wasm", bench_guest("responds"));
    let route = |name: &str, chain: &str| {
        format!(
            "[[route]]\nname = \"{name}\"\npath = \"/{name}/{{rest+}}\"\nchain = [{chain}]\n\
             integration = {{ http = \"app\", headers = {{ x-principal = \"{{auth.principal}}\" }} }}\n"
        )
    };
    let config = [
        format!(
            r#"
            [server]
            workers = 1
            drain_timeout = "2s"

            [listener.public]
            address = "127.0.0.1:0"

            [listener.secure]
            address = "127.0.0.1:0"
            tls = {{ certificate = "{}", key = "{}" }}

            [plugins]
            directory = "plugins"
            # A program that counts, on a machine that has other things to do, is no reason to refuse anybody.
            [plugin.fresh]
            time = "30s"
            cpu = "10s"
            queue_timeout = "30s"
            [plugin.used]
            instances = {{ reuse = 100000 }}
            time = "30s"
            cpu = "10s"
            queue_timeout = "30s"
            [plugin.guest]
            instances = {{ reuse = 100000 }}
            time = "30s"
            cpu = "10s"
            queue_timeout = "30s"

            [upstream.app]
            targets = [{{ url = "http://{}" }}]

            [[route]]
            name = "respond"
            path = "/respond"
            integration = {{ respond = 204 }}

            [[route]]
            name = "guest"
            path = "/guest/{{rest+}}"
            integration = {{ plugin = "guest" }}
            "#,
            certificates.path("server.pem"),
            certificates.path("server.key"),
            origin.addr(),
        ),
        route("plain", ""),
        route("key", r#"{ use = "api-key", keys = "keys.toml" }"#),
        route(
            "throttle",
            r#"{ use = "throttle", rate = "1000000/s", burst = 1000000, by = "client" }"#,
        ),
        route("cache", r#"{ use = "cache" }"#),
        route(
            "token",
            r#"{ use = "cors", origins = ["https://app.example.com"] },
               { use = "jwt", issuer = "https://idp.example.com", jwks = "file:jwks.json", audiences = ["api"] },
               { use = "headers", request = { set = { x-user = "{auth.principal}" }, remove = ["cookie"] } }"#,
        ),
        route("fresh", r#"{ plugin = "fresh" }"#),
        route("used", r#"{ plugin = "used" }"#),
    ];
    TestProcess::start_in(files, &config.concat(), &[]).unwrap_or_else(|error| panic!("{error}"))
}

/// An upstream that keeps its connections, and does as little else as it can.
async fn answer(mut socket: TcpStream) {
    let large = [response(LARGE, ""), vec![b'x'; LARGE]].concat();
    let small = [
        response(SMALL, "cache-control: public, max-age=600\r\n"),
        vec![b'x'; SMALL],
    ]
    .concat();
    let mut received = Vec::new();
    loop {
        let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else {
            match socket.read_buf(&mut received).await {
                Ok(1..) => continue,
                _ => return,
            }
        };
        let head = String::from_utf8_lossy(&received[..end]).to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let whole = end + 4 + length.unwrap_or(0);
        while received.len() < whole {
            match socket.read_buf(&mut received).await {
                Ok(1..) => {}
                _ => return,
            }
        }
        received.drain(..whole);
        let bytes = if head.starts_with("get /plain/large") {
            &large
        } else {
            &small
        };
        if socket.write_all(bytes).await.is_err() {
            return;
        }
    }
}

fn response(length: usize, fields: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{fields}\r\n")
        .into_bytes()
}
