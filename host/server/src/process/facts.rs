//! What metrics say of the generation that serves.

use std::sync::Arc;

use gatewright_config::FileReference;

use crate::assemble::Generation;
use crate::listener::{certificate, tls};
use crate::telemetry::facts::{CertificateFact, Facts, TargetFact};

/// Of this one.
pub(super) fn of(generation: &Generation) -> Facts {
    let listeners = generation.config.listeners.values();
    let listeners = listeners.filter_map(|listener| Some(&listener.tls.as_ref()?.certificate));
    let upstreams = generation.config.upstreams.values();
    let upstreams = upstreams.filter_map(|upstream| Some(&upstream.identity.as_ref()?.certificate));
    let mut targets = Vec::new();
    for upstream in generation.upstreams.values() {
        targets.extend(upstream.targets().iter().map(|target| {
            let standing = Arc::clone(target);
            TargetFact {
                upstream: Arc::clone(&upstream.name),
                target: Arc::clone(&target.name),
                state: Box::new(move || standing.state()),
            }
        }));
    }
    // The same order at each scrape, and one series for a target that is there twice.
    targets.sort_by(|a, b| (&a.upstream, &a.target).cmp(&(&b.upstream, &b.target)));
    targets.dedup_by(|a, b| (&a.upstream, &a.target) == (&b.upstream, &b.target));
    Facts {
        certificates: listeners.chain(upstreams).filter_map(certificate).collect(),
        targets,
    }
}

/// The first of a chain to expire decides. What cannot be read was said when it was to be used.
fn certificate(file: &FileReference) -> Option<CertificateFact> {
    let chain = tls::certificates(file, "certificate").ok()?;
    let expires = chain.iter().filter_map(|der| certificate::expiry(der)).min()?;
    Some(CertificateFact {
        key: file.place.key.to_string(),
        file: file.path.display().to_string(),
        expires,
    })
}
