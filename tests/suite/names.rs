//! What header fields, bodies and the access log can say of an exchange, end to end.

use gatewright_tests::{Certificates, Origin, RawClient, TestFiles, TestGateway, http};

use crate::setup::listening;

const NAMES: [&str; 14] = [
    "client.address",
    "listener.name",
    "request.host",
    "request.id",
    "request.method",
    "request.path",
    "request.port",
    "request.query",
    "request.scheme",
    "route.name",
    "header.x-tenant",
    "query.page",
    "path.id",
    "correlation.id",
];

fn config(origin: &Origin, more: &str) -> String {
    let values = |names: &[&str]| {
        let fields = names
            .iter()
            .map(|name| format!("x-{} = \"{{{name}}}\"", name.replace('.', "-")));
        fields.collect::<Vec<_>>().join(", ")
    };
    let (request, response) = (values(&NAMES), values(&[&NAMES[..], &["response.status"]].concat()));
    listening(&format!(
        r#"
        trusted_proxies = ["127.0.0.1"]
        {more}

        [upstream.app]
        targets = [{{ url = "{}" }}]

        [[route]]
        name = "it"
        path = "/it/{{id}}"
        chain = [
            {{ use = "correlation-id", header = "x-cid" }},
            {{ use = "headers", request = {{ set = {{ {request} }} }}, response = {{ set = {{ {response} }} }} }},
        ]
        integration = {{ http = "app" }}

        [[route]]
        name = "fixed"
        path = "/fixed"
        integration = {{ respond = 418, headers = {{ x-said = "{{request.id}} {{response.status}} {{header.x-tenant}}", x-absent = "{{tls.version}}" }} }}
        "#,
        origin.url()
    ))
}

const SENT: [(&str, &str); 6] = [
    ("host", "inside"),
    ("x-forwarded-for", "203.0.113.9:4711"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "API.example:8443"),
    ("x-tenant", "a"),
    ("x-tenant", "b"),
];

#[test]
fn a_header_field_can_say_who_asked_for_what_and_how() {
    let origin = Origin::saying("hello");
    let gateway = TestGateway::start(&config(&origin, ""));
    let answer = http(gateway.addr("public"), "GET", "/it/%37?page=a%20b&page=c", &SENT, b"");
    let asked = origin.only_request();
    let record = gateway.wait_for_records(1).remove(0);
    for (name, expected) in [
        ("client-address", "203.0.113.9"),
        ("listener-name", "public"),
        ("request-host", "api.example"),
        ("request-id", record["request_id"].as_str().unwrap()),
        ("request-method", "GET"),
        ("request-path", "/it/7"),
        ("request-port", "8443"),
        ("request-query", "page=a%20b&page=c"),
        ("request-scheme", "https"),
        ("route-name", "it"),
        ("header-x-tenant", "a, b"),
        ("query-page", "a b"),
        ("path-id", "7"),
        ("correlation-id", record["correlation_id"].as_str().unwrap()),
    ] {
        let name = format!("x-{name}");
        assert_eq!(asked.headers[&*name], expected, "{name} of the request");
        assert_eq!(answer.header(&name), Some(expected), "{name} of the response");
    }
    assert_eq!(answer.header("x-response-status"), Some("200"));
}

#[test]
fn an_answer_of_the_gateways_own_can_say_it_too_and_leaves_out_what_is_absent() {
    let gateway = TestGateway::start(&config(&Origin::saying("hello"), ""));
    let answer = http(gateway.addr("public"), "GET", "/fixed", &SENT, b"");
    let record = gateway.wait_for_records(1).remove(0);
    let said = format!("{} 418 a, b", record["request_id"].as_str().unwrap());
    assert_eq!(answer.header("x-said"), Some(&*said));
    assert_eq!(answer.header("x-absent"), None);
}

#[test]
fn what_is_absent_of_a_request_cannot_be_forged_by_it() {
    let origin = Origin::saying("hello");
    let gateway = TestGateway::start(&config(&origin, ""));
    let forged = [
        ("x-query-page", "forged"),
        ("x-header-x-tenant", "forged"),
        ("x-request-query", "forged"),
    ];
    assert_eq!(http(gateway.addr("public"), "GET", "/it/1", &forged, b"").status, 200);
    let asked = origin.only_request();
    for (name, _) in forged {
        assert!(!asked.headers.contains_key(name), "{name}");
    }
}

#[test]
fn a_body_template_that_names_what_there_never_is_does_not_load_and_says_the_right_name() {
    for (template, right) in [
        ("{{ client }} {{ remote_addr }}", "{{ client.address }}"),
        ("{{ request.ip }}", "{{ client.address }}"),
        ("{{ request.hots }}", "{{ request.host }}"),
        ("{{ auth.principal }}", "{{ attributes.auth.principal }}"),
        ("{% if headers.x %}{% endif %}", "request.headers"),
    ] {
        let config = listening(&format!(
            "[[route]]\nname = \"it\"\npath = \"/\"\nchain = [{{ use = \"body\", request = {{ template = '{template}' }} }}]\n\
             integration = {{ respond = 200 }}\n"
        ));
        let refused = TestFiles::default().try_start(&config);
        let said = refused.err().unwrap_or_else(|| panic!("{template} loads")).to_string();
        assert!(said.contains(right), "{template}: {said}");
    }
    let good = "{{ client.address }}{{ route.name }}{{ listener.name }}{{ tls.version }}{{ request.port }}{{ range(2) | list }}\
                {% set a = request.query.x %}{% for b in path %}{{ b }}{% endfor %}{{ a }}{{ attributes.auth.principal }}";
    TestGateway::start(&listening(&format!(
        "[[route]]\nname = \"it\"\npath = \"/\"\nchain = [{{ use = \"body\", request = {{ template = '{good}' }} }}]\n\
         integration = {{ respond = 200 }}\n"
    )));
}

#[test]
fn the_access_log_has_the_fields_that_the_configuration_chooses_and_no_secrets() {
    let log = "[access_log]\noutput = \"file:{dir}/access.log\"\nfields = [\"client\", \"query\", \"user_agent\", \"referer\", \"tls\", \"upstream_status\", \
               \"upstream_tries\", \"correlation.id\", \"header.x-tenant\", \"header.cookie\", \"query.page\", \"query.token\", \"route.name\"]\n\
               redact = [\"customer\"]";
    let origin = Origin::saying("hello");
    let gateway = TestGateway::start(&(config(&origin, "") + log));
    let fields = [
        ("user-agent", "curl/8"),
        ("referer", "https://a.example/?token=secret&b=1"),
        ("cookie", "session=secret"),
        ("x-tenant", "a"),
    ];
    let target = "/it/1?page=2&token=secret&customer=secret&back=https%3A%2F%2Fa%2F%3Fcode%3Dsecret";
    assert_eq!(http(gateway.addr("public"), "GET", target, &fields, b"").status, 200);
    gateway.wait_for_records(1);
    let text = std::fs::read_to_string(gateway.dir().join("access.log")).unwrap();
    let line = text.lines().next().unwrap();
    assert!(!line.contains("secret"), "{line}");
    let record: serde_json::Value = serde_json::from_str(line).unwrap();
    let names: Vec<_> = record.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names.len(), 13, "{line}");
    assert!(
        line.starts_with("{\"client\":") && line.contains("\"route.name\":\"it\"}"),
        "in their order: {line}"
    );
    for (name, expected) in [
        ("query", "page=2&token=[redacted]&customer=[redacted]&back=[redacted]"),
        ("user_agent", "curl/8"),
        ("referer", "https://a.example/?token=[redacted]&b=1"),
        ("header.x-tenant", "a"),
        ("header.cookie", "[redacted]"),
        ("query.page", "2"),
        ("query.token", "[redacted]"),
    ] {
        assert_eq!(record[name], expected, "{name}");
    }
    assert_eq!(
        (record["upstream_status"].as_u64(), record["upstream_tries"].as_u64()),
        (Some(200), Some(1))
    );
    assert!(
        record["tls"].is_null() && record["correlation.id"].is_string(),
        "{line}"
    );
}

#[test]
fn the_version_of_tls_can_be_told_and_logged() {
    let certificates = Certificates::new();
    let (certificate, key) = (certificates.path("server.pem"), certificates.path("server.key"));
    let gateway = TestGateway::start(&listening(&format!(
        "tls = {{ certificate = \"{certificate}\", key = \"{key}\" }}\n[access_log]\noutput = \"file:{{dir}}/access.log\"\nfields = [\"tls\"]\n\
         [[route]]\nname = \"it\"\npath = \"/\"\nintegration = {{ respond = 200, headers = {{ x-tls = \"{{tls.version}}\" }} }}\n"
    )));
    for (version, shown) in [
        (&rustls::version::TLS12, "TLSv1.2"),
        (&rustls::version::TLS13, "TLSv1.3"),
    ] {
        let config = certificates.client_with(&[version], &[]);
        let mut client = RawClient::connect_tls(gateway.addr("public"), config).unwrap();
        assert_eq!(client.request("GET", "/", &[], b"").header("x-tls"), Some(shown));
    }
    let logged: Vec<_> = gateway
        .wait_for_records(2)
        .iter()
        .map(|record| record["tls"].clone())
        .collect();
    assert_eq!(logged, ["TLSv1.2", "TLSv1.3"]);
}
