//! The `throttle` stage end to end: who has spent what, and what a client is told.

use gatewright_tests::raw_client::RawClient;
use gatewright_tests::{Origin, RawResponse, TestFiles, TestGateway, http};
use sha2::{Digest as _, Sha256};

/// Two requests at once and then hardly ever another.
fn gateway(chain: &str, listener: &str, origin: &Origin) -> TestGateway {
    let entry = |name: &str| {
        let hash: String = Sha256::digest(name).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("[[key]]\nname = \"{name}\"\nsha256 = \"{hash}\"\n")
    };
    TestFiles::default()
        .with("keys.toml", entry("a") + &entry("b"))
        .start(&format!(
            r#"
        [listener.public]
        address = "127.0.0.1:0"
        {listener}

        [upstream.app]
        targets = [{{ url = "{}" }}]

        [[route]]
        name = "one"
        path = "/one"
        chain = [{chain}]
        integration = {{ http = "app" }}

        [[route]]
        name = "two"
        path = "/two"
        chain = [{chain}]
        integration = {{ http = "app" }}
        "#,
            origin.url()
        ))
}

fn throttle(by: &str) -> String {
    format!("{{ use = \"throttle\", rate = \"1/m\", burst = 2, by = \"{by}\" }}")
}

fn number(response: &RawResponse, name: &str) -> u64 {
    response
        .header(name)
        .unwrap_or_else(|| panic!("no {name}: {response:?}"))
        .parse()
        .unwrap()
}

#[test]
fn a_bucket_that_is_empty_is_429_with_the_time_to_come_back() {
    let origin = Origin::saying("hello");
    let gateway = gateway(&throttle("route"), "", &origin);
    let addr = gateway.addr("public");
    for left in [1, 0] {
        let response = http(addr, "GET", "/one", &[], b"");
        assert_eq!(response.status, 200);
        assert_eq!(
            (
                number(&response, "ratelimit-limit"),
                number(&response, "ratelimit-remaining")
            ),
            (2, left)
        );
        assert!(
            (1..=120).contains(&number(&response, "ratelimit-reset")),
            "{response:?}"
        );
    }
    let refused = http(addr, "GET", "/one", &[], b"");
    assert_eq!((refused.status, refused.error()), (429, Some("THROTTLED")));
    assert!((1..=60).contains(&number(&refused, "retry-after")), "{refused:?}");
    assert_eq!(
        (
            number(&refused, "ratelimit-limit"),
            number(&refused, "ratelimit-remaining")
        ),
        (2, 0)
    );
    assert_eq!(
        http(addr, "GET", "/two", &[], b"").status,
        200,
        "another route has a bucket of its own"
    );
    assert_eq!(origin.hits(), 3);
    let records = gateway.wait_for_records(4);
    assert_eq!(
        (records[2]["answered_by"].as_str(), records[2]["outcome"].as_str()),
        (Some("throttle"), Some("refused"))
    );
}

#[test]
fn a_throttled_connection_can_be_used_again() {
    let origin = Origin::saying("hello");
    let gateway = gateway(&throttle("route"), "", &origin);
    let mut client = RawClient::connect(gateway.addr("public"));
    let statuses: Vec<_> = (0..5)
        .map(|_| client.request("POST", "/one", &[], b"body").status)
        .collect();
    assert_eq!(statuses, [200, 200, 429, 429, 429]);
    assert_eq!(client.request("GET", "/two", &[], b"").status, 200);
}

/// How many of four requests pass.
fn passing(gateway: &TestGateway, headers: &[(&str, &str)]) -> usize {
    let statuses = (0..4).map(|_| http(gateway.addr("public"), "GET", "/one", headers, b"").status);
    statuses.filter(|status| *status == 200).count()
}

#[test]
fn a_bucket_by_header_is_each_values_own_and_leaving_it_out_is_no_way_around() {
    let origin = Origin::saying("hello");
    let gateway = gateway(&throttle("header:x-tenant"), "", &origin);
    assert_eq!(passing(&gateway, &[("X-Tenant", "a")]), 2);
    assert_eq!(passing(&gateway, &[("X-Tenant", "b")]), 2);
    assert_eq!(passing(&gateway, &[("X-Tenant", "a")]), 0);
    assert_eq!(
        passing(&gateway, &[]),
        2,
        "without the header it is the client's address that counts"
    );
    assert_eq!(passing(&gateway, &[]), 0);
}

#[test]
fn a_bucket_by_client_is_each_addresss_own_as_far_as_it_is_believed() {
    let origin = Origin::saying("hello");
    let stranger = gateway(&throttle("client"), "", &origin);
    assert_eq!(passing(&stranger, &[("X-Forwarded-For", "203.0.113.1")]), 2);
    assert_eq!(
        passing(&stranger, &[("X-Forwarded-For", "203.0.113.2")]),
        0,
        "a forged address is no way around"
    );
    let behind_a_proxy = gateway(&throttle("client"), "trusted_proxies = [\"127.0.0.1\"]", &origin);
    assert_eq!(passing(&behind_a_proxy, &[("X-Forwarded-For", "203.0.113.1")]), 2);
    assert_eq!(passing(&behind_a_proxy, &[("X-Forwarded-For", "203.0.113.2")]), 2);
    assert_eq!(passing(&behind_a_proxy, &[("X-Forwarded-For", "203.0.113.1")]), 0);
}

#[test]
fn a_bucket_by_api_key_is_each_keys_own() {
    let origin = Origin::saying("hello");
    let chain = format!(
        "{{ use = \"api-key\", keys = \"keys.toml\", header = \"x-api-key\" }}, {}",
        throttle("api-key")
    );
    let gateway = gateway(&chain, "", &origin);
    assert_eq!(passing(&gateway, &[("X-API-Key", "a")]), 2);
    assert_eq!(passing(&gateway, &[("X-API-Key", "b")]), 2);
    assert_eq!(passing(&gateway, &[("X-API-Key", "a")]), 0);
}

#[test]
fn a_refusal_by_an_earlier_stage_costs_nothing() {
    let origin = Origin::saying("hello");
    let chain = format!(
        "{{ use = \"api-key\", keys = \"keys.toml\", header = \"x-api-key\" }}, {}",
        throttle("route")
    );
    let gateway = gateway(&chain, "", &origin);
    assert_eq!(passing(&gateway, &[("X-API-Key", "wrong")]), 0);
    assert_eq!(passing(&gateway, &[("X-API-Key", "a")]), 2);
}
