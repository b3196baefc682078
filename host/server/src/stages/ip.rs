//! `ip`: requests of some addresses pass, those of others do not.

use gatewright_config::{IpConfig, IpList};
use gatewright_core::{Client, ClientIp, Exchange, Flow, Problem, ProblemKind, Stage, Step, Value};

/// Looks at the client's address, as far as trusted proxies tell it.
#[derive(Debug)]
pub struct Ip {
    allow: Option<IpList>,
    deny: IpList,
}

impl Stage for Ip {
    fn name(&self) -> &str {
        "ip"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        let verdict = self.verdict(&exchange.client);
        if let Some(explanation) = &exchange.record.explanation {
            let client = Value::Text(exchange.client.to_string());
            let why = Value::Text(verdict.unwrap_or("passes").to_owned());
            explanation.note("ip", [("client", client), ("verdict", why)]);
        }
        Step::ready(match verdict {
            None => Ok(Flow::Proceed),
            Some(why) => {
                let cause = format!("ip: {} {why}", exchange.client);
                Err(Problem::new(ProblemKind::AccessDenied).with_cause(cause))
            }
        })
    }
}

impl Ip {
    /// A stage for these lists.
    #[must_use]
    pub fn new(config: &IpConfig) -> Self {
        Self {
            allow: config.allow.clone(),
            deny: config.deny.clone(),
        }
    }

    /// Why the client may not pass. One whose address cannot be read may be anybody who is denied.
    fn verdict(&self, client: &Client) -> Option<&'static str> {
        if client.address == ClientIp::Unknown {
            return Some("cannot be told from its proxies' fields");
        }
        if has(&self.deny, client.address) {
            return Some("is denied");
        }
        let allowed = self.allow.as_ref().is_none_or(|allow| has(allow, client.address));
        (!allowed).then_some("is not allowed")
    }
}

/// Whether a client is in a list.
fn has(list: &IpList, address: ClientIp) -> bool {
    match address {
        ClientIp::Known(address) => list.networks.iter().any(|network| network.contains(&address)),
        ClientIp::Unix => list.unix,
        ClientIp::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    use gatewright_core::ClientAddress;

    fn list(entries: &[&str]) -> IpList {
        let networks = entries.iter().filter(|entry| **entry != "unix");
        IpList {
            networks: networks.map(|network| network.parse().unwrap()).collect(),
            unix: entries.contains(&"unix"),
        }
    }

    fn passes(allow: Option<&[&str]>, deny: &[&str], address: &str) -> bool {
        let stage = Ip {
            allow: allow.map(list),
            deny: list(deny),
        };
        let client = Client {
            peer: ClientAddress::Unix,
            address: match address {
                "unix" => ClientIp::Unix,
                "unknown" => ClientIp::Unknown,
                address => ClientAddress::Tcp(SocketAddr::new(address.parse().unwrap(), 1)).into(),
            },
            ipv6_prefix: 64,
            tls: false,
            tls_version: None,
            trusted: false,
            certificate: None,
        };
        stage.verdict(&client).is_none()
    }

    #[test]
    fn who_is_denied_does_not_pass_whatever_allows_him() {
        let allow = ["10.0.0.0/8", "2001:db8::/32"];
        for (address, passing) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("10.9.0.1", false),
            ("::ffff:10.9.0.1", false),
            ("11.0.0.1", false),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
            ("unix", false),
        ] {
            assert_eq!(passes(Some(&allow), &["10.9.0.0/16"], address), passing, "{address}");
        }
    }

    #[test]
    fn who_may_be_anybody_passes_no_list() {
        for (allow, deny) in [
            (None, &["10.0.0.0/8"][..]),
            (Some(&["0.0.0.0/0", "::/0", "unix"][..]), &[]),
            (Some(&["0.0.0.0/0"]), &["10.0.0.0/8"]),
            (None, &["unix"]),
        ] {
            assert!(!passes(allow, deny, "unknown"), "{allow:?} {deny:?}");
        }
    }

    #[test]
    fn without_a_list_of_the_allowed_all_pass_who_are_not_denied() {
        assert!(passes(None, &["10.0.0.0/8"], "11.0.0.1") && passes(None, &["10.0.0.0/8"], "unix"));
        assert!(!passes(None, &["unix"], "unix") && !passes(None, &["0.0.0.0/0"], "1.2.3.4"));
        assert!(passes(Some(&["unix"]), &[], "unix") && !passes(Some(&["unix"]), &[], "1.2.3.4"));
    }
}
