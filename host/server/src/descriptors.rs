//! File descriptors: how many the process may have, whether that fits the configuration, and whether they have run out.

use std::io;

use gatewright_config::GatewayConfig;
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the process needs besides connections: sockets that listen, event queues, files.
const BESIDES: u64 = 64;

/// Raises the soft limit to the hard one. The soft limit protects programs that use `select`, which we do not.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "cannot raise the limit of open files to what the system allows");
    }
}

/// Says so if there cannot be as many connections as the configuration allows.
pub fn warn_of_too_few(config: &GatewayConfig) {
    let Some(limit) = getrlimit(Resource::Nofile).current else {
        return;
    };
    let needed = needed(config);
    if needed > limit {
        let keys: Vec<String> = config
            .listeners
            .keys()
            .map(|name| format!("listener.{name}.limits.connections"))
            .collect();
        tracing::warn!(
            limit,
            needed,
            keys = keys.join(", "),
            "the connections that the configuration allows need more open files than the system does; raise its limit \
             (`ulimit -n`, `LimitNOFILE=`) or lower these keys"
        );
    }
}

/// Whether the error says that there are no more, for this process or for the system.
pub fn are_exhausted(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Each client may need a connection to an upstream besides its own. Kept ones are those that were in use before.
fn needed(config: &GatewayConfig) -> u64 {
    let clients = config.listeners.values().fold(0_u64, |sum, listener| {
        sum.saturating_add(u64::try_from(listener.limits.connections).unwrap_or(u64::MAX))
    });
    let upstreams = if config.upstreams.is_empty() { 0 } else { clients };
    clients.saturating_add(upstreams).saturating_add(BESIDES)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_client_may_need_a_connection_to_an_upstream() {
        let listener = "[listener.a]\naddress = \"127.0.0.1:0\"\nlimits = { connections = 1000 }\n";
        let upstream = "[upstream.b]\ntargets = [{ url = \"http://127.0.0.1:1\" }]\n";
        let needed = |text: &str| needed(&gatewright_config::parse(text, Path::new("gateway.toml")).unwrap());
        assert_eq!(needed(listener), 1064);
        assert_eq!(needed(&format!("{listener}{upstream}")), 2064);
    }
}
