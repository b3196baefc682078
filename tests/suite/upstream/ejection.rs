//! U11: one of several targets is in trouble, and who notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use gatewright_tests::{Origin, TestGateway, eventually, full, http};
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;

use super::proxy_to;

/// An origin that fails every second time, or is slow, while it is told to.
struct Patient {
    origin: Origin,
    fails: Arc<AtomicBool>,
    slow: Arc<AtomicBool>,
}

impl Patient {
    fn start() -> Self {
        let (fails, slow, asked) = (
            Arc::<AtomicBool>::default(),
            Arc::<AtomicBool>::default(),
            AtomicUsize::default(),
        );
        let (failing, slowing) = (Arc::clone(&fails), Arc::clone(&slow));
        let origin = Origin::start(move |request| {
            let fails = failing.load(Ordering::SeqCst) && asked.fetch_add(1, Ordering::SeqCst) % 2 == 0;
            let slow = slowing.load(Ordering::SeqCst);
            async move {
                let _ = request.into_body().collect().await;
                if slow {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
                let mut response = Response::new(full("answer"));
                if fails {
                    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                }
                response
            }
        });
        Self { origin, fails, slow }
    }
}

fn get(gateway: &TestGateway) -> u16 {
    http(gateway.addr("public"), "GET", "/a", &[], b"").status
}

#[test]
fn u11_a_target_that_fails_every_second_time_gets_nothing_until_it_is_well() {
    let [one, other] = [(); 2].map(|()| Origin::saying("answer"));
    let patient = Patient::start();
    patient.fails.store(true, Ordering::SeqCst);
    let targets = [&*one.url(), &patient.origin.url(), &other.url()];
    let gateway = proxy_to(&targets, "ejection = { time = \"1s\" }", "");
    let asked = 100;
    let failed = (0..asked).filter(|_| get(&gateway) == 503).count();
    assert!(
        (5..=6).contains(&failed),
        "{failed} of {asked} failed: it is left out after five"
    );
    let hits = patient.origin.hits();
    assert!(hits <= 12, "{hits}");
    // Nobody is asked twice, so that there is no storm.
    assert_eq!(one.hits() + other.hits() + hits, asked);
    // Its share is for both of the others.
    assert!(one.hits() > 40 && other.hits() > 40, "{} {}", one.hits(), other.hits());
    assert_eq!(gateway.metric("gatewright_upstream_ejections_total"), 1.0);
    assert_eq!(gateway.metric("gatewright_upstream_ejected_targets"), 1.0);
    patient.fails.store(false, Ordering::SeqCst);
    eventually("it is tried, and has its share again", || {
        get(&gateway);
        (gateway.metric("gatewright_upstream_ejected_targets") == 0.0).then_some(())
    });
    let hits = patient.origin.hits();
    (0..30).for_each(|_| assert_eq!(get(&gateway), 200));
    assert_eq!(patient.origin.hits() - hits, 10);
}

#[test]
fn u11_a_target_that_is_slow_gets_nothing_where_it_is_said_what_slow_is() {
    let quick = Origin::saying("answer");
    let patient = Patient::start();
    patient.slow.store(true, Ordering::SeqCst);
    let targets = [&*quick.url(), &patient.origin.url()];
    let gateway = proxy_to(&targets, "ejection = { slow = \"200ms\", time = \"60s\" }", "");
    (0..30).for_each(|_| assert_eq!(get(&gateway), 200));
    assert_eq!(patient.origin.hits(), 5);
}

#[test]
fn u11_when_all_fail_half_of_them_are_asked_on_and_their_answers_are_passed_on() {
    let patients = [(); 2].map(|()| Patient::start());
    for patient in &patients {
        patient.fails.store(true, Ordering::SeqCst);
    }
    let targets = [&*patients[0].origin.url(), &patients[1].origin.url()];
    let gateway = proxy_to(&targets, "ejection = { failures = 2, time = \"60s\" }", "");
    let answers = (0..40).filter(|_| get(&gateway) == 200).count();
    assert!((18..=22).contains(&answers), "{answers}");
    let hits = patients.each_ref().map(|patient| patient.origin.hits());
    assert!(
        hits.iter().sum::<usize>() == 40 && hits.iter().any(|hits| *hits >= 30),
        "{hits:?}"
    );
    assert_eq!(gateway.metric("gatewright_upstream_ejected_targets"), 1.0);
}

#[test]
fn u11_one_that_is_left_out_is_better_than_nobody() {
    let patient = Patient::start();
    patient.fails.store(true, Ordering::SeqCst);
    let other = Origin::saying("answer");
    let targets = [&*patient.origin.url(), &other.url()];
    let gateway = proxy_to(&targets, "ejection = { failures = 2, time = \"60s\" }", "");
    eventually("it is left out", || {
        get(&gateway);
        (gateway.metric("gatewright_upstream_ejected_targets") == 1.0).then_some(())
    });
    patient.fails.store(false, Ordering::SeqCst);
    drop(other);
    eventually("it is asked because the other one is gone", || {
        (get(&gateway) == 200).then_some(())
    });
}
