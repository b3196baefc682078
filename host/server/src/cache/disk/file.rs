//! What is in a file: a mark with the version, the SHA-256 of the rest, what is to be known of the responses as JSON, and their bodies.
//! Whatever is not exactly that is no file.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::cache::key::Key;
use crate::cache::stored::{Kept, Stored};
use crate::token::key_set::sha256;

/// What files begin with. Another version is another mark.
const MARK: &[u8; 8] = b"GWCACHE1";
/// What a file is called while it is written.
pub(super) const UNFINISHED: &str = ".part";

/// What a file says.
pub(super) struct Found {
    pub(super) key: Vec<u8>,
    pub(super) variants: Vec<Stored>,
    /// When memory kept it.
    pub(super) kept: SystemTime,
}

#[derive(Deserialize, Serialize)]
struct Head {
    key: String,
    /// When memory kept it, in milliseconds since 1970.
    kept_at: u64,
    variants: Vec<Variant>,
}

#[derive(Deserialize, Serialize)]
struct Variant {
    #[serde(flatten)]
    kept: Kept,
    body: usize,
}

/// The file of a key that was kept at that time.
pub(super) fn encode(key: &Key, variants: &[Arc<Stored>], kept: (Instant, SystemTime)) -> Vec<u8> {
    let head = Head {
        key: STANDARD.encode(&key.bytes),
        kept_at: milliseconds(kept.1),
        variants: variants
            .iter()
            .map(|stored| Variant {
                kept: stored.head.to_keep(kept.0),
                body: stored.body.len(),
            })
            .collect(),
    };
    // It has nothing that cannot be written.
    let head = serde_json::to_vec(&head).unwrap_or_default();
    let mut rest = u32::try_from(head.len()).unwrap_or_default().to_le_bytes().to_vec();
    rest.extend_from_slice(&head);
    variants.iter().for_each(|stored| rest.extend_from_slice(&stored.body));
    let mut bytes = MARK.to_vec();
    bytes.extend_from_slice(&sha256(&rest));
    bytes.append(&mut rest);
    bytes
}

/// What a file says that was kept before `now`.
pub(super) fn decode(bytes: &[u8], now: SystemTime) -> Option<Found> {
    let rest = bytes.strip_prefix(MARK)?;
    let (digest, rest) = rest.split_first_chunk::<32>()?;
    if sha256(rest) != *digest {
        return None;
    }
    let (length, rest) = rest.split_first_chunk()?;
    let (head, mut bodies) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let head: Head = serde_json::from_slice(head).ok()?;
    let kept = UNIX_EPOCH.checked_add(Duration::from_millis(head.kept_at))?;
    // A clock that has gone back says nothing of how old it is.
    let age = now.duration_since(kept).ok()?;
    let mut variants = Vec::with_capacity(head.variants.len());
    for variant in head.variants {
        let (body, rest) = bodies.split_at_checked(variant.body)?;
        bodies = rest;
        variants.extend(variant.kept.stored(age, Bytes::copy_from_slice(body)));
    }
    Some(Found {
        key: STANDARD.decode(head.key).ok()?,
        variants,
        kept,
    })
}

/// Since 1970.
pub(super) fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
