//! Who signed a plugin's file: the signature `NAME.wasm.sig` beside it, verified over the file's bytes before anything
//! looks into them.
//!
//! The format is that of `ssh-keygen -Y sign` (`sshsig`), with Ed25519 keys in OpenSSH's own files (`key`): whoever has
//! such keys has the tools, and neither side needs the other's. Which plugins need a signature, and whose counts, is
//! [`Trust`].

mod armour;
mod key;
mod sshsig;
mod trust;
mod wire;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use gatewright_config::PublicKey;

pub use self::key::{KeyError, SecretKey};
pub use self::trust::Trust;

/// What a signature is for. One that was made for a commit or an e-mail is not one for a plugin.
pub const NAMESPACE: &str = "gatewright-plugin";
/// The largest signature that is read.
const SIGNATURE_BYTES: u64 = 8 << 10;

/// Why a signature does not say who signed a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The file is no signature.
    #[error("it is not an SSH signature: {0}")]
    Malformed(&'static str),
    /// It is one of another kind.
    #[error("{0}")]
    Other(String),
    /// It is not that of these bytes.
    #[error("the signature does not match the file")]
    Mismatch,
}

/// A signature that has been read, and not verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Whose it claims to be.
    pub key: PublicKey,
    hash: sshsig::Hash,
    bytes: [u8; 64],
}

impl Signature {
    /// Reads the text of a `.sig` file.
    ///
    /// # Errors
    /// When it is not a signature of a plugin, made with an Ed25519 key.
    pub fn parse(text: &[u8]) -> Result<Self, SignatureError> {
        sshsig::parse(text)
    }

    /// Checks that its key signed these bytes.
    ///
    /// # Errors
    /// When it did not.
    pub fn verify(&self, bytes: &[u8]) -> Result<(), SignatureError> {
        sshsig::verify(self, bytes)
    }
}

/// The text of the `.sig` file for these bytes.
pub fn sign(bytes: &[u8], key: &SecretKey) -> String {
    sshsig::sign(bytes, key)
}

/// The signature of a file is beside it.
pub fn signature_file(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".sig");
    PathBuf::from(name)
}

/// Reads the signature file of `file`; none when there is none.
///
/// # Errors
/// When there is something that cannot be read.
pub fn read_signature(file: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = signature_file(file);
    let metadata = match std::fs::metadata(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata?,
    };
    if !metadata.is_file() {
        // A pipe would be waited for.
        return Err(io::Error::other("it is not a file"));
    }
    let mut text = Vec::new();
    File::open(&file)?.take(SIGNATURE_BYTES + 1).read_to_end(&mut text)?;
    match text.len() as u64 > SIGNATURE_BYTES {
        true => Err(io::Error::other("it is too large to be a signature")),
        false => Ok(Some(text)),
    }
}
