//! Host tiers: the routes of each host pattern, and the order in which a host is looked up in them.

use std::collections::{BTreeSet, HashMap};
use std::iter;

use gatewright_config::gateway::HostPattern;

use super::RouterErrorCause;
use super::host::parse_authority;
use super::methods::HostRoutes;

/// Routes by host pattern.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    exact: HashMap<String, HostRoutes>,
    suffix: HashMap<String, HostRoutes>,
    any: HostRoutes,
}

impl Hosts {
    /// Calls `insert` with the routes of each of the `patterns` once; no pattern is any host.
    pub(super) fn insert(
        &mut self,
        patterns: &[HostPattern],
        mut insert: impl FnMut(&mut HostRoutes) -> Result<(), RouterErrorCause>,
    ) -> Result<(), RouterErrorCause> {
        if patterns.is_empty() {
            return insert(&mut self.any);
        }
        // A pattern written twice is not a conflict of the route with itself.
        for pattern in patterns.iter().map(normal).collect::<BTreeSet<_>>() {
            insert(match pattern {
                HostPattern::Exact(host) => self.exact.entry(host).or_default(),
                HostPattern::Suffix(host) => self.suffix.entry(host).or_default(),
            })?;
        }
        Ok(())
    }

    /// The tiers that `host` belongs to, most specific first.
    pub(super) fn tiers<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a HostRoutes> {
        let walked = if self.suffix.is_empty() { "" } else { host };
        let suffixes = parents(walked).filter_map(|parent| self.suffix.get(parent));
        self.exact
            .get(host)
            .into_iter()
            .chain(suffixes)
            .chain(iter::once(&self.any))
    }
}

/// The pattern as request hosts are written: an IPv6 address has many spellings.
fn normal(pattern: &HostPattern) -> HostPattern {
    let written = |host: &String| parse_authority(host.as_bytes()).map_or(host.clone(), |it| it.host.into_owned());
    match pattern {
        HostPattern::Exact(host) => HostPattern::Exact(written(host)),
        HostPattern::Suffix(host) => HostPattern::Suffix(written(host)),
    }
}

/// `b.c` and `c` for `a.b.c`: walking up is a few look-ups, however many patterns there are.
fn parents(host: &str) -> impl Iterator<Item = &str> {
    iter::successors(parent(host), |name| parent(name))
}

fn parent(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, parent)| parent)
}
