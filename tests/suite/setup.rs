//! The gateways that many tests ask for.

use gatewright_tests::{Origin, RawClient, TestGateway};

/// A configuration of a listener `public` and these sections.
pub(crate) fn listening(sections: &str) -> String {
    format!("[listener.public]\naddress = \"127.0.0.1:0\"\n{sections}")
}

/// A configuration of a listener `public`, an upstream `app` at `url`, and these routes.
pub(crate) fn routed(url: &str, routes: &str) -> String {
    listening(&format!("[upstream.app]\ntargets = [{{ url = \"{url}\" }}]\n{routes}"))
}

/// A configuration: `listener` are further lines of `[listener.public]`, `route` of the route `all` for every path,
/// which leads to the upstream `app` at `url`.
pub(crate) fn passing_with(url: &str, listener: &str, route: &str) -> String {
    listening(&format!(
        r#"
        {listener}

        [upstream.app]
        targets = [{{ url = "{url}" }}]

        [[route]]
        name = "root"
        path = "/"
        integration = {{ http = "app" }}

        [[route]]
        name = "all"
        path = "/{{rest+}}"
        integration = {{ http = "app" }}
        {route}
        "#
    ))
}

/// A configuration that passes everything on to `url`.
pub(crate) fn passing(url: &str) -> String {
    passing_with(url, "", "")
}

/// A gateway that passes everything on to an origin that says `hello`.
pub(crate) fn hello() -> (TestGateway, Origin) {
    hello_with("")
}

/// The same, with further lines of `[listener.public]`.
pub(crate) fn hello_with(listener: &str) -> (TestGateway, Origin) {
    let origin = Origin::saying("hello");
    let gateway = TestGateway::start(&passing_with(&origin.url(), listener, ""));
    (gateway, origin)
}

/// Sends bytes on a new connection; they must be answered with one of these statuses, and the connection closed.
pub(crate) fn assert_refused(gateway: &TestGateway, bytes: &[u8], statuses: &[u16]) {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send(bytes);
    let response = client
        .try_read_response()
        .unwrap_or_else(|error| panic!("{shown:?} is not answered: {error}"));
    assert!(statuses.contains(&response.status), "{shown:?}: {response:?}");
    assert!(client.is_closed(), "{shown:?}: the connection stays open");
}

/// A good request still is served.
pub(crate) fn assert_serves(gateway: &TestGateway) {
    let response = gatewright_tests::http(gateway.addr("public"), "GET", "/after", &[], b"");
    assert_eq!((response.status, response.text().as_str()), (200, "hello"));
}
