//! Client certificates end to end: which of them the handshake lets in, and what the `mtls` stage makes of them.

use std::io;
use std::sync::Arc;

use gatewright_tests::{Certificates, Origin, RawClient, RawResponse, TestFiles, TestGateway};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// An authority of clients.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A client's certificate with those between it and the authority, and its key.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let (params, key) = authority(name);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    fn issue(&self, edit: impl FnOnce(&mut CertificateParams)) -> Identity {
        issue(&self.issuer, Vec::new(), edit)
    }

    /// A certificate with so many authorities between it and this one.
    fn issue_below(&self, depth: usize) -> Identity {
        let mut chain = Vec::new();
        let mut issuer = None;
        for level in 0..depth {
            let (params, key) = authority(&format!("level {level}"));
            let signed = params.signed_by(&key, issuer.as_ref().unwrap_or(&self.issuer)).unwrap();
            chain.insert(0, signed.der().clone());
            issuer = Some(Issuer::new(params, key));
        }
        issue(&issuer.unwrap(), chain, |_| {})
    }

    /// A list of revoked certificates, good until that year.
    fn revokes(&self, serials: &[u64], until: i32) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

fn authority(name: &str) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    (params, KeyPair::generate().unwrap())
}

fn issue(
    issuer: &Issuer<'_, KeyPair>,
    mut chain: Vec<CertificateDer<'static>>,
    edit: impl FnOnce(&mut CertificateParams),
) -> Identity {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.serial_number = Some(SerialNumber::from(0x0102));
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Example, Inc.");
    params.distinguished_name.push(DnType::CommonName, "orders");
    edit(&mut params);
    let key = KeyPair::generate().unwrap();
    chain.insert(0, params.signed_by(&key, issuer).unwrap().der().clone());
    Identity {
        chain,
        key: PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
    }
}

/// A gateway with a listener that asks for certificates of `authority`, and a route with the stage.
fn gateway(server: &Certificates, authority: &Authority, tls: &str, stage: &str, url: &str) -> TestGateway {
    let (certificate, key) = (server.path("server.pem"), server.path("server.key"));
    TestFiles::default()
        .with("clients.pem", &authority.pem)
        .with("revoked.pem", authority.revokes(&[0x0103], 2099))
        .start(&format!(
            r#"
            [listener.public]
            address = "127.0.0.1:0"
            tls = {{ certificate = "{certificate}", key = "{key}", client_ca = "clients.pem", {tls} }}

            [upstream.app]
            targets = [{{ url = "{url}" }}]

            [[route]]
            name = "open"
            path = "/open"
            integration = {{ http = "app", headers = {{ client-cert = ":{{auth.certificate.der}}:" }} }}

            [[route]]
            name = "closed"
            path = "/closed"
            chain = [{{ use = "mtls", {stage} }}]
            [route.integration]
            http = "app"
            [route.integration.headers]
            client-cert = ":{{auth.certificate.der}}:"
            x-user = "{{auth.principal}}"
            x-subject = "{{auth.certificate.subject}}"
            x-issuer = "{{auth.certificate.issuer}}"
            x-serial = "{{auth.certificate.serial}}"
            x-fingerprint = "{{auth.certificate.fingerprint}}"
            x-san = "{{auth.certificate.san}}"
            x-until = "{{auth.certificate.not_after}}"
            "#
        ))
}

/// What becomes of a request by whoever has this certificate, or none.
fn ask(
    gateway: &TestGateway,
    server: &Certificates,
    identity: Option<&Identity>,
    path: &str,
    fields: &[(&str, &str)],
) -> io::Result<RawResponse> {
    let mut config = Arc::unwrap_or_clone(server.client(&["http/1.1"]));
    if let Some(identity) = identity {
        let provider = Arc::clone(config.crypto_provider());
        let mut roots = rustls::RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(server.file("ca.pem")).unwrap();
        roots.add(authority).unwrap();
        config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
            .unwrap();
    }
    let mut client = RawClient::connect_tls(gateway.addr("public"), Arc::new(config))?;
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    client.try_send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"))?;
    client.try_read_response().map_err(io::Error::other)
}

#[test]
fn c27_no_certificate_or_one_that_is_not_good_ends_in_the_handshake() {
    let (server, clients, strangers) = (
        Certificates::new(),
        Authority::new("clients"),
        Authority::new("strangers"),
    );
    let origin = Origin::saying("hello");
    let gateway = gateway(&server, &clients, "client_auth = \"required\"", "", &origin.url());
    let good = clients.issue(|_| {});
    assert_eq!(ask(&gateway, &server, Some(&good), "/open", &[]).unwrap().status, 200);
    let expired = clients.issue(|params| params.not_after = date_time_ymd(2020, 1, 1));
    let early = clients.issue(|params| params.not_before = date_time_ymd(2090, 1, 1));
    let stranger = strangers.issue(|_| {});
    let of_server = clients.issue(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    let deep = clients.issue_below(20);
    for (what, identity) in [
        ("none", None),
        ("expired", Some(&expired)),
        ("not yet valid", Some(&early)),
        ("of another authority", Some(&stranger)),
        ("for servers", Some(&of_server)),
        ("below twenty authorities", Some(&deep)),
    ] {
        let answer = ask(&gateway, &server, identity, "/open", &[]);
        assert!(answer.is_err(), "{what}: {answer:?}");
    }
    assert_eq!(
        ask(&gateway, &server, Some(&clients.issue_below(2)), "/open", &[])
            .unwrap()
            .status,
        200
    );
    assert_eq!(origin.hits(), 2);
}

#[test]
fn c27_a_revoked_certificate_and_one_whose_list_is_old_end_in_the_handshake() {
    let (server, clients) = (Certificates::new(), Authority::new("clients"));
    let origin = Origin::saying("hello");
    let tls = "client_auth = \"required\", client_crl = \"revoked.pem\"";
    let gateway = gateway(&server, &clients, tls, "", &origin.url());
    let (good, revoked) = (
        clients.issue(|_| {}),
        clients.issue(|params| params.serial_number = Some(SerialNumber::from(0x0103))),
    );
    assert_eq!(ask(&gateway, &server, Some(&good), "/open", &[]).unwrap().status, 200);
    assert!(ask(&gateway, &server, Some(&revoked), "/open", &[]).is_err());
    gateway.write("revoked.pem", clients.revokes(&[0x0102], 2099));
    gateway.reload().unwrap();
    assert!(ask(&gateway, &server, Some(&good), "/open", &[]).is_err());
    assert_eq!(
        ask(&gateway, &server, Some(&revoked), "/open", &[]).unwrap().status,
        200
    );
    gateway.write("revoked.pem", clients.revokes(&[], 2025));
    gateway.reload().unwrap();
    assert!(ask(&gateway, &server, Some(&good), "/open", &[]).is_err());
    gateway.write("revoked.pem", "nothing");
    let refused = gateway.reload().unwrap_err();
    assert!(refused.contains("listener.public.tls.client_crl"), "{refused}");
}

#[test]
fn c27_what_a_client_says_of_its_certificate_does_not_survive() {
    let (server, clients) = (Certificates::new(), Authority::new("clients"));
    let origin = Origin::saying("hello");
    let gateway = gateway(&server, &clients, "client_auth = \"optional\"", "", &origin.url());
    let forged = [("client-cert", ":Zm9yZ2Vk:"), ("x-user", "admin")];
    let none = ask(&gateway, &server, None, "/open", &forged).unwrap();
    assert_eq!(none.status, 200);
    let good = clients.issue(|_| {});
    assert_eq!(
        ask(&gateway, &server, Some(&good), "/closed", &forged).unwrap().status,
        200
    );
    let refused = ask(&gateway, &server, None, "/closed", &forged).unwrap();
    assert_eq!((refused.status, refused.error()), (403, Some("ACCESS_DENIED")));
    let [first, second] = origin.requests().try_into().unwrap();
    assert!(!first.headers.contains_key("client-cert"));
    let sent = second.headers["client-cert"]
        .to_str()
        .unwrap()
        .trim_matches(':')
        .to_owned();
    use base64::Engine as _;
    let sent = base64::engine::general_purpose::STANDARD.decode(sent).unwrap();
    assert_eq!(sent, good.chain[0].as_ref());
    assert_eq!(second.headers["x-user"], "orders");
}

#[test]
fn a_certificate_says_who_the_client_is() {
    let (server, clients) = (Certificates::new(), Authority::new("clients"));
    let origin = Origin::saying("hello");
    let stage = "principal = \"uri\"";
    let gateway = gateway(&server, &clients, "client_auth = \"required\"", stage, &origin.url());
    let identity = clients.issue(|params| {
        params.not_after = date_time_ymd(2098, 7, 6);
        params.subject_alt_names = vec![
            SanType::DnsName("a.example.com".try_into().unwrap()),
            SanType::URI("spiffe://example.com/orders".try_into().unwrap()),
        ];
    });
    assert_eq!(
        ask(&gateway, &server, Some(&identity), "/closed", &[]).unwrap().status,
        200
    );
    let request = origin.only_request();
    for (name, value) in [
        ("x-user", "spiffe://example.com/orders"),
        ("x-subject", "CN=orders,O=Example\\, Inc."),
        ("x-issuer", "CN=clients"),
        ("x-serial", "0102"),
        ("x-san", "DNS:a.example.com, URI:spiffe://example.com/orders"),
        ("x-until", "2098-07-06T00:00:00Z"),
    ] {
        assert_eq!(request.headers[name], value, "{name}");
    }
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(&identity.chain[0]);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(request.headers["x-fingerprint"], digest.as_str());
    assert_eq!(
        gateway.wait_for_records(1)[0]["principal"],
        "spiffe://example.com/orders"
    );
    // It has no address, so it is nobody where the address says who it is.
    let other = self::gateway(
        &server,
        &clients,
        "client_auth = \"required\"",
        "principal = \"email\"",
        &origin.url(),
    );
    assert_eq!(
        ask(&other, &server, Some(&identity), "/closed", &[]).unwrap().status,
        403
    );
}

#[test]
fn a_certificate_passes_that_one_of_the_rules_is_for() {
    let (server, clients) = (Certificates::new(), Authority::new("clients"));
    let origin = Origin::saying("hello");
    let stage =
        "allow = [{ o = \"Example*\", uri = \"spiffe://example.com/*\" }, { cn = \"admin\", issuer = \"CN=clients\" }]";
    let gateway = gateway(&server, &clients, "client_auth = \"required\"", stage, &origin.url());
    let status = |edit: &dyn Fn(&mut CertificateParams)| {
        let identity = clients.issue(|params| edit(params));
        ask(&gateway, &server, Some(&identity), "/closed", &[]).unwrap().status
    };
    let uri = |text: &str| vec![SanType::URI(text.try_into().unwrap())];
    assert_eq!(
        status(&|params| params.subject_alt_names = uri("spiffe://example.com/a")),
        200
    );
    assert_eq!(
        status(&|params| params.subject_alt_names = uri("spiffe://example.org/a")),
        403
    );
    assert_eq!(status(&|_| {}), 403);
    assert_eq!(
        status(&|params| params.distinguished_name.push(DnType::CommonName, "admin")),
        200
    );
}

#[test]
fn another_truststore_is_for_the_next_handshake() {
    let (server, clients, others) = (Certificates::new(), Authority::new("clients"), Authority::new("others"));
    let origin = Origin::saying("hello");
    let gateway = gateway(&server, &clients, "client_auth = \"required\"", "", &origin.url());
    let (one, other) = (clients.issue(|_| {}), others.issue(|_| {}));
    assert!(ask(&gateway, &server, Some(&other), "/open", &[]).is_err());
    gateway.write("clients.pem", &others.pem);
    gateway.reload().unwrap();
    assert_eq!(ask(&gateway, &server, Some(&other), "/open", &[]).unwrap().status, 200);
    assert!(ask(&gateway, &server, Some(&one), "/open", &[]).is_err());
}
