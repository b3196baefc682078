//! The numbers of a plugin as `/plugins` shows them.

use serde::Serialize;

use super::Outcome;
use super::route::RouteSums;
use super::stats::{LastTrap, PluginStats};
use crate::failure::TrapReason;
use crate::kind::PluginKind;

/// Numbers of a plugin for people: since the process began, over all versions of the file.
#[derive(Clone, Debug, Serialize)]
pub struct RuntimeStats {
    /// Configurations that are in use.
    pub runtimes: usize,
    /// Those of them whose breaker is open.
    pub resting: usize,
    /// Instances alive.
    pub instances: u64,
    /// Those of them that wait for a call.
    pub idle: u64,
    /// Most linear memory that one instance had, in bytes.
    pub memory_high_water_bytes: u64,
    /// Processor time, in milliseconds.
    pub cpu_ms: f64,
    /// Calls by hook and outcome, all routes together; only those that occurred.
    pub calls: Vec<CallStats>,
    /// Traps by reason, all routes together; only those that occurred.
    pub traps: Vec<(&'static str, u64)>,
    /// The last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_trap: Option<LastTrap>,
    /// The same by route.
    pub routes: Vec<RouteReport>,
}

/// Numbers of a plugin on one route.
#[derive(Clone, Debug, Serialize)]
pub struct RouteReport {
    /// The route.
    pub route: String,
    /// Calls that wait for a place now.
    pub waiting: u64,
    /// Calls that run now.
    pub running: u64,
    /// Calls that have had to wait for a place.
    pub queued: u64,
    /// How long they waited, in milliseconds.
    pub queue_ms: f64,
    /// Time of the calls once they had their place, in milliseconds.
    pub wall_ms: f64,
    /// Processor time, in milliseconds.
    pub cpu_ms: f64,
    /// Most linear memory that an instance had after a call of this route, in bytes.
    pub memory_high_water_bytes: u64,
    /// Calls by hook and outcome; only those that occurred.
    pub calls: Vec<CallStats>,
    /// Traps by reason; only those that occurred.
    pub traps: Vec<(&'static str, u64)>,
}

/// Calls of one hook that ended in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallStats {
    /// The interface.
    pub hook: &'static str,
    /// How they ended.
    pub outcome: &'static str,
    /// How many.
    pub count: u64,
}

impl PluginStats {
    /// For people; what belongs to this version of the plugin is the caller's to say.
    pub(crate) fn report(&self, runtimes: usize, resting: usize) -> RuntimeStats {
        let sums = self.sums();
        let routes = self.routes();
        let all: Vec<_> = routes.iter().map(|(_, sums)| sums).collect();
        let on_routes: u64 = all.iter().map(|sums| sums.processor_nanos).sum();
        RuntimeStats {
            runtimes,
            resting,
            instances: sums.instance_made.saturating_sub(sums.instance_gone),
            idle: sums.instance_idle.saturating_sub(sums.instance_taken),
            memory_high_water_bytes: self.memory_high_water(),
            cpu_ms: ms(on_routes + self.loading_nanos()),
            calls: calls(&all),
            traps: traps(&all),
            last_trap: self.last_trap(),
            routes: routes.iter().map(|(route, sums)| report(route, sums)).collect(),
        }
    }
}

fn report(route: &str, sums: &RouteSums) -> RouteReport {
    RouteReport {
        route: route.to_owned(),
        waiting: sums.waiting(),
        running: sums.running(),
        queued: sums.counts.queued,
        queue_ms: ms(sums.queue_nanos),
        wall_ms: ms(sums.wall_nanos()),
        cpu_ms: ms(sums.processor_nanos),
        memory_high_water_bytes: sums.memory_high_water,
        calls: calls(&[sums]),
        traps: traps(&[sums]),
    }
}

fn calls(routes: &[&RouteSums]) -> Vec<CallStats> {
    let mut calls = Vec::new();
    for (index, kind) in PluginKind::ALL.into_iter().enumerate() {
        for outcome in Outcome::ALL {
            let of = |sums: &&RouteSums| sums.calls.get(index)?.get(outcome as usize).copied();
            let count: u64 = routes.iter().filter_map(of).sum();
            if count > 0 {
                calls.push(CallStats {
                    hook: kind.as_str(),
                    outcome: outcome.as_str(),
                    count,
                });
            }
        }
    }
    calls
}

fn traps(routes: &[&RouteSums]) -> Vec<(&'static str, u64)> {
    let count = |reason: &TrapReason| {
        let of = |sums: &&RouteSums| sums.traps.get(*reason as usize).copied();
        (reason.as_str(), routes.iter().filter_map(of).sum::<u64>())
    };
    TrapReason::ALL
        .iter()
        .map(count)
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn ms(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}
