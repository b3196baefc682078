//! TLS handshakes that come to nothing: why, for counting and for the log.

use std::io;
use std::time::Instant;

use gatewright_core::ClientAddress;

use super::Settings;

/// Counts one, and logs it at most once a second for each reason. That a client just went away is mostly a health check or a
/// scanner, and is logged for debugging only.
pub(super) fn failed(settings: &Settings, client: &ClientAddress, error: &io::Error) {
    let reason = reason(error);
    let Some(count) = settings.numbers.handshake_failed(reason, Instant::now()) else {
        return;
    };
    let listener = &*settings.name;
    let client = match client {
        ClientAddress::Tcp(address) => address.to_string(),
        ClientAddress::Unix => "unix".to_owned(),
    };
    match reason {
        "closed" => tracing::debug!(listener, client, reason, count, %error, "TLS handshake failed"),
        _ => tracing::warn!(listener, client, reason, count, %error, "TLS handshake failed"),
    }
}

/// The label of metrics. `docs/METRICS.md` lists them.
fn reason(error: &io::Error) -> &'static str {
    use rustls::{Error, PeerIncompatible};

    let inner = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
    match (inner, error.kind()) {
        (Some(Error::InvalidMessage(_)), _) => "not_tls",
        (Some(Error::PeerIncompatible(kind)), _) => match kind {
            PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::Tls13RequiredForQuic
            | PeerIncompatible::SupportedVersionsExtensionRequired => "version",
            _ => "algorithms",
        },
        (Some(Error::NoApplicationProtocol), _) => "protocol",
        (Some(Error::NoCertificatesPresented), _) => "no_client_certificate",
        (Some(Error::InvalidCertificate(_) | Error::InvalidCertRevocationList(_)), _) => "client_certificate",
        (Some(Error::AlertReceived(_)), _) => "client_alert",
        (Some(_), _) => "violation",
        (None, io::ErrorKind::TimedOut) => "timeout",
        (
            None,
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe,
        ) => "closed",
        (None, _) => "other",
    }
}
