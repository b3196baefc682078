//! The metrics of all plugins as the metrics endpoint shows them, summed up when it is asked.

mod by_route;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gatewright_core::RouteName;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::HostMetrics;
use super::route::{BUCKETS, RouteSums};
use super::service::{Answered, Service};
use super::stats::{PluginStats, PluginSums};
use crate::kind::PluginKind;

/// Registered once with the process's registry.
pub(crate) struct PluginCollector(pub(crate) Arc<HostMetrics>);

impl fmt::Debug for PluginCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PluginCollector")
    }
}

/// One plugin at the time of asking.
struct Row {
    name: Arc<str>,
    stats: Arc<PluginStats>,
    sums: PluginSums,
    routes: Vec<(RouteName, RouteSums)>,
}

type Labels<'a> = [(&'static str, &'a str); 3];

impl Collector for PluginCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let row = |(name, stats): (Arc<str>, Arc<PluginStats>)| Row {
            sums: stats.sums(),
            routes: stats.routes(),
            name,
            stats,
        };
        let rows: Vec<_> = self.0.all().into_iter().map(row).collect();
        call_seconds(&mut encoder, &rows)?;
        by_route::encode(&mut encoder, &rows)?;
        caches(&mut encoder, &rows)?;
        instances(&mut encoder, &rows)?;
        for (name, help, value) in COUNTERS {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for row in &rows {
                metric
                    .encode_family(&[("plugin", &*row.name)])?
                    .encode_counter::<NoLabelSet, _, u64>(&value(&row.sums), None)?;
            }
        }
        services(&mut encoder, &rows)?;
        self.host(&mut encoder)?;
        self.0.custom.encode(&mut encoder)
    }
}

type Counter = (&'static str, &'static str, fn(&PluginSums) -> u64);

const COUNTERS: [Counter; 2] = [
    (
        "gatewright_plugin_log_lines_dropped",
        "Log lines beyond the budget",
        |sums| sums.log_line_dropped,
    ),
    (
        "gatewright_plugin_samples_dropped",
        "Samples of own metrics not taken",
        |sums| sums.sample_dropped,
    ),
];

/// Not by route: the stages' histograms are, and this many series for each plugin, hook and route would be too many.
fn call_seconds(encoder: &mut DescriptorEncoder<'_>, rows: &[Row]) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(
        "gatewright_plugin_call_seconds",
        "Time of calls of plugins, waiting for a place included",
        None,
        MetricType::Histogram,
    )?;
    for row in rows {
        for (index, kind) in PluginKind::ALL.into_iter().enumerate() {
            let (mut nanos, mut times) = (0, [0; BUCKETS.len() + 1]);
            for (_, sums) in &row.routes {
                nanos += sums.nanos.get(index).copied().unwrap_or_default();
                let of_route = sums.times.get(index).into_iter().flatten();
                times.iter_mut().zip(of_route).for_each(|(sum, count)| *sum += count);
            }
            let count: u64 = times.iter().sum();
            if count == 0 {
                continue;
            }
            let bounds = BUCKETS.iter().map(|bound| bound.as_secs_f64()).chain([f64::INFINITY]);
            let buckets: Vec<_> = bounds.zip(times).collect();
            let labels = [("plugin", &*row.name), ("hook", kind.as_str())];
            metric
                .encode_family(&labels)?
                .encode_histogram::<NoLabelSet>(seconds(nanos), count, &buckets, None)?;
        }
    }
    Ok(())
}

fn caches(encoder: &mut DescriptorEncoder<'_>, rows: &[Row]) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(
        "gatewright_plugin_cache",
        "Values that plugins asked their caches for",
        None,
        MetricType::Counter,
    )?;
    for row in rows {
        let sums = &row.sums;
        for (result, count) in [
            ("hit", sums.cache_hit),
            ("miss", sums.cache_miss),
            ("shared", sums.cache_shared),
        ] {
            let labels = [("plugin", &*row.name), ("result", result)];
            metric
                .encode_family(&labels)?
                .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
    }
    let name = "gatewright_plugin_cache_waiting";
    let help = "Calls that wait for a value that another call computes";
    gauge(encoder, name, help, rows, |row| {
        row.sums.cache_wait_began.saturating_sub(row.sums.cache_wait_ended)
    })
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    rows: &[Row],
    value: impl Fn(&Row) -> u64,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for row in rows {
        metric
            .encode_family(&[("plugin", &*row.name)])?
            .encode_gauge(&value(row))?;
    }
    Ok(())
}

fn instances(encoder: &mut DescriptorEncoder<'_>, rows: &[Row]) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(
        "gatewright_plugin_instances",
        "Instances alive",
        None,
        MetricType::Gauge,
    )?;
    for row in rows {
        let alive = row.sums.instance_made.saturating_sub(row.sums.instance_gone);
        let idle = row.sums.instance_idle.saturating_sub(row.sums.instance_taken);
        for (state, count) in [("busy", alive.saturating_sub(idle)), ("idle", idle)] {
            metric
                .encode_family(&[("plugin", &*row.name), ("state", state)])?
                .encode_gauge(&count)?;
        }
    }
    Ok(())
}

fn services(encoder: &mut DescriptorEncoder<'_>, rows: &[Row]) -> fmt::Result {
    let used = || {
        rows.iter().flat_map(|row| {
            let services = Service::ALL
                .iter()
                .map(|service| (*service, row.stats.services.sums(*service)));
            services.map(|(service, sums)| (&*row.name, service.as_str(), sums))
        })
    };
    let mut metric = encoder.encode_descriptor(
        "gatewright_plugin_service_calls",
        "Calls of services by plugins, by service and outcome",
        None,
        MetricType::Counter,
    )?;
    for (plugin, service, sums) in used() {
        for (answered, count) in Answered::ALL.iter().zip(sums.calls).filter(|(_, count)| *count > 0) {
            let labels: Labels<'_> = [("plugin", plugin), ("service", service), ("outcome", answered.as_str())];
            metric
                .encode_family(&labels)?
                .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
    }
    let mut metric = encoder.encode_descriptor(
        "gatewright_plugin_service_seconds",
        "Time that calls of services took",
        None,
        MetricType::Counter,
    )?;
    for (plugin, service, sums) in used().filter(|(_, _, sums)| sums.calls.iter().any(|count| *count > 0)) {
        metric
            .encode_family(&[("plugin", plugin), ("service", service)])?
            .encode_counter::<NoLabelSet, _, u64>(&seconds(sums.nanos), None)?;
    }
    Ok(())
}

impl PluginCollector {
    fn host(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let load = |number: &std::sync::atomic::AtomicU64| number.load(Ordering::Relaxed);
        encoder
            .encode_descriptor(
                "gatewright_plugin_runtimes",
                "Plugin configurations in use",
                None,
                MetricType::Gauge,
            )?
            .encode_gauge(&load(&self.0.runtimes))?;
        let mut metric = encoder.encode_descriptor(
            "gatewright_plugin_loads",
            "Plugins loaded, by where their code came from",
            None,
            MetricType::Counter,
        )?;
        for (source, count) in [
            ("compiler", load(&self.0.compiled)),
            ("store", load(&self.0.from_store)),
        ] {
            metric
                .encode_family(&[("source", source)])?
                .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        encoder
            .encode_descriptor(
                "gatewright_plugin_compile_seconds",
                "Time spent compiling",
                None,
                MetricType::Counter,
            )?
            .encode_counter::<NoLabelSet, _, u64>(&seconds(load(&self.0.compile_nanos)), None)
    }
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}
