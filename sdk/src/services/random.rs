//! Random numbers fit for keys and tokens.

use crate::host;

/// At most 4096 random bytes; asking for more ends the call.
pub fn bytes(length: u32) -> Vec<u8> {
    host::random_bytes(length)
}

/// A random number.
pub fn number() -> u64 {
    host::random_number()
}
