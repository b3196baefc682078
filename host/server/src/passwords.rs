//! Passwords and their hashes. A hash is made to be slow, so it is computed off the workers, a few at a time, and a password
//! that was right is remembered for a while: by a digest under a key that only this process has.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier as _;
use gatewright_config::PasswordHash;
use gatewright_core::{Problem, ProblemKind};
use hmac::{Hmac, KeyInit as _, Mac as _};
use moka::sync::Cache;
use rustls::crypto::aws_lc_rs;
use sha2::Sha256;
use tokio::sync::Semaphore;

/// Nothing is remembered for longer.
const LONGEST: Duration = Duration::from_secs(3600);
/// Passwords remembered at once.
const REMEMBERED: u64 = 10_000;
/// Exchanges that wait for their turn.
const WAITING: usize = 64;
/// How long one waits for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What verifies passwords, one a process.
pub struct Passwords {
    /// None when there are no random numbers; then nothing is remembered.
    key: Option<[u8; 32]>,
    right: Cache<[u8; 32], Instant>,
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    verified: AtomicU64,
}

/// Stands for a name, its password and its hash.
#[derive(Clone, Copy)]
pub struct Digest(Option<[u8; 32]>);

impl Default for Passwords {
    fn default() -> Self {
        let mut key = [0; 32];
        let filled = aws_lc_rs::default_provider().secure_random.fill(&mut key).is_ok();
        // Half of the processors: requests go on being served while passwords are tried.
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            key: filled.then_some(key),
            right: Cache::builder().max_capacity(REMEMBERED).time_to_live(LONGEST).build(),
            places: Arc::new(Semaphore::new((processors / 2).max(1))),
            waiting: AtomicUsize::new(0),
            verified: AtomicU64::new(0),
        }
    }
}

impl Passwords {
    /// What a password is remembered by. With another hash it is another one, so a password that was changed is forgotten.
    pub fn digest(&self, name: &str, password: &[u8], hash: &PasswordHash) -> Digest {
        let mac = self.key.and_then(|key| Hmac::<Sha256>::new_from_slice(&key).ok());
        Digest(mac.map(|mut mac| {
            for part in [name.as_bytes(), password, hash.text().as_bytes()] {
                mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
                mac.update(part);
            }
            mac.finalize().into_bytes().into()
        }))
    }

    /// Whether it was right within that time.
    pub fn remembers(&self, digest: Digest, within: Duration) -> bool {
        let known = digest.0.and_then(|digest| self.right.get(&digest));
        known.is_some_and(|since| since.elapsed() < within)
    }

    /// Remembers that it was right.
    pub fn remember(&self, digest: Digest) {
        if let Some(digest) = digest.0 {
            self.right.insert(digest, Instant::now());
        }
    }

    /// Whether a password is the one of a hash.
    ///
    /// # Errors
    /// When too many wait already, or for too long.
    pub async fn verify(&self, password: Vec<u8>, hash: Arc<PasswordHash>) -> Result<bool, Problem> {
        let place = {
            let _waiting = Waiting::begin(&self.waiting)?;
            tokio::time::timeout(PATIENCE, Arc::clone(&self.places).acquire_owned()).await
        };
        let Ok(Ok(place)) = place else {
            return Err(busy());
        };
        self.verified.fetch_add(1, Ordering::Relaxed);
        let verifying = tokio::task::spawn_blocking(move || {
            // As long as it is computed, whether anybody waits for it still or not.
            let _place = place;
            is_of(&password, &hash)
        });
        verifying
            .await
            .map_err(|error| Problem::new(ProblemKind::InternalError).with_cause(error))
    }

    /// Hashes computed so far.
    pub fn verified(&self) -> u64 {
        self.verified.load(Ordering::Relaxed)
    }
}

fn busy() -> Problem {
    Problem::new(ProblemKind::ServiceUnavailable)
        .with_cause("too many passwords are being verified")
        .with_retry_after(Duration::from_secs(1))
}

struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Result<Self, Problem> {
        let waiting = Self(count);
        if count.fetch_add(1, Ordering::Relaxed) >= WAITING {
            return Err(busy());
        }
        Ok(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether a text is a hash that can be compared with.
pub fn is_hash(hash: &PasswordHash) -> bool {
    match hash {
        PasswordHash::Bcrypt(text) => text.parse::<bcrypt::HashParts>().is_ok(),
        PasswordHash::Argon2id(text) => argon2::password_hash::phc::PasswordHash::new(text).is_ok(),
    }
}

/// Both compare in constant time. What bcrypt would cut off is no password of its.
fn is_of(password: &[u8], hash: &PasswordHash) -> bool {
    match hash {
        PasswordHash::Bcrypt(text) => bcrypt::non_truncating_verify(password, text).unwrap_or(false),
        PasswordHash::Argon2id(text) => Argon2::default().verify_password(password, text.as_str()).is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `htpasswd -nbB myName myPassword`, as its documentation has it.
    const BCRYPT: &str = "$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC";

    #[test]
    fn passwords_are_those_of_their_hashes_and_no_others() {
        let hash = PasswordHash::Bcrypt(BCRYPT.to_owned());
        assert!(is_hash(&hash) && is_of(b"myPassword", &hash));
        for wrong in [&b"mypassword"[..], b"", b"myPassword\0", &[b'a'; 100]] {
            assert!(!is_of(wrong, &hash), "{wrong:?}");
        }
        assert!(!is_hash(&PasswordHash::Bcrypt(BCRYPT.replace('/', "!"))));
        assert!(!is_hash(&PasswordHash::Argon2id(
            "$argon2id$v=19$m=8,t=1,p=1$!$!".to_owned()
        )));
    }

    #[test]
    fn what_is_remembered_is_a_name_its_password_and_its_hash() {
        let passwords = Passwords::default();
        let hash = |text: &str| PasswordHash::Bcrypt(text.to_owned());
        let digest = passwords.digest("ab", b"c", &hash("h"));
        passwords.remember(digest);
        assert!(passwords.remembers(passwords.digest("ab", b"c", &hash("h")), LONGEST));
        assert!(!passwords.remembers(digest, Duration::ZERO));
        for other in [
            passwords.digest("a", b"bc", &hash("h")),
            passwords.digest("ab", b"c", &hash("i")),
            passwords.digest("ab", b"", &hash("ch")),
            Passwords::default().digest("ab", b"c", &hash("h")),
        ] {
            assert!(!passwords.remembers(other, LONGEST));
        }
    }
}
