//! What becomes of logins and sessions that are long, many, shared, or ended by the provider.

use gatewright_tests::redis::RedisServer;
use gatewright_tests::{RawResponse, TestGateway, eventually, http};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::provider::{Login, Provider};
use super::{PAGE, Setup, config, files, session};

/// Names of groups as directories have them: identifiers in which nothing repeats itself.
pub(super) fn groups(count: usize) -> Vec<String> {
    let group = |number: usize| {
        let hash = Sha256::digest(number.to_string());
        let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        format!(
            "{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        )
    };
    (0..count).map(group).collect()
}

fn kept(response: &RawResponse) -> Vec<String> {
    let fields = response.header_values("set-cookie").into_iter();
    fields
        .map(|field| field.split(';').next().unwrap().to_owned())
        .collect()
}

#[test]
fn a_session_that_the_provider_ends_is_a_new_login_whatever_it_calls_that() {
    let provider = Provider::start();
    let setup = Setup::new(&provider, "");
    provider.will_add(&json!({ "refresh_token": "r", "expires_in": 0 }));
    for (status, error) in [
        (400, "invalid_grant"),
        (401, "invalid_grant"),
        (403, "access_denied"),
        (400, "interaction_required"),
        (400, "login_required"),
        (400, "consent_required"),
        (403, "mfa_required"),
    ] {
        let cookie = setup.log_in(&provider);
        provider.will_say("/token", status, &json!({ "error": error }));
        let page = eventually("the session is due", || {
            let page = setup.get("/a", &[PAGE, ("cookie", &cookie)]);
            (page.status != 200).then_some(page)
        });
        assert_eq!(page.status, 302, "{status} {error}: {page:?}");
        assert!(page.header("location").unwrap().starts_with(&provider.name()));
        let script = setup.get("/a", &[("cookie", &cookie)]);
        assert_eq!(
            (script.status, script.error()),
            (401, Some("UNAUTHORIZED")),
            "{status} {error}"
        );
    }
    // What no person can mend is no reason to bother one.
    for (status, error) in [
        (401, "invalid_client"),
        (400, "unauthorized_client"),
        (500, "invalid_grant"),
    ] {
        let cookie = setup.log_in(&provider);
        provider.will_say("/token", status, &json!({ "error": error }));
        let page = eventually("the session is due", || {
            let page = setup.get("/a", &[PAGE, ("cookie", &cookie)]);
            (page.status != 200).then_some(page)
        });
        assert_eq!(
            (page.status, page.error()),
            (503, Some("ISSUER_UNAVAILABLE")),
            "{status} {error}"
        );
    }
}

#[test]
fn a_person_who_has_to_be_asked_is_asked_once() {
    let provider = Provider::start();
    let setup = Setup::new(&provider, "parameters = { prompt = \"none\", audience = \"api\" }");
    for error in [
        "login_required",
        "interaction_required",
        "consent_required",
        "account_selection_required",
    ] {
        let silent = setup.begin();
        assert_eq!(silent.query["prompt"], "none");
        let refusal = |login: &Login| format!("/oauth2/callback?error={error}&state={}", login.query["state"]);
        let again = setup.get(&refusal(&silent), &[PAGE, ("cookie", &silent.cookie)]);
        let asking = Login::of(&again);
        assert!(!asking.query.contains_key("prompt"), "{error}: {asking:?}");
        assert_eq!(asking.query["audience"], "api");
        let (name, _) = silent.cookie.split_once('=').unwrap();
        assert!(kept(&again).contains(&format!("{name}=")), "{error}: {again:?}");
        let refused = setup.get(&refusal(&asking), &[PAGE, ("cookie", &asking.cookie)]);
        assert_eq!(
            (refused.status, refused.error()),
            (400, Some("LOGIN_FAILED")),
            "{error}"
        );
        provider.will_vouch(&asking, &json!({}));
        let back = setup.come_back(&asking);
        assert_eq!(
            (back.status, back.header("location")),
            (302, Some("/wanted?x=1")),
            "{error}"
        );
    }
    // The token endpoint may say so too.
    let login = setup.begin();
    provider.will_say("/token", 400, &json!({ "error": "interaction_required" }));
    let asking = Login::of(&setup.come_back(&login));
    let refused = setup.come_back(&asking);
    assert_eq!((refused.status, refused.error()), (400, Some("LOGIN_FAILED")));
}

#[test]
fn logins_that_were_given_up_are_forgotten_and_all_are_when_one_succeeds() {
    let provider = Provider::start();
    let setup = Setup::new(&provider, "");
    let mut jar: Vec<(String, String)> = Vec::new();
    let brought = |jar: &[(String, String)]| {
        let pairs: Vec<_> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    };
    let keep = |jar: &mut Vec<(String, String)>, response: &RawResponse| {
        for pair in kept(response) {
            let (name, value) = pair.split_once('=').unwrap();
            jar.retain(|(other, _)| other != name);
            if !value.is_empty() {
                jar.push((name.to_owned(), value.to_owned()));
            }
        }
    };
    let mut last = None;
    for number in 0..100 {
        let target = format!("/page?n={number}&x={}", "x".repeat(600));
        let response = setup.get(&target, &[PAGE, ("cookie", &brought(&jar))]);
        assert_eq!(response.status, 302, "{number}: {response:?}");
        last = Some(Login::of(&response));
        keep(&mut jar, &response);
        assert!(jar.len() <= 5, "{jar:?}");
    }
    let login = last.unwrap();
    provider.will_vouch(&login, &json!({}));
    let back = setup.get(&login.answer(), &[PAGE, ("cookie", &brought(&jar))]);
    assert_eq!(back.status, 302, "{back:?}");
    keep(&mut jar, &back);
    let names: Vec<_> = jar.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["gatewright-session"]);
}

#[test]
fn a_browser_gets_back_to_a_long_target() {
    let provider = Provider::start();
    let setup = Setup::new(&provider, "");
    let noise: String = groups(150).concat();
    for length in [1025, 2000, 4000, 5000] {
        let target = format!("/search?q={}", &noise[..length]);
        let response = setup.get(&target, &[PAGE]);
        let login = Login::of(&response);
        let cookies = session(&response);
        provider.will_vouch(&login, &json!({}));
        let back = setup.get(&login.answer(), &[PAGE, ("cookie", &cookies)]);
        assert_eq!(back.header("location"), Some(&*target), "{length}: {back:?}");
    }
}

#[test]
fn a_session_of_a_hundred_groups_is_one_cookie() {
    let provider = Provider::start();
    let setup = Setup::new(&provider, "claims = { groups = \"ffffffff\" }");
    let with = |groups: Vec<String>| {
        let login = setup.begin();
        provider.will_vouch(&login, &json!({ "groups": groups }));
        setup.come_back(&login)
    };
    let mut hundred = groups(99);
    hundred.push("ffffffff".to_owned());
    let back = with(hundred);
    assert_eq!(back.status, 302, "{back:?}");
    let cookies = session(&back);
    assert_eq!(cookies.split("; ").count(), 1, "{}", cookies.len());
    assert_eq!(setup.get("/a", &[PAGE, ("cookie", &cookies)]).status, 200);
    assert_eq!(with(groups(100)).status, 403, "the list is looked into");
}

#[test]
fn sessions_of_the_state_engine_have_any_size_and_end_with_a_logout() {
    let provider = Provider::start();
    let setup = Setup::new(&provider, "sessions = \"state\", logout = \"/logout\"");
    let login = setup.begin();
    provider.will_vouch(&login, &json!({ "groups": groups(1000), "name": "Alice" }));
    provider.will_add(&json!({ "refresh_token": "r" }));
    let back = setup.get(&login.answer(), &[PAGE, ("cookie", &login.cookie)]);
    assert_eq!(back.status, 302, "{back:?}");
    let cookie = session(&back);
    assert!(cookie.len() < 100, "{cookie}");
    let copy = setup.get("/a", &[PAGE, ("cookie", &cookie)]);
    assert_eq!(copy.status, 200);
    assert_eq!(setup.origin.only_request().headers["x-name"], "Alice");
    assert_eq!(setup.get("/logout", &[PAGE, ("cookie", &cookie)]).status, 302);
    assert_eq!(
        setup.get("/a", &[PAGE, ("cookie", &cookie)]).status,
        302,
        "a copy of the cookie is worth nothing"
    );
    assert_eq!(
        setup
            .get("/a", &[PAGE, ("cookie", "gatewright-session=1.anything")])
            .status,
        302
    );
    // A second login in the same browser leaves nothing of the first.
    let first = setup.log_in(&provider);
    let login = setup.begin();
    provider.will_vouch(&login, &json!({}));
    let both = format!("{first}; {}", login.cookie);
    let second = session(&setup.get(&login.answer(), &[PAGE, ("cookie", &both)]));
    assert_eq!(setup.get("/a", &[PAGE, ("cookie", &second)]).status, 200);
    assert_eq!(setup.get("/a", &[PAGE, ("cookie", &first)]).status, 302);
}

#[test]
fn a_session_of_the_state_engine_is_renewed_in_its_place() {
    let provider = Provider::start();
    let setup = Setup::new(&provider, "sessions = \"state\", forward = \"access-token\"");
    provider.will_add(&json!({ "refresh_token": "r1", "expires_in": 0, "access_token": "a1" }));
    let cookie = setup.log_in(&provider);
    provider.will_add(&json!({ "refresh_token": "r2", "expires_in": 3600, "access_token": "a2" }));
    eventually("it is renewed", || {
        let page = setup.get("/a", &[PAGE, ("cookie", &cookie)]);
        assert_eq!(
            (page.status, &*session(&page)),
            (200, ""),
            "the browser has nothing to change"
        );
        let seen = setup.origin.requests();
        (seen.last().unwrap().headers["authorization"] == "Bearer a2").then_some(())
    });
    assert_eq!(provider.asked()["refresh_token"], "r1");
}

#[test]
fn a_session_store_without_room_says_so_and_keeps_those_that_it_has() {
    let provider = Provider::start();
    let setup = Setup::new(&provider, "sessions = \"state\", session_bytes = \"16KiB\"");
    let first = setup.log_in(&provider);
    let login = setup.begin();
    provider.will_vouch(&login, &json!({ "groups": groups(1000) }));
    let refused = setup.come_back(&login);
    assert_eq!((refused.status, refused.error()), (503, Some("STATE_UNAVAILABLE")));
    assert_eq!(setup.get("/a", &[PAGE, ("cookie", &first)]).status, 200);
}

/// Two gateways that share a state server, and know the provider.
fn two(provider: &Provider, redis: &RedisServer, origin: &str, settings: &str) -> [TestGateway; 2] {
    let settings = format!("scope = \"cluster\", {settings}");
    let listener = format!("[admin]\naddress = \"127.0.0.1:0\"\n[redis]\n{}", redis.keys());
    [(); 2].map(|()| {
        let gateway = files().start(&config(&listener, &provider.name(), &settings, origin));
        let known = format!(
            "gatewright_issuer_requests_total{{issuer=\"{}\",request=\"keys\",result=\"done\"}}",
            provider.name()
        );
        eventually("the provider is known", || {
            (gateway.metric(&known) >= 1.0).then_some(())
        });
        gateway
    })
}

fn page(gateway: &TestGateway, path: &str, cookie: &str) -> RawResponse {
    http(gateway.addr("public"), "GET", path, &[PAGE, ("cookie", cookie)], b"")
}

fn log_in(gateway: &TestGateway, provider: &Provider) -> String {
    let login = Login::of(&page(gateway, "/wanted", "a=b"));
    provider.will_vouch(&login, &json!({}));
    let back = page(gateway, &login.answer(), &login.cookie);
    assert_eq!(back.status, 302, "{back:?}");
    session(&back)
}

#[test]
fn gateways_that_share_state_renew_a_session_once() {
    let (provider, redis) = (Provider::start(), RedisServer::start());
    let origin = gatewright_tests::Origin::saying("the page");
    let gateways = two(&provider, &redis, &origin.url(), "");
    provider.will_add(&json!({ "refresh_token": "r1", "expires_in": 0 }));
    let cookie = log_in(&gateways[0], &provider);
    let hits = provider.hits("/token");
    provider.will_add(&json!({ "refresh_token": "r2", "expires_in": 3600 }));
    eventually("both have renewed it", || {
        let pages: Vec<_> = std::thread::scope(|scope| {
            let asked = gateways
                .iter()
                .chain(&gateways)
                .map(|gateway| scope.spawn(|| page(gateway, "/a", &cookie)));
            let asked: Vec<_> = asked.collect();
            asked.into_iter().map(|page| page.join().unwrap()).collect()
        });
        assert!(pages.iter().all(|page| page.status == 200), "{pages:?}");
        pages.iter().all(|page| !session(page).is_empty()).then_some(())
    });
    assert_eq!(provider.hits("/token"), hits + 1);
    // The end of a session is known to both as well.
    provider.will_add(&json!({ "refresh_token": "r3", "expires_in": 0 }));
    let over = log_in(&gateways[0], &provider);
    let hits = provider.hits("/token");
    provider.will_say("/token", 400, &json!({ "error": "invalid_grant" }));
    for gateway in &gateways {
        eventually("it is over", || {
            (page(gateway, "/a", &over).status == 302).then_some(())
        });
    }
    assert_eq!(provider.hits("/token"), hits + 1);
}

#[test]
fn gateways_that_share_state_know_each_others_sessions_and_their_end() {
    let (provider, mut redis) = (Provider::start(), RedisServer::start());
    let origin = gatewright_tests::Origin::saying("the page");
    let gateways = two(
        &provider,
        &redis,
        &origin.url(),
        "sessions = \"state\", logout = \"/logout\"",
    );
    let cookie = log_in(&gateways[0], &provider);
    assert_eq!(page(&gateways[1], "/a", &cookie).status, 200);
    let (_, name) = cookie.split_once("=1.").unwrap();
    let everything = redis.ask(&["--scan"]);
    assert!(!everything.is_empty() && !everything.contains(name), "{everything}");
    assert_eq!(page(&gateways[1], "/logout", &cookie).status, 302);
    assert_eq!(page(&gateways[0], "/a", &cookie).status, 302);
    let cookie = log_in(&gateways[0], &provider);
    redis.kill();
    let refused = page(&gateways[0], "/a", &cookie);
    assert_eq!(
        (refused.status, refused.error()),
        (503, Some("STATE_UNAVAILABLE")),
        "nobody is let in unseen"
    );
}
