//! Where the servers are, and how one logs in there.

use gatewright_tests::redis::{PATIENT, RedisCluster, RedisServer};
use gatewright_tests::{Certificates, TestFiles, eventually};

use super::{ask, connected, counted, gateway, gateway_of};

const ONE: &str = "rate = \"1/h\", burst = 1, when_unavailable = \"closed\"";

#[test]
fn a_password_and_a_user_are_needed_where_the_server_wants_them() {
    let redis = RedisServer::start_with(&[
        "--requirepass",
        "sesame",
        "--user",
        "gate",
        "on",
        ">open",
        "~gatewright:*",
        "+@read",
        "+@write",
        "+@scripting",
        "+time",
    ]);
    let files = || {
        TestFiles::default()
            .with("password", "sesame\n")
            .with("gate", "open")
            .with("wrong", "wrong")
    };
    let start = |login: &str| gateway_of(files(), &format!("{}\n{login}", redis.keys()), ONE);
    let default = start("password = \"file:password\"\nprefix = \"default\"");
    let user = start("username = \"gate\"\npassword = \"file:gate\"");
    for gateway in [&default, &user] {
        assert_eq!([ask(gateway).status, ask(gateway).status], [200, 429]);
    }
    for wrong in [start("password = \"file:wrong\""), start("")] {
        assert_eq!(ask(&wrong).error(), Some("STATE_UNAVAILABLE"));
    }
}

#[test]
fn tls_is_checked_and_an_authority_that_did_not_sign_is_refused() {
    let (certificates, others) = (Certificates::new(), Certificates::new());
    let redis = RedisServer::start_with(&[
        "--port",
        "0",
        "--tls-port",
        "PORT",
        "--tls-auth-clients",
        "no",
        "--tls-cert-file",
        &certificates.path("server.pem"),
        "--tls-key-file",
        &certificates.path("server.key"),
        "--tls-ca-cert-file",
        &certificates.path("ca.pem"),
    ]);
    let start = |ca: &str| {
        let url = format!("rediss://localhost:{}", redis.addr().port());
        gateway(&format!("servers = [\"{url}\"]\nca = \"{ca}\"\n{PATIENT}"), ONE)
    };
    let right = start(&certificates.path("ca.pem"));
    assert_eq!([ask(&right).status, ask(&right).status], [200, 429]);
    assert_eq!(ask(&start(&others.path("ca.pem"))).error(), Some("STATE_UNAVAILABLE"));
}

#[test]
fn a_unix_socket_is_a_server_too() {
    let redis = RedisServer::start_with(&["--unixsocket", "DIRECTORY/socket"]);
    let socket = redis.dir().join("socket");
    eventually("there is a socket", || socket.exists().then_some(()));
    let gateway = gateway(&format!("servers = [\"unix:{}\"]\n{PATIENT}", socket.display()), ONE);
    assert_eq!([ask(&gateway).status, ask(&gateway).status], [200, 429]);
}

#[test]
fn s4_sentinels_lead_to_the_new_primary_after_a_failover() {
    let mut primary = RedisServer::start();
    let port = primary.addr().port().to_string();
    let replica = RedisServer::start_with(&["--replicaof", "127.0.0.1", &port]);
    eventually("the replica follows", || {
        replica
            .ask(&["INFO", "replication"])
            .contains("master_link_status:up")
            .then_some(())
    });
    let sentinel = RedisServer::sentinel("gateways", &primary);
    eventually("the sentinel knows the replica", || {
        sentinel
            .ask(&["SENTINEL", "REPLICAS", "gateways"])
            .contains("127.0.0.1")
            .then_some(())
    });
    let redis = format!("mode = \"sentinel\"\nprimary = \"gateways\"\n{}", sentinel.keys());
    let gateway = gateway(&redis, "rate = \"1/h\", burst = 2, when_unavailable = \"local\"");
    let first = ask(&gateway);
    assert_eq!((first.status, counted(&first)), (200, None));
    eventually("the replica has it", || {
        (!replica.ask(&["DBSIZE"]).starts_with(":0")).then_some(())
    });
    primary.kill();
    let after = eventually("the new primary is found", || {
        let response = ask(&gateway);
        counted(&response).is_none().then_some(response)
    });
    // It knows what the old one knew, and that one token of two was left.
    assert_eq!((after.status, after.header("ratelimit-remaining")), (200, Some("0")));
}

#[test]
fn a_cluster_keeps_each_limit_on_the_node_of_its_slot() {
    let cluster = RedisCluster::start();
    let redis = format!("mode = \"cluster\"\n{}", cluster.0[0].keys());
    let gateways: Vec<_> = (0..8)
        .map(|number| gateway(&format!("{redis}\nprefix = \"p{number}\""), ONE))
        .collect();
    for gateway in &gateways {
        assert_eq!([ask(gateway).status, ask(gateway).status], [200, 429]);
        connected(gateway);
    }
    let nodes_used = cluster.0.iter().filter(|node| !node.ask(&["DBSIZE"]).starts_with(":0"));
    assert!(nodes_used.count() > 1, "eight limits are on one node");
}
