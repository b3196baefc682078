//! G4: files that are replaced, written in place, half written, gone, or cannot be read.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gatewright_tests::{TestGateway, eventually, http};

use super::{number, numbered};

/// The configuration as the harness completes it, so that it can be written in other ways than the harness does.
fn complete(gateway: &TestGateway, config: &str) -> String {
    gateway.rewrite_config(config);
    fs::read_to_string(gateway.dir().join("gateway.toml")).unwrap()
}

fn wait_for(gateway: &TestGateway, expected: usize) {
    eventually("the new configuration serves", || {
        (number(gateway.addr("public")) == expected).then_some(())
    });
}

fn refusals(gateway: &TestGateway) -> f64 {
    gateway.metric("gatewright_reloads_total{result=\"refused\"}")
}

fn wait_for_refusal(gateway: &TestGateway, before: f64) {
    eventually("it is refused", || (refusals(gateway) > before).then_some(()));
}

#[test]
fn g4_a_change_serves_a_moment_after_the_file_has_come_to_rest() {
    let gateway = TestGateway::start(&numbered(0));
    let mut times = Vec::new();
    for next in 1..=10 {
        gateway.rewrite_config(&numbered(next));
        let written = Instant::now();
        wait_for(&gateway, next);
        times.push(written.elapsed());
    }
    times.sort();
    println!(
        "g4: from the last write to the first request that sees it: median {:?}, worst {:?}",
        times[5], times[9]
    );
    assert!(times[9] < Duration::from_secs(1), "{times:?}");
}

#[test]
fn g4_a_half_written_file_changes_nothing_and_the_whole_one_serves() {
    let gateway = TestGateway::start(&numbered(1));
    let path = gateway.dir().join("gateway.toml");
    let text = complete(&gateway, &numbered(2));
    wait_for(&gateway, 2);
    let text = text.replace("\"2\"", "\"3\"");
    for cut in [0, text.len() / 3, text.find("respond").unwrap()] {
        let before = refusals(&gateway);
        // In place, as an editor that knows no better does.
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(&text.as_bytes()[..cut]).unwrap();
        wait_for_refusal(&gateway, before);
        assert_eq!(number(gateway.addr("public")), 2, "cut at {cut}");
        file.write_all(&text.as_bytes()[cut..]).unwrap();
        wait_for(&gateway, 3);
        fs::write(&path, text.replace("\"3\"", "\"2\"")).unwrap();
        wait_for(&gateway, 2);
    }
}

#[test]
fn g4_a_file_that_is_replaced_a_hundred_times_a_second_costs_no_request() {
    let gateway = TestGateway::start(&numbered(0));
    let addr = gateway.addr("public");
    let done = AtomicBool::new(false);
    let requests = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let (mut requests, mut last) = (0, 0);
            while !done.load(Ordering::SeqCst) {
                let now = number(addr);
                assert!(now >= last, "{now} after {last}");
                (requests, last) = (requests + 1, now);
            }
            requests
        });
        let started = Instant::now();
        for next in 1..=150 {
            gateway.rewrite_config(&numbered(next));
            let pace = Duration::from_millis(10 * next as u64);
            std::thread::sleep(pace.saturating_sub(started.elapsed()));
        }
        wait_for(&gateway, 150);
        done.store(true, Ordering::SeqCst);
        asking.join().unwrap()
    });
    let loaded = gateway.metric("gatewright_reloads_total{result=\"published\"}");
    println!("g4: 150 changes in 1.5 s, {loaded} loads, {requests} requests");
    assert!(requests > 50, "{requests}");
    assert!(loaded > 2.0, "a file that never rests is loaded all the same: {loaded}");
    assert_eq!(refusals(&gateway), 0.0, "a file that is replaced is never half a file");
}

#[test]
fn g4_a_file_that_is_deleted_is_no_empty_configuration() {
    let gateway = TestGateway::start(&numbered(1));
    fs::remove_file(gateway.dir().join("gateway.toml")).unwrap();
    wait_for_refusal(&gateway, 0.0);
    assert_eq!(number(gateway.addr("public")), 1);
    let routes = http(gateway.admin(), "GET", "/routes", &[], b"").json();
    assert!(
        routes["last_refused_reload"]["reason"]
            .as_str()
            .unwrap()
            .contains("cannot read the file"),
        "{routes}"
    );
    gateway.rewrite_config(&numbered(2));
    wait_for(&gateway, 2);
}

#[test]
fn g4_a_file_that_cannot_be_read_any_more_changes_nothing() {
    let gateway = TestGateway::start(&numbered(1));
    let path = gateway.dir().join("gateway.toml");
    // Root may read everything except what is no file, so the permission is lost only where that means something.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    wait_for_refusal(&gateway, 0.0);
    assert_eq!(number(gateway.addr("public")), 1);
    fs::remove_dir(&path).unwrap();
    gateway.rewrite_config(&numbered(2));
    wait_for(&gateway, 2);
    if !rustix::process::getuid().is_root() {
        use std::os::unix::fs::PermissionsExt as _;
        let before = refusals(&gateway);
        gateway.rewrite_config(&numbered(3));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        wait_for_refusal(&gateway, before);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        gateway.reload().unwrap();
        wait_for(&gateway, 3);
    }
}

#[test]
fn g4_a_file_behind_links_that_are_swapped_is_seen() {
    // As volumes of configuration are mounted in containers.
    let gateway = TestGateway::start(&numbered(0));
    let dir = gateway.dir();
    let text = complete(&gateway, &numbered(1));
    for version in ["1", "2", "3"] {
        fs::create_dir(dir.join(version)).unwrap();
        fs::write(
            dir.join(version).join("gateway.toml"),
            text.replace("\"1\"", &format!("\"{version}\"")),
        )
        .unwrap();
    }
    let swap = |target: &str, link: &str| {
        symlink(target, dir.join("new-link")).unwrap();
        fs::rename(dir.join("new-link"), dir.join(link)).unwrap();
    };
    swap("1", "..data");
    swap("..data/gateway.toml", "gateway.toml");
    wait_for(&gateway, 1);
    swap("2", "..data");
    wait_for(&gateway, 2);
    swap("3", "..data");
    wait_for(&gateway, 3);
}

#[test]
fn g4_no_change_is_lost_however_it_meets_a_reload() {
    let gateway = TestGateway::start(&numbered(0));
    for round in 1..=20 {
        let (first, second) = (round * 2 - 1, round * 2);
        gateway.rewrite_config(&numbered(first));
        std::thread::scope(|scope| {
            let reloading = scope.spawn(|| gateway.reload());
            gateway.rewrite_config(&numbered(second));
            reloading.join().unwrap().unwrap();
        });
        wait_for(&gateway, second);
    }
}

#[test]
fn g4_other_files_in_the_folder_are_none_of_its_business() {
    let gateway = TestGateway::start(&numbered(1));
    for number in 0..50 {
        gateway.write(&format!("other-{number}"), "x");
    }
    gateway.rewrite_config(&numbered(2));
    wait_for(&gateway, 2);
    assert_eq!(gateway.metric("gatewright_generation"), 2.0);
}

#[test]
fn g4_rules_of_a_folder_are_those_that_are_in_it_with_what_they_include() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    let more = folder.path().join("more");
    for made in [&rules, &more] {
        fs::create_dir(made).unwrap();
    }
    let denying = |id: u32, word: &str| format!("SecRule ARGS \"@contains {word}\" \"id:{id},phase:1,deny\"\n");
    fs::write(rules.join("a.conf"), "Include ../more/*.conf\n").unwrap();
    fs::write(rules.join("words.data"), "third\n").unwrap();
    let gateway = TestGateway::start(&format!(
        "[listener.public]\naddress = \"127.0.0.1:0\"\n[[route]]\nname = \"all\"\npath = \"/\"\n\
         chain = [{{ use = \"waf\", rules = [\"{}\"] }}]\nintegration = {{ respond = 200 }}\n",
        rules.display()
    ));
    let status = |word: &str| http(gateway.addr("public"), "GET", &format!("/?q={word}"), &[], b"").status;
    let becomes = |word: &str, expected: u16| {
        eventually(&format!("{word} is {expected}"), || {
            (status(word) == expected).then_some(())
        });
    };
    let steps: [(&str, &dyn Fn()); 5] = [
        ("first", &|| {
            fs::write(rules.join("b.conf"), denying(1, "first")).unwrap()
        }),
        ("second", &|| {
            fs::write(more.join("c.conf"), denying(2, "second")).unwrap()
        }),
        ("third", &|| {
            let rule = "SecRule ARGS \"@pmFromFile words.data\" \"id:3,phase:1,deny\"\n";
            fs::write(rules.join("d.conf"), rule).unwrap();
        }),
        ("fourth", &|| fs::write(rules.join("words.data"), "fourth\n").unwrap()),
        ("fifth", &|| {
            fs::write(more.join("c.conf"), denying(2, "fifth")).unwrap()
        }),
    ];
    for (word, change) in steps {
        assert_eq!(status(word), 200);
        change();
        becomes(word, 403);
    }
    fs::remove_file(rules.join("b.conf")).unwrap();
    becomes("first", 200);
}
