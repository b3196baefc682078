//! `[server]`

use super::Resolver;
use crate::file::Server;
use crate::gateway::ServerConfig;

/// More threads than any machine has processors is a typing error that would exhaust it.
const MOST_WORKERS: usize = 1024;

impl Resolver<'_> {
    pub(super) fn server(&mut self) -> Option<ServerConfig> {
        let Server {
            workers,
            drain_delay,
            drain_timeout,
        } = &self.file.server.value;
        if workers.value > MOST_WORKERS {
            let message = format!(
                "{} threads are more than the {MOST_WORKERS} there may be",
                workers.value
            );
            self.error(&workers.span, message, "write 0 for one thread a processor");
            return None;
        }
        Some(ServerConfig {
            workers: workers.value,
            drain_delay: drain_delay.0,
            drain_timeout: drain_timeout.0,
        })
    }
}
