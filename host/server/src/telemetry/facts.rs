//! What is so at the time of asking: the process as the system sees it, the certificates that are used, and how targets stand.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// What the kernel counts time by in `/proc`: `USER_HZ`, which is 100 wherever programs can see it.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a generation has that can be asked how it is.
#[derive(Default)]
pub struct Facts {
    /// Certificates that are used.
    pub certificates: Vec<CertificateFact>,
    /// Targets of upstreams.
    pub targets: Vec<TargetFact>,
}

/// A certificate that is used.
pub struct CertificateFact {
    /// The key of the configuration that names it.
    pub key: String,
    /// Its file.
    pub file: String,
    /// Until when it, or the first one of its chain to expire, is good: seconds since 1970.
    pub expires: u64,
}

/// A target of an upstream.
pub struct TargetFact {
    /// The upstream.
    pub upstream: Arc<str>,
    /// Scheme, host and port.
    pub target: Arc<str>,
    /// How it stands now, one of [`TARGET_STATES`].
    pub state: Box<dyn Fn() -> &'static str + Send + Sync>,
}

/// How a target may stand: it is asked; the last attempt to connect to it failed; it is left out.
pub const TARGET_STATES: [&str; 3] = ["up", "unreachable", "ejected"];

/// Shows the facts of the generation that serves.
#[derive(Default)]
pub(super) struct FactsCollector(pub(super) Arc<ArcSwapOption<Facts>>);

impl fmt::Debug for FactsCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FactsCollector")
    }
}

impl Collector for FactsCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        process(&mut encoder)?;
        let Some(facts) = self.0.load_full() else { return Ok(()) };
        if !facts.certificates.is_empty() {
            let mut metric = encoder.encode_descriptor(
                "gatewright_certificate_expiry_timestamp_seconds",
                "Until when a certificate that is used, with its chain, is good",
                None,
                MetricType::Gauge,
            )?;
            for CertificateFact { key, file, expires } in &facts.certificates {
                let labels = [("key", key.as_str()), ("file", file.as_str())];
                metric.encode_family(&labels)?.encode_gauge(expires)?;
            }
        }
        if facts.targets.is_empty() {
            return Ok(());
        }
        let mut metric = encoder.encode_descriptor(
            "gatewright_upstream_target_state",
            "Whether a target of an upstream stands so",
            None,
            MetricType::Gauge,
        )?;
        for TargetFact {
            upstream,
            target,
            state,
        } in &facts.targets
        {
            let now = state();
            for state in TARGET_STATES {
                let labels = [("upstream", &**upstream), ("target", &**target), ("state", state)];
                metric.encode_family(&labels)?.encode_gauge(&u64::from(state == now))?;
            }
        }
        Ok(())
    }
}

/// The names are those that Prometheus' own libraries use.
fn process(encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let Process {
        cpu_seconds,
        threads,
        start_seconds,
        virtual_bytes,
        resident_bytes,
        open_fds,
        max_fds,
    } = Process::now();
    if let Some(seconds) = cpu_seconds {
        let help = "User and system processor time of the process";
        let mut metric = encoder.encode_descriptor("process_cpu_seconds", help, None, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, u64>(&seconds, None)?;
    }
    let gauges = [
        ("process_threads", "Threads of the process", threads),
        (
            "process_start_time_seconds",
            "When the process began, since 1970",
            start_seconds,
        ),
        (
            "process_virtual_memory_bytes",
            "Address space of the process",
            virtual_bytes,
        ),
        ("process_resident_memory_bytes", "Memory of the process", resident_bytes),
        ("process_open_fds", "Open file descriptors of the process", open_fds),
        ("process_max_fds", "File descriptors that it may have open", max_fds),
    ];
    for (name, help, value) in gauges {
        let Some(value) = value else { continue };
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        metric.encode_gauge(&value)?;
    }
    Ok(())
}

/// What the system says of this process; what it does not say is not shown.
#[derive(Default)]
struct Process {
    cpu_seconds: Option<f64>,
    threads: Option<f64>,
    start_seconds: Option<f64>,
    virtual_bytes: Option<f64>,
    resident_bytes: Option<f64>,
    open_fds: Option<f64>,
    max_fds: Option<f64>,
}

impl Process {
    fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The name in parentheses may hold anything. After it come the fields from the third on (proc(5)).
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .map_or("", |(_, rest)| rest)
            .split_whitespace()
            .collect();
        let field = |number: usize| fields.get(number.checked_sub(3)?)?.parse::<f64>().ok();
        let page = rustix::param::page_size() as f64;
        let open = std::fs::read_dir("/proc/self/fd").ok();
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        Self {
            cpu_seconds: field(14)
                .zip(field(15))
                .map(|(user, system)| (user + system) / TICKS_PER_SECOND),
            threads: field(20),
            start_seconds: field(22).and_then(|ticks| Some(boot_time()? + ticks / TICKS_PER_SECOND)),
            virtual_bytes: field(23),
            resident_bytes: field(24).map(|pages| pages * page),
            // One of them is open for counting.
            open_fds: open.map(|open| open.count().saturating_sub(1) as f64),
            max_fds: limit.current.map(|limit| limit as f64),
        }
    }
}

/// Seconds since 1970.
fn boot_time() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    stat.lines()
        .find_map(|line| line.strip_prefix("btime "))?
        .trim()
        .parse()
        .ok()
}

/// Seconds since 1970.
pub(super) fn now_seconds() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}
