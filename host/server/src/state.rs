//! Engines that keep the state which stages and plugins share, and which of them keeps what.

pub mod embedded;
pub mod opening;
pub mod redis;
pub mod scoped;
pub mod snapshot;

mod period;

pub use period::bounds;

use sha2::{Digest as _, Sha256};

/// Half of the SHA-256 of texts and where each ends: of one length whatever a client sends, and telling nothing of it.
fn digest(texts: &[&str]) -> [u8; 16] {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text.as_bytes());
    }
    let mut half = [0; 16];
    for (byte, digested) in half.iter_mut().zip(digest.finalize()) {
        *byte = digested;
    }
    half
}
