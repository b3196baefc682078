//! Clients that come while a socket is about to be closed: no more are let in, and those whose handshake with the kernel is
//! under way are waited for, because they take themselves for connected already.

use std::fs::File;
use std::io::Read;

use memchr::memmem;
use socket2::{SockFilter, SockRef};
use tokio::net::TcpListener;

/// Where the kernel lists the TCP sockets that the process may see, by version of IP.
const TABLE: &str = "/proc/self/net/tcp";
const TABLE_V6: &str = "/proc/self/net/tcp6";
/// How much of a table is read: ten thousand connections, some milliseconds.
const MOST_BYTES: u64 = 2 * 1024 * 1024;
/// A handshake under way (SYN_RECV), as the kernel writes it.
const UNDER_WAY: &[u8] = b"03";

/// Lets no new client into the backlog, but those that are on their way.
pub(super) fn refuse(listener: &TcpListener) {
    // Where the system has no such filters, a client that comes just before the socket is closed is reset.
    let attached = SockRef::from(listener).attach_filter(&first_packets_dropped());
    if let Err(error) = attached {
        tracing::debug!(%error, "cannot keep new clients from a socket that is about to be closed");
    }
}

/// Whether a client is on its way. Where that cannot be known, one may be.
pub(super) fn are_on_their_way(listener: &TcpListener) -> bool {
    let (Ok(address), Ok(table)) = (listener.local_addr(), File::open(TABLE)) else {
        return true;
    };
    let port = address.port();
    lists(table, port) || File::open(TABLE_V6).is_ok_and(|table| lists(table, port))
}

/// Whether a table has a handshake with this port under way, or is longer than what is read of it.
fn lists(table: impl Read, port: u16) -> bool {
    let mut lines = Vec::new();
    let read = table.take(MOST_BYTES).read_to_end(&mut lines);
    let port = format!(":{port:04X} ");
    let has_one = memmem::find_iter(&lines, port.as_bytes()).any(|at| {
        // Behind the gateway's address are the client's and the state.
        let mut columns = lines
            .get(at + port.len()..)
            .unwrap_or_default()
            .split(|byte| *byte == b' ');
        columns.nth(1) == Some(UNDER_WAY)
    });
    has_one || read.is_err() || lines.len() as u64 == MOST_BYTES
}

/// A filter of packets (BPF) that drops a client's first one, which it sends again a second later, when nobody listens any
/// more: it is told so, and goes elsewhere.
fn first_packets_dropped() -> [SockFilter; 5] {
    const LOAD_BYTE: u16 = 0x30;
    const AND: u16 = 0x54;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    /// Where a TCP header has its flags (RFC 9293, section 3.1), and two of them.
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;
    [
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
        SockFilter::new(AND, 0, 0, SYN | ACK),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_that_is_under_way_with_the_port_is_a_client_on_its_way() {
        let table = |local: &str, state: &str| {
            format!(
                "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                 0: {local} 0100007F:03D8 {state} 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n"
            )
        };
        assert!(lists(table("0100007F:1F90", "03").as_bytes(), 8080));
        assert!(lists(
            table("0000000000000000FFFF00000100007F:0050", "03").as_bytes(),
            80
        ));
        for (local, state, port) in [
            ("0100007F:1F90", "01", 8080),
            ("0100007F:1F90", "0A", 8080),
            ("0100007F:1F90", "03", 80),
        ] {
            assert!(!lists(table(local, state).as_bytes(), port), "{local} {state}");
        }
        assert!(!lists(&b""[..], 80));
        assert!(lists(std::io::repeat(b'\n'), 80), "a table without an end");
    }
}
