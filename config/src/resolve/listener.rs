//! `[listener.NAME]`

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ipnet::IpNet;

use super::Resolver;
use crate::condition;
use crate::file::{ClientAuth, Limits, Listener, Located, Protocol, Section, Tls, TlsVersion};
use crate::gateway::{AdminConfig, ClientTls, IpList, ListenAddress, ListenerConfig, ListenerLimits, ListenerTls};
use crate::report::quoted;

impl Resolver<'_> {
    pub(super) fn listeners(&mut self) -> BTreeMap<String, ListenerConfig> {
        let sections = &self.file.listener;
        if sections.is_empty() && !self.report.is_damaged(&(0..0)) {
            let example = "a gateway needs one, such as:\n[listener.public]\naddress = \"0.0.0.0:8080\"";
            self.error(&(0..0), "there is no listener", example);
        }
        sections
            .iter()
            .filter_map(|(name, section)| Some((name.clone(), self.listener(name, section)?)))
            .collect()
    }

    /// No two listeners, nor a listener and the admin, at one address.
    pub(super) fn addresses(&mut self, listeners: &BTreeMap<String, ListenerConfig>, admin: Option<&AdminConfig>) {
        let mut taken: Vec<(String, ListenAddress)> = Vec::new();
        if let Some(admin) = admin {
            taken.push(("the admin".to_owned(), ListenAddress::Tcp(admin.address)));
        }
        for (name, listener) in listeners {
            let free_port = matches!(&listener.address, ListenAddress::Tcp(address) if address.port() == 0);
            match taken.iter().find(|(_, address)| *address == listener.address) {
                Some((other, _)) if !free_port => {
                    let span = self
                        .file
                        .listener
                        .get(name)
                        .and_then(|section| section.value.address.as_ref());
                    let span = span.map_or(0..0, |address| address.span.clone());
                    self.error(
                        &span,
                        format!("it is also the address of {other}"),
                        "give each its own address",
                    );
                }
                _ => taken.push((format!("listener `{name}`"), listener.address.clone())),
            }
        }
    }

    fn listener(&mut self, name: &str, section: &Section<Listener>) -> Option<ListenerConfig> {
        let Listener {
            address,
            mode,
            tls,
            protocols,
            trusted_proxies,
            trusted_fields,
            underscores,
            limits,
        } = &section.value;
        let address = self.required(address.as_ref(), &section.span, "address", "\"0.0.0.0:8080\"");
        let span = address.map_or(&section.span, |address| &address.span);
        let place = self.report.place(span, format!("listener.{}.address", quoted(name)));
        let address = address.and_then(|address| self.listen_address(address));
        let mode = mode.as_ref().and_then(|mode| self.socket_mode(mode, address.as_ref()));
        let tls = tls.as_ref().map(|tls| self.tls(name, tls));
        let trusted = self.ip_list(trusted_proxies);
        let limits = self.listener_limits(limits);
        if protocols.value.is_empty() && section.whole {
            self.error(
                &protocols.span,
                "a listener speaks one protocol at least",
                "write [\"http/1.1\", \"h2\"]",
            );
        }
        Some(ListenerConfig {
            address: address?,
            place,
            mode,
            tls: match tls {
                Some(tls) => Some(tls?),
                None => None,
            },
            http1: protocols.value.contains(&Protocol::Http1),
            http2: protocols.value.contains(&Protocol::Http2),
            trusted_proxies: trusted?,
            trusted_fields: trusted_fields.clone(),
            underscores: *underscores,
            limits: limits?,
        })
    }

    fn listen_address(&mut self, address: &Located<String>) -> Option<ListenAddress> {
        match address.value.strip_prefix("unix:") {
            Some(path) => {
                let path = Located {
                    value: path.to_owned(),
                    span: address.span.clone(),
                };
                self.path(&path).map(ListenAddress::Unix)
            }
            None => self.socket_address(address).map(ListenAddress::Tcp),
        }
    }

    /// Permissions of a Unix socket's file, in octal digits.
    fn socket_mode(&mut self, mode: &Located<String>, address: Option<&ListenAddress>) -> Option<u32> {
        if let Some(ListenAddress::Tcp(_)) = address {
            let hint = "remove it, or listen on \"unix:PATH\"";
            self.error(&mode.span, "only the file of a Unix socket has permissions", hint);
            return None;
        }
        let digits = mode.value.strip_prefix("0o").unwrap_or(&mode.value);
        let is_octal = (1..=4).contains(&digits.len()) && digits.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
        let parsed = u32::from_str_radix(digits, 8)
            .ok()
            .filter(|mode| is_octal && *mode <= 0o777);
        if parsed.is_none() {
            let hint = "write \"0660\" for the user and the group, or \"0666\" for everybody";
            self.error(&mode.span, format!("`{}` is not a mode of a file", mode.value), hint);
        }
        parsed
    }

    /// An IP address and port.
    pub(super) fn socket_address(&mut self, address: &Located<String>) -> Option<SocketAddr> {
        let text = address.value.as_str();
        let parsed = text.parse().ok();
        if parsed.is_none() {
            let hint = match text.rsplit_once(':') {
                Some(("" | "*", port)) if port.parse::<u16>().is_ok() => format!("write \"0.0.0.0:{port}\""),
                Some(("localhost", port)) if port.parse::<u16>().is_ok() => format!("write \"127.0.0.1:{port}\""),
                _ => "write an IP address and a port, such as \"0.0.0.0:8080\" or \"[::]:8080\"".to_owned(),
            };
            self.error(&address.span, format!("`{text}` is not an address to listen on"), hint);
        }
        parsed
    }

    fn tls(&mut self, listener: &str, tls: &Located<Tls>) -> Option<ListenerTls> {
        let Tls {
            certificate,
            key,
            min_version,
            resumption,
            client_auth,
            client_ca,
            client_crl,
        } = &tls.value;
        let path_of = |key: &str| format!("listener.{}.tls.{key}", quoted(listener));
        let certificate = self.required(certificate.as_ref(), &tls.span, "certificate", "\"tls.crt\"");
        let certificate = certificate.and_then(|file| self.file_reference(file, path_of("certificate")));
        let key = self.required(key.as_ref(), &tls.span, "key", "\"tls.key\"");
        let key = key.and_then(|file| self.file_reference(file, path_of("key")));
        let ca = client_ca
            .as_ref()
            .map(|file| self.file_reference(file, path_of("client_ca")));
        let crl = client_crl
            .as_ref()
            .map(|file| self.file_reference(file, path_of("client_crl")));
        let asks = client_auth.value != ClientAuth::Off;
        let unused = client_ca.as_ref().or(client_crl.as_ref()).filter(|_| !asks);
        if let Some(unused) = unused.filter(|_| !self.report.is_damaged(&tls.span)) {
            let hint = "add `client_auth = \"required\"` or \"optional\"";
            self.error(&unused.span, "clients are not asked for certificates", hint);
        }
        let clients = match asks {
            true => {
                self.required(client_ca.as_ref(), &tls.span, "client_ca", "\"clients.pem\"");
                Some(ClientTls {
                    required: client_auth.value == ClientAuth::Required,
                    ca: ca??,
                    crl: match crl {
                        Some(crl) => Some(crl?),
                        None => None,
                    },
                })
            }
            false => None,
        };
        let tls12 = *min_version == TlsVersion::Tls12;
        Some(ListenerTls {
            certificate: certificate?,
            key: key?,
            tls12,
            resumption: *resumption,
            clients,
        })
    }

    /// Addresses, networks and `unix`.
    pub(super) fn ip_list(&mut self, entries: &[Located<String>]) -> Option<IpList> {
        let mut list = IpList::default();
        let mut good = true;
        for entry in entries {
            if entry.value == "unix" {
                list.unix = true;
                continue;
            }
            match self.network(entry) {
                Some(network) => list.networks.push(network),
                None => good = false,
            }
        }
        good.then_some(list)
    }

    fn network(&mut self, network: &Located<String>) -> Option<IpNet> {
        let text = network.value.as_str();
        let parsed = condition::network(text);
        if parsed.is_none() {
            let hint = "write an IP address or a network, such as \"10.0.0.1\" or \"10.0.0.0/8\"";
            self.error(&network.span, format!("`{text}` is not an address or network"), hint);
        }
        parsed
    }

    fn listener_limits(&mut self, limits: &Limits) -> Option<ListenerLimits> {
        let Limits {
            connections,
            header_count,
            header_bytes,
            uri_bytes,
            body,
            streams,
            handshake_timeout,
            header_timeout,
            idle_timeout,
            body_timeout,
            body_rate,
            ref ipv6_prefix,
        } = *limits;
        if ipv6_prefix.value > 128 {
            let hint = "write how many leading bits of an address make one client, such as 64";
            self.error(&ipv6_prefix.span, "an IPv6 address has 128 bits", hint);
            return None;
        }
        Some(ListenerLimits {
            connections: connections.as_usize(),
            header_count: header_count.as_usize(),
            header_bytes,
            uri_bytes,
            body_bytes: body,
            streams: streams.0,
            handshake_timeout: handshake_timeout.0,
            header_timeout: header_timeout.0,
            idle_timeout: idle_timeout.0,
            body_timeout: body_timeout.0,
            body_rate,
            ipv6_prefix: ipv6_prefix.value,
        })
    }
}
