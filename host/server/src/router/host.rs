//! The one form of a request's host: what `Host`, `:authority` and an absolute URI are brought to and compared in.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;
use std::str;

/// Longest authority that is looked at; no DNS name is longer.
const MOST_BYTES: usize = 255;

/// A host with or without port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// Lower case, without trailing dot; an IPv6 address in brackets and in its shortest form.
    pub host: Cow<'a, str>,
    /// The port, if one is given.
    pub port: Option<u16>,
}

/// Reads `host`, `host:port` or `[address]:port`.
///
/// # Errors
/// When it is anything else, however usual: user information, a list, a path, an empty port.
pub fn parse_authority(raw: &[u8]) -> Result<Authority<'_>, HostError> {
    let (raw, kinds) = checked(raw)?;
    let (host, port) = split_port(raw)?;
    let port = port.map(parse_port).transpose()?;
    let host = match host.strip_prefix('[') {
        Some(address) => Cow::Owned(parse_address(address)?),
        None => parse_name(host, kinds)?,
    };
    Ok(Authority { host, port })
}

/// Refuses what makes the whole ambiguous, wherever in it, and says which kinds of bytes there are.
fn checked(raw: &[u8]) -> Result<(&str, u8), HostError> {
    if raw.is_empty() {
        return Err(HostError::Empty);
    }
    if raw.len() > MOST_BYTES {
        return Err(HostError::TooLong);
    }
    let kinds = raw.iter().fold(0, |kinds, byte| kinds | kind(*byte));
    if kinds & REFUSED != 0 {
        let refused = raw.iter().find(|byte| kind(**byte) & REFUSED != 0);
        return Err(match refused {
            Some(b'@') => HostError::UserInformation,
            Some(b',') => HostError::List,
            Some(b'/' | b'\\' | b'?' | b'#') => HostError::Path,
            _ => HostError::InvalidCharacter,
        });
    }
    let raw = str::from_utf8(raw).map_err(|_| HostError::InvalidCharacter)?;
    Ok((raw, kinds))
}

/// No host has it.
const REFUSED: u8 = 1;
/// A bracket, which addresses have and names do not.
const BRACKET: u8 = 1 << 1;
/// An upper-case letter.
const UPPER: u8 = 1 << 2;

/// The kind of a byte, one of the above or 0, by a table: it is asked for with every byte of every request's authority.
fn kind(byte: u8) -> u8 {
    static KINDS: [u8; 256] = kinds();
    KINDS.get(usize::from(byte)).copied().unwrap_or(REFUSED)
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated when compiled; an index out of bounds does not build"
)]
const fn kinds() -> [u8; 256] {
    let mut kinds = [REFUSED; 256];
    let mut byte = 0;
    while byte < kinds.len() {
        kinds[byte] = match byte as u8 {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b':' => 0,
            b'A'..=b'Z' => UPPER,
            b'[' | b']' => BRACKET,
            _ => REFUSED,
        };
        byte += 1;
    }
    kinds
}

/// Host and port; an address keeps its opening bracket and loses the closing one.
fn split_port(raw: &str) -> Result<(&str, Option<&str>), HostError> {
    if !raw.starts_with('[') {
        let colon = raw.bytes().position(|byte| byte == b':');
        return Ok(match colon.and_then(|colon| raw.split_at_checked(colon)) {
            Some((host, port)) => (host, port.get(1..)),
            None => (raw, None),
        });
    }
    let (address, after) = raw.split_once(']').ok_or(HostError::Address)?;
    match after.strip_prefix(':') {
        Some(port) => Ok((address, Some(port))),
        None if after.is_empty() => Ok((address, None)),
        None => Err(HostError::Address),
    }
}

fn parse_port(port: &str) -> Result<u16, HostError> {
    // The standard library would take a `+`, but such a host is refused by now. Nothing listens on port 0.
    port.parse().ok().filter(|port| *port != 0).ok_or(HostError::Port)
}

fn parse_address(address: &str) -> Result<String, HostError> {
    let address: Ipv6Addr = address.parse().map_err(|_| HostError::Address)?;
    Ok(format!("[{address}]"))
}

fn parse_name(name: &str, kinds: u8) -> Result<Cow<'_, str>, HostError> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        return Err(HostError::Empty);
    }
    // One in the port has been refused as such.
    if kinds & BRACKET != 0 {
        return Err(HostError::InvalidCharacter);
    }
    if name.starts_with('.') || name.ends_with('.') || name.as_bytes().windows(2).any(|pair| pair == b"..") {
        return Err(HostError::EmptyLabel);
    }
    Ok(if kinds & UPPER == 0 {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.to_ascii_lowercase())
    })
}

/// Why a host is refused; the text is fit for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostError {
    /// Nothing, or nothing but a dot or a port.
    Empty,
    /// More than 255 bytes.
    TooLong,
    /// `user@host`
    UserInformation,
    /// `a,b`
    List,
    /// `host/path`
    Path,
    /// A space, a control character, a character outside of ASCII, or one that no host has.
    InvalidCharacter,
    /// `a..b`
    EmptyLabel,
    /// A port that is empty, not a number, 0, or more than 65535.
    Port,
    /// `[` without an IPv6 address and `]` behind it.
    Address,
}

impl fmt::Display for HostError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            HostError::Empty => "the host is empty",
            HostError::TooLong => "the host is too long",
            HostError::UserInformation => "the host contains user information",
            HostError::List => "there is more than one host",
            HostError::Path => "the host contains a path",
            HostError::InvalidCharacter => "the host contains an invalid character",
            HostError::EmptyLabel => "the host contains an empty label",
            HostError::Port => "the port is invalid",
            HostError::Address => "the IPv6 address is invalid",
        })
    }
}

impl std::error::Error for HostError {}
