//! Providers whose metadata are elsewhere, or name somebody else: the configuration says where (`discovery`), tokens say who.

use gatewright_tests::{OidcProvider, Origin, RawResponse, TestGateway, eventually, http};
use serde_json::{Value, json};

use super::browser::Browser;
use super::provider::{Login, Provider};
use super::{PAGE, config, files, know, session};

/// A gateway whose provider is named `issuer` by its tokens.
struct Setup {
    gateway: TestGateway,
    _origin: Origin,
}

impl Setup {
    fn new(provider: &Provider, issuer: &str) -> Self {
        let origin = Origin::saying("the page");
        let discovery = format!("discovery = \"{}/.well-known/openid-configuration\"", provider.name());
        let gateway = files().start(&config("", issuer, &discovery, &origin.url()));
        Self {
            gateway,
            _origin: origin,
        }
    }

    fn get(&self, path: &str, fields: &[(&str, &str)]) -> RawResponse {
        http(self.gateway.addr("public"), "GET", path, fields, b"")
    }

    fn begin(&self) -> Login {
        let response = eventually("the provider is known", || {
            Some(self.get("/wanted", &[PAGE])).filter(|response| response.status == 302)
        });
        Login::of(&response)
    }

    /// What becomes of a login that the provider vouches for with these claims: where it comes back, and what it opens.
    fn log_in(&self, provider: &Provider, claims: &Value, more: &str) -> (u16, Option<u16>) {
        let login = self.begin();
        provider.will_vouch(&login, claims);
        let fields = [PAGE, ("cookie", &*login.cookie)];
        let back = self.get(&format!("{}{more}", login.answer()), &fields);
        if back.status != 302 {
            return (back.status, None);
        }
        (302, Some(self.get("/a", &[PAGE, ("cookie", &session(&back))]).status))
    }
}

const GOOD: (u16, Option<u16>) = (302, Some(200));

#[test]
fn browsers_are_led_to_the_public_url_and_the_gateway_asks_at_the_internal_one() {
    let provider = Provider::start();
    // As Keycloak does within a cluster.
    let public = "https://login.example.com/realms/a";
    provider.will_describe(&json!({ "issuer": public, "authorization_endpoint": format!("{public}/auth") }));
    let setup = Setup::new(&provider, public);
    let response = eventually("the provider is known", || {
        Some(setup.get("/wanted", &[PAGE])).filter(|response| response.status == 302)
    });
    let location = response.header("location").unwrap();
    assert!(location.starts_with(&format!("{public}/auth?")), "{location}");
    let by_public = json!({ "iss": public });
    assert_eq!(setup.log_in(&provider, &by_public, ""), GOOD);
    assert_eq!(
        setup.log_in(
            &provider,
            &by_public,
            "&iss=https%3A%2F%2Flogin.example.com%2Frealms%2Fa"
        ),
        GOOD
    );
    assert_eq!(
        setup.log_in(&provider, &by_public, "&iss=https%3A%2F%2Fother.example"),
        (400, None)
    );
    // The name of the place where it was asked is not its own.
    assert_eq!(setup.log_in(&provider, &json!({}), ""), (503, None));
    assert_eq!(provider.hits("/token"), 3);
}

#[test]
fn tokens_may_name_another_issuer_than_the_metadata_where_the_configuration_says_so() {
    let provider = Provider::start();
    // As Azure AD B2C does.
    let described = "https://contoso.b2clogin.com/contoso.onmicrosoft.com/v2.0/";
    let said = "https://contoso.b2clogin.com/8c1f/v2.0/";
    provider.will_describe(&json!({ "issuer": described }));
    let setup = Setup::new(&provider, said);
    assert_eq!(setup.log_in(&provider, &json!({ "iss": said }), ""), GOOD);
    assert_eq!(setup.log_in(&provider, &json!({ "iss": described }), ""), (503, None));
    // RFC 9207, section 2.4: the answer to a login names the issuer as the metadata do.
    let answered = "&iss=https%3A%2F%2Fcontoso.b2clogin.com%2Fcontoso.onmicrosoft.com%2Fv2.0%2F";
    assert_eq!(setup.log_in(&provider, &json!({ "iss": said }), answered), GOOD);
}

#[test]
fn a_person_logs_in_from_any_tenant_that_a_token_says_itself() {
    let provider = Provider::start();
    // As Microsoft Entra does for all organizations.
    let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
    provider.will_describe(&json!({ "issuer": template }));
    let setup = Setup::new(&provider, template);
    let of = |tenant: &str, said: &str| {
        let name = format!("https://login.microsoftonline.com/{tenant}/v2.0");
        setup.log_in(&provider, &json!({ "iss": name, "tid": said }), "")
    };
    assert_eq!(of("8c1f-2", "8c1f-2"), GOOD);
    assert_eq!(of("9d2a-3", "9d2a-3"), GOOD);
    assert_eq!(of("8c1f-2", "9d2a-3"), (503, None), "a tenant that speaks for another");
    assert_eq!(of("a/../8c1f-2", "a/../8c1f-2"), (503, None));
    assert_eq!(
        setup.log_in(&provider, &json!({ "iss": template, "tid": "{tenantid}" }), ""),
        (503, None)
    );
}

#[test]
fn a_real_provider_with_a_public_and_an_internal_url_lets_people_log_in() {
    let origin = Origin::saying("the page");
    let mut provider = OidcProvider::start("key-1");
    // It names itself by the one, and is reached by the other.
    let internal = provider.internal();
    let public = provider.be_public();
    assert_ne!(internal, public);
    let discovery = format!("discovery = \"{internal}/.well-known/openid-configuration\"");
    let gateway = files().start(&config("", &public, &discovery, &origin.url()));
    let base = format!("http://localhost:{}", gateway.addr("public").port());
    know(&mut provider, &base);
    let wanted = format!("{base}/page");
    let browser = Browser::new();
    let login = eventually("the provider is found", || {
        Some(browser.open(&wanted)).filter(|login| login.status == 200)
    });
    let consent = browser.send(&login, &[("login", "alice"), ("password", "x")]);
    let arrived = browser.send(&consent, &[]);
    assert_eq!(
        (arrived.status, &*arrived.url, &*arrived.body),
        (200, &*wanted, "the page")
    );
    assert_eq!(origin.only_request().headers["x-principal"], "alice");
}
