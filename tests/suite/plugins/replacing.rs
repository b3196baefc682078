//! P21, P22: plugins are replaced and taken away while they are used.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gatewright_tests::{Origin, RawClient, TestFiles, TestGateway, TestProcess, eventually, full, guests, http};
use http::Response;

use super::setup::{Crowd, PATIENT, base, heavy, record, route, upstream};
use crate::memory::resident_bytes;

const MIB: usize = 1 << 20;
const FILE: &str = "plugins/changing.wasm";
/// Memory that is not the plugins': an allocator keeps what it had under load.
const SLACK: usize = 24 * MIB;

/// An upstream that tells which versions it met on the way to it.
fn telling() -> Origin {
    Origin::start(|request| async move {
        let met = ["x-authorizer-version", "x-request-version"]
            .map(|name| request.headers()[name].to_str().unwrap().to_owned());
        Response::new(full(met.join(" ")))
    })
}

fn config(origin: &Origin) -> String {
    [
        base(),
        upstream(origin),
        format!("[plugin.changing]\n{PATIENT}\ngrants = {{ metrics = true }}\n"),
        route("all", "{ plugin = \"changing\" }", "http = \"app\""),
    ]
    .concat()
}

/// A client that asks again and again, and sees to it that each answer is of one version, whole.
struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<[u64; 2]>>,
}

impl Load {
    fn start(addr: SocketAddr) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let clients = (0..4).map(|_| {
            let stopped = Arc::clone(&stop);
            std::thread::spawn(move || {
                let (mut client, mut versions) = (RawClient::connect(addr), [0; 2]);
                while !stopped.load(Ordering::Relaxed) {
                    versions[version(&mut client)] += 1;
                }
                versions
            })
        });
        Self {
            stop: Arc::clone(&stop),
            clients: clients.collect(),
        }
    }

    /// How many answers were of version one, and how many of version two.
    fn stop(self) -> [u64; 2] {
        self.stop.store(true, Ordering::Relaxed);
        let counts = self
            .clients
            .into_iter()
            .map(|client| client.join().expect("no request fails"));
        counts.fold([0; 2], |sum, count| [sum[0] + count[0], sum[1] + count[1]])
    }
}

/// The version that answers, 0 or 1; the three hooks of the exchange must agree.
fn version(client: &mut RawClient) -> usize {
    let answer = client.request("GET", "/all", &[], b"");
    assert_eq!(answer.status, 200, "{answer:?}");
    let (met, after) = (answer.text(), answer.header("x-response-version").unwrap().to_owned());
    assert_eq!(met, format!("{after} {after}"), "two versions in one exchange");
    ["v1", "v2"].iter().position(|known| *known == after).unwrap()
}

/// As [`TestGateway::write`], for a process.
fn write(process: &TestProcess, bytes: &[u8]) {
    let aside = process.dir().join("aside");
    fs::write(&aside, bytes).unwrap();
    fs::rename(aside, process.dir().join(FILE)).unwrap();
}

fn metric(process: &TestProcess, series: &str) -> f64 {
    let page = http(process.admin(), "GET", "/metrics", &[], b"").text();
    let lines = page.lines().filter(|line| line.starts_with(series));
    lines
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
        .sum()
}

#[test]
fn p21_a_plugin_replaced_a_hundred_times_under_load_fails_and_mixes_nothing() {
    let _heavy = heavy();
    let origin = telling();
    let versions = [guests::guest("version-one"), guests::guest("version-two")];
    let files = TestFiles::default().with(FILE, &versions[0]);
    let process = TestProcess::start_in(files, &config(&origin), &[]).unwrap();
    let load = Load::start(process.addr("public"));
    let mut warm = 0;
    let reload = || http(process.admin(), "POST", "/reload", &[], b"").status;
    for round in 1..=100 {
        if round % 10 == 0 {
            write(&process, &versions[0][..40_000]);
            assert_eq!(reload(), 422);
        }
        write(&process, &versions[round % 2]);
        assert_eq!(reload(), 200);
        assert_eq!(
            version(&mut RawClient::connect(process.addr("public"))),
            round % 2,
            "round {round}"
        );
        if round == 20 {
            warm = resident_bytes(process.pid());
        }
    }
    let counted = load.stop();
    // Each exchange called the plugin three times; the hundred of this test too.
    for (place, name) in ["v1", "v2"].iter().enumerate() {
        let series = format!("gatewright_plugin_custom_calls_total{{plugin=\"changing\",version=\"{name}\"");
        assert_eq!(metric(&process, &series), (3 * (counted[place] + 50)) as f64, "{name}");
    }
    let ok = metric(&process, "gatewright_requests_total{");
    assert_eq!(ok, (counted[0] + counted[1] + 100) as f64);
    eventually("old versions are gone", || {
        (metric(&process, "gatewright_plugin_runtimes") == 1.0).then_some(())
    });
    let after = resident_bytes(process.pid());
    eprintln!(
        "measured, P21, 100 replacements: {counted:?} answers, none failed; resident after 20 of them {} MiB, after 100 {} MiB",
        warm / MIB,
        after / MIB
    );
    assert!(counted.iter().all(|count| *count > 100), "{counted:?}");
    assert!(after < warm + SLACK, "{} MiB", after / MIB);
}

#[test]
fn p21_a_new_version_is_visible_soon_after_its_file_has_come_to_rest() {
    let _heavy = heavy();
    let origin = telling();
    let versions = [guests::guest("version-one"), guests::guest("version-two")];
    let gateway = TestFiles::default().with(FILE, &versions[0]).start(&config(&origin));
    let mut client = RawClient::connect(gateway.addr("public"));
    let mut took = Vec::new();
    for round in 1..=20 {
        gateway.write(FILE, &versions[round % 2]);
        let rests = Instant::now();
        eventually("the new version serves", || {
            (version(&mut client) == round % 2).then_some(())
        });
        took.push(rests.elapsed());
    }
    let (first, longest) = (took.remove(0), took.iter().max().copied().unwrap());
    took.sort_unstable();
    let middle = took[took.len() / 2];
    eprintln!(
        "measured, P21, a new version is visible after: compiled {first:?}, from the store p50 {middle:?}, at most {longest:?}"
    );
    assert!(longest < Duration::from_secs(1), "{longest:?}");
}

#[test]
fn p22_a_plugin_that_is_taken_away_while_it_runs_finishes_what_it_runs() {
    let limits = format!("[plugin.spins]\n{PATIENT}\n");
    let with = [base(), limits.clone(), route("spins", "", "plugin = \"spins\"")].concat();
    let without = base() + &limits;
    let gateway = TestFiles::default().with_guests(&["spins"]).start(&with);
    let running = Crowd::send(&gateway, 3, "/spins/long", &[("x-spin-ms", "600")]);
    eventually("they run", || {
        (gateway.metric("gatewright_plugin_instances{state=\"busy\"}") == 3.0).then_some(())
    });
    gateway.rewrite_config(&without);
    gateway.reload().unwrap();
    fs::remove_file(gateway.dir().join("plugins/spins.wasm")).unwrap();
    let gone = http(gateway.addr("public"), "GET", "/spins", &[], b"");
    assert_eq!((gone.status, gone.error()), (404, Some("RESOURCE_NOT_FOUND")));
    assert_eq!(gateway.metric("gatewright_plugin_runtimes"), 1.0);
    for answer in running.answers() {
        assert_eq!((answer.status, answer.text().as_str()), (200, "survived\n"));
    }
    eventually("it is released", || {
        (gateway.metric("gatewright_plugin_runtimes") == 0.0).then_some(())
    });
    assert_eq!(record(&gateway, "/spins/long")["status"], 200);
    // Its file is gone: a configuration that names it again is refused.
    gateway.rewrite_config(&with);
    let message = gateway.reload().unwrap_err();
    assert!(
        message.contains("spins.wasm") && message.contains("route `spins`"),
        "{message}"
    );
    assert_eq!(
        http(gateway.addr("public"), "GET", "/neighbour", &[], b"").text(),
        "here"
    );
}

#[test]
fn p22_a_route_whose_plugin_is_missing_is_refused_at_start() {
    let config = base() + &route("all", "", "plugin = \"missing\"");
    let message = TestGateway::try_start(&config).err().expect("no plugin");
    for word in [
        "gateway.toml:",
        ": route `all`: ",
        "plugin `missing`",
        "plugins/missing.wasm",
    ] {
        assert!(message.contains(word), "{message}");
    }
}

#[test]
fn p22_a_plugin_that_need_not_be_there_takes_its_routes_away_until_it_is() {
    let config = [
        super::setup::base_with("required = false"),
        format!("[plugin.late]\n{PATIENT}\n"),
        route("integration", "", "plugin = \"late\""),
        route("stage", "{ plugin = \"late\" }", "respond = 200"),
    ];
    let gateway = TestGateway::start(&config.concat());
    let ask = |path: &str| http(gateway.addr("public"), "GET", path, &[], b"");
    for path in ["/integration", "/stage"] {
        let answer = ask(path);
        assert_eq!(
            (answer.status, answer.error()),
            (503, Some("PLUGIN_UNAVAILABLE")),
            "{path}"
        );
    }
    assert_eq!(ask("/neighbour").text(), "here");
    let ready = http(gateway.admin(), "GET", "/readyz", &[], b"");
    assert!(ready.status == 503 && ready.text().contains("late.wasm"), "{ready:?}");
    assert_eq!(http(gateway.admin(), "GET", "/healthz", &[], b"").status, 200);
    fs::create_dir_all(gateway.dir().join("plugins")).unwrap();
    gateway.write("plugins/late.wasm", guests::guest("version-one"));
    eventually("the plugin is there", || {
        (ask("/integration").status == 200).then_some(())
    });
    assert_eq!(ask("/stage").header("x-response-version"), Some("v1"));
    // First it serves, then it says so.
    eventually("the gateway is ready", || {
        (http(gateway.admin(), "GET", "/readyz", &[], b"").status == 200).then_some(())
    });
}
