//! What is shown of a plugin for each route that uses it. Routes have their names from the configuration, so clients
//! cannot make series.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::{RouteSums, Row, seconds};
use crate::failure::TrapReason;
use crate::kind::PluginKind;
use crate::metrics::Outcome;

type Count = (&'static str, &'static str, fn(&RouteSums) -> u64);
type Time = Count;

const COUNTERS: [Count; 2] = [
    ("gatewright_plugin_queued", "Calls that waited for a place", |sums| {
        sums.counts.queued
    }),
    (
        "gatewright_plugin_skipped",
        "Faults passed over by on_fault = skip",
        |sums| sums.counts.skipped,
    ),
];

const TIMES: [Time; 2] = [
    (
        "gatewright_plugin_queue_seconds",
        "Time that calls waited for a place",
        |sums| sums.queue_nanos,
    ),
    (
        "gatewright_plugin_wall_seconds",
        "Time of calls once they had their place",
        RouteSums::wall_nanos,
    ),
];

pub(super) fn encode(encoder: &mut DescriptorEncoder<'_>, rows: &[Row]) -> fmt::Result {
    calls(encoder, rows)?;
    traps(encoder, rows)?;
    decisions(encoder, rows)?;
    for (name, help, value) in COUNTERS {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, sums) in routes(rows) {
            let mut metric = metric.encode_family(&labels)?;
            metric.encode_counter::<NoLabelSet, _, u64>(&value(sums), None)?;
        }
    }
    for (name, help, nanos) in TIMES {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, sums) in routes(rows) {
            let mut metric = metric.encode_family(&labels)?;
            metric.encode_counter::<NoLabelSet, _, u64>(&seconds(nanos(sums)), None)?;
        }
    }
    cpu(encoder, rows)?;
    gauges(encoder, rows)
}

/// Each plugin on each route.
fn routes(rows: &[Row]) -> impl Iterator<Item = ([(&'static str, &str); 2], &RouteSums)> {
    rows.iter().flat_map(|row| {
        let labels = |route| [("plugin", &*row.name), ("route", route)];
        row.routes.iter().map(move |(route, sums)| (labels(&**route), sums))
    })
}

fn calls(encoder: &mut DescriptorEncoder<'_>, rows: &[Row]) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(
        "gatewright_plugin_calls",
        "Calls of plugins by route, hook and outcome",
        None,
        MetricType::Counter,
    )?;
    for ([plugin, route], sums) in routes(rows) {
        for (kind, outcomes) in PluginKind::ALL.into_iter().zip(&sums.calls) {
            for (outcome, count) in Outcome::ALL.into_iter().zip(outcomes).filter(|(_, count)| **count > 0) {
                let labels = [plugin, route, ("hook", kind.as_str()), ("outcome", outcome.as_str())];
                metric
                    .encode_family(&labels)?
                    .encode_counter::<NoLabelSet, _, u64>(count, None)?;
            }
        }
    }
    Ok(())
}

fn traps(encoder: &mut DescriptorEncoder<'_>, rows: &[Row]) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(
        "gatewright_plugin_traps",
        "Calls of plugins that broke off, by route and reason",
        None,
        MetricType::Counter,
    )?;
    for ([plugin, route], sums) in routes(rows) {
        let occurred = TrapReason::ALL.iter().zip(sums.traps).filter(|(_, count)| *count > 0);
        for (reason, count) in occurred {
            metric
                .encode_family(&[plugin, route, ("reason", reason.as_str())])?
                .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
    }
    Ok(())
}

fn decisions(encoder: &mut DescriptorEncoder<'_>, rows: &[Row]) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(
        "gatewright_plugin_decision_cache",
        "Decisions of authorizers on cached routes",
        None,
        MetricType::Counter,
    )?;
    for ([plugin, route], sums) in routes(rows) {
        let counts = &sums.counts;
        for (result, count) in [
            ("hit", counts.decision_hit),
            ("miss", counts.decision_miss),
            ("bypass", counts.decision_bypass),
        ] {
            metric
                .encode_family(&[plugin, route, ("result", result)])?
                .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
    }
    Ok(())
}

fn cpu(encoder: &mut DescriptorEncoder<'_>, rows: &[Row]) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(
        "gatewright_plugin_cpu_seconds",
        "Processor time of plugins, without what they waited for",
        None,
        MetricType::Counter,
    )?;
    let loading = rows.iter().map(|row| {
        let labels = [("plugin", &*row.name), ("route", "")];
        (labels, row.stats.loading_nanos())
    });
    for (labels, nanos) in loading.chain(routes(rows).map(|(labels, sums)| (labels, sums.processor_nanos))) {
        metric
            .encode_family(&labels)?
            .encode_counter::<NoLabelSet, _, u64>(&seconds(nanos), None)?;
    }
    Ok(())
}

fn gauges(encoder: &mut DescriptorEncoder<'_>, rows: &[Row]) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(
        "gatewright_plugin_calls_in_progress",
        "Calls that run, and calls that wait for a place",
        None,
        MetricType::Gauge,
    )?;
    for ([plugin, route], sums) in routes(rows) {
        for (state, count) in [("running", sums.running()), ("waiting", sums.waiting())] {
            metric
                .encode_family(&[plugin, route, ("state", state)])?
                .encode_gauge(&count)?;
        }
    }
    let mut metric = encoder.encode_descriptor(
        "gatewright_plugin_memory_high_water_bytes",
        "Most linear memory of one instance",
        None,
        MetricType::Gauge,
    )?;
    for (labels, sums) in routes(rows) {
        metric.encode_family(&labels)?.encode_gauge(&sums.memory_high_water)?;
    }
    Ok(())
}
