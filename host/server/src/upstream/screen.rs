//! Which addresses a name may stand for, where somebody else than the operator may have a say in it: a name that resolves
//! to an address of this machine or its network would let a plugin reach what only the gateway can reach.
//!
//! The addresses that are looked at are the ones that are connected to. A name that is looked up again may stand for
//! something else by then (DNS rebinding), so it is looked up once for a connection.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::connect::ConnectError;

/// Lookups by the system that are under way at once: each holds a thread of its own while it lasts.
const LOOKUPS: usize = 32;

/// Addresses that are looked for.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Finds the addresses of a host.
pub trait Resolve: Send + Sync {
    /// All of them, in the order in which they should be tried. Asked once for each new connection.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a>;
}

/// The system's way of finding addresses.
pub struct SystemResolver(Semaphore);

impl Default for SystemResolver {
    fn default() -> Self {
        Self(Semaphore::new(LOOKUPS))
    }
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a> {
        Box::pin(async move {
            if let Ok(address) = host.parse::<IpAddr>() {
                return Ok(vec![SocketAddr::new(address, port)]);
            }
            let _turn = self.0.acquire().await.map_err(io::Error::other)?;
            Ok(tokio::net::lookup_host((host, port)).await?.collect())
        })
    }
}

/// Lets through the addresses that a host may have.
pub struct Screen {
    resolver: Arc<dyn Resolve>,
    allow_private: bool,
}

impl Screen {
    /// A screen that lets private addresses through or does not. A host that is an address itself stands for nothing
    /// else, and is let through in any case.
    pub fn new(resolver: Arc<dyn Resolve>, allow_private: bool) -> Self {
        Self {
            resolver,
            allow_private,
        }
    }

    /// The addresses of a host that may be connected to.
    ///
    /// # Errors
    /// When there is none.
    pub async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
        let found = self.resolver.resolve(host, port).await.map_err(ConnectError::Resolve)?;
        if self.allow_private || host.parse::<IpAddr>().is_ok() {
            return Ok(found);
        }
        let (public, private): (Vec<_>, Vec<_>) = found.into_iter().partition(|address| is_public(address.ip()));
        match private.first() {
            Some(address) if public.is_empty() => Err(ConnectError::Private(address.ip())),
            _ => Ok(public),
        }
    }
}

/// Whether an address is one of the whole internet's.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let not_public = match address.octets() {
        [0 | 10 | 127, ..] | [224..=255, ..] => true,
        [100, second, ..] => second & 0xc0 == 64,
        [169, 254, ..] | [192, 168, ..] => true,
        [172, second, ..] => second & 0xf0 == 16,
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        _ => false,
    };
    !not_public
}

/// What stands for an IPv4 address is as public as that.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(v4(high, low)),
        [0x2002, high, low, ..] => is_public_v4(v4(high, low)),
        // Teredo and others of 2001::/23, documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_into_a_machine_or_a_private_network_is_not_public() {
        let private = "0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.9.9.9 169.254.169.254 172.16.0.1 \
                       172.31.255.255 192.0.0.1 192.0.2.1 192.168.0.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 \
                       240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 fc00::1 fd12::1 \
                       fe80::1 fec0::1 ff02::1 64:ff9b::7f00:1 64:ff9b:1::1 2002:7f00:1:: 2001::1 2001:db8::1 3fff::1 100::1";
        for address in private.split_whitespace() {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        let public = "1.1.1.1 9.9.9.9 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 192.1.0.1 198.17.0.1 223.255.255.255 \
                      2606:4700::1111 2001:4860:4860::8888 ::ffff:1.1.1.1 64:ff9b::101:101 2002:101:101::";
        for address in public.split_whitespace() {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }
}
