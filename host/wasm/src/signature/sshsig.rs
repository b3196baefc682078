//! The signature format of `ssh-keygen -Y`: who signed, for what purpose, with which hash of the file.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use gatewright_config::PublicKey;
use sha2::{Digest as _, Sha256, Sha512};

use super::wire::{Reader, put, put_number};
use super::{NAMESPACE, SecretKey, Signature, SignatureError, armour};

const LABEL: &str = "SSH SIGNATURE";
const MAGIC: &[u8] = b"SSHSIG";
const VERSION: u32 = 1;
const ED25519_NAME: &[u8] = b"ssh-ed25519";

/// What of the file is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }
}

pub(super) fn parse(text: &[u8]) -> Result<Signature, SignatureError> {
    let blob = armour::open(text, LABEL).ok_or(SignatureError::Malformed(
        "it does not begin with `-----BEGIN SSH SIGNATURE-----` and end as it should; it may be half-written",
    ))?;
    let cut = SignatureError::Malformed("it ends in the middle");
    let mut reader = Reader(&blob);
    if reader.bytes(MAGIC.len()) != Some(MAGIC) || reader.number() != Some(VERSION) {
        return Err(SignatureError::Malformed("it is of another version"));
    }
    let key = reader.text().ok_or(cut.clone())?;
    let namespace = reader.text().ok_or(cut.clone())?;
    let _reserved = reader.text().ok_or(cut.clone())?;
    let hash = reader.text().ok_or(cut.clone())?;
    let mut signature = Reader(reader.text().ok_or(cut.clone())?);
    let key = PublicKey::from_blob(key).ok_or_else(|| {
        let kind = crate::text::escaped(&String::from_utf8_lossy(Reader(key).text().unwrap_or_default()), 64);
        SignatureError::Other(format!(
            "it is made with a key of the kind `{kind}`; sign with an Ed25519 key"
        ))
    })?;
    if namespace != NAMESPACE.as_bytes() {
        let other = crate::text::escaped(&String::from_utf8_lossy(namespace), 64);
        return Err(SignatureError::Other(format!(
            "it is a signature for `{other}`; sign with `gatewright plugin sign`, or `ssh-keygen -Y sign -n {NAMESPACE}`"
        )));
    }
    let hash = Hash::ALL.into_iter().find(|known| known.name().as_bytes() == hash);
    let hash = hash.ok_or(SignatureError::Malformed("it signs neither SHA-256 nor SHA-512"))?;
    if signature.text() != Some(ED25519_NAME) {
        return Err(SignatureError::Malformed("it is not an Ed25519 signature"));
    }
    let bytes = signature.text().and_then(|bytes| bytes.try_into().ok()).ok_or(cut)?;
    Ok(Signature { key, hash, bytes })
}

pub(super) fn verify(signature: &Signature, bytes: &[u8]) -> Result<(), SignatureError> {
    let Signature {
        key,
        hash,
        bytes: signed,
    } = signature;
    UnparsedPublicKey::new(&ED25519, key.0)
        .verify(&message(*hash, bytes), signed)
        .map_err(|_| SignatureError::Mismatch)
}

pub(super) fn sign(bytes: &[u8], key: &SecretKey) -> String {
    let hash = Hash::Sha512;
    let mut signature = Vec::new();
    put(&mut signature, ED25519_NAME);
    put(&mut signature, &key.sign(&message(hash, bytes)));
    let mut blob = MAGIC.to_vec();
    put_number(&mut blob, VERSION);
    put(&mut blob, &key.public().blob());
    put(&mut blob, NAMESPACE.as_bytes());
    put(&mut blob, b"");
    put(&mut blob, hash.name().as_bytes());
    put(&mut blob, &signature);
    armour::close(&blob, LABEL)
}

/// What the key signs: the purpose and the file's hash.
fn message(hash: Hash, bytes: &[u8]) -> Vec<u8> {
    let mut message = MAGIC.to_vec();
    put(&mut message, NAMESPACE.as_bytes());
    put(&mut message, b"");
    put(&mut message, hash.name().as_bytes());
    put(&mut message, &hash.of(bytes));
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `ssh-keygen -Y sign -n gatewright-plugin` over the text `a plugin`.
    const MADE_BY_SSH_KEYGEN: &[u8] = b"-----BEGIN SSH SIGNATURE-----
U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgzODnowvc457OCOYMTNFoaEsxvl
06ZHwLxqiGlpsRu7UAAAARZ2F0ZXdyaWdodC1wbHVnaW4AAAAAAAAABnNoYTUxMgAAAFMA
AAALc3NoLWVkMjU1MTkAAABATz+DbkwhvrHvH8wyXziVmPM2Yk6WjhGEUUvP1uDwdUvTYB
ogt0a1NYK+1iy9zEzoUSSwP8tuxe9L+E774hSuDQ==
-----END SSH SIGNATURE-----
";

    fn resigned(change: impl Fn(&mut Vec<u8>)) -> Result<Signature, SignatureError> {
        let mut blob = armour::open(MADE_BY_SSH_KEYGEN, LABEL).unwrap();
        change(&mut blob);
        parse(armour::close(&blob, LABEL).as_bytes())
    }

    #[test]
    fn a_signature_of_ssh_keygen_is_that_of_its_file_and_of_no_other() {
        let signature = parse(MADE_BY_SSH_KEYGEN).unwrap();
        assert_eq!(signature.verify(b"a plugin"), Ok(()));
        for other in [&b"a plugim"[..], b"", b"a plugin\n"] {
            assert_eq!(signature.verify(other), Err(SignatureError::Mismatch));
        }
    }

    #[test]
    fn what_is_signed_is_signed_as_ssh_keygen_does() {
        let key = SecretKey::parse(super::super::key::tests::MADE_BY_SSH_KEYGEN).unwrap();
        // Ed25519 has no chance in it: the same key and file are the same signature.
        assert_eq!(sign(b"a plugin", &key).as_bytes(), MADE_BY_SSH_KEYGEN);
    }

    #[test]
    fn a_signature_with_any_bit_changed_is_none() {
        let length = armour::open(MADE_BY_SSH_KEYGEN, LABEL).unwrap().len();
        for at in 0..length * 8 {
            let changed = resigned(|blob| blob[at / 8] ^= 1 << (at % 8));
            assert!(
                changed.and_then(|signature| signature.verify(b"a plugin")).is_err(),
                "bit {at}"
            );
        }
        for at in 0..length {
            assert!(resigned(|blob| blob.truncate(at)).is_err(), "cut at {at}");
        }
        for at in 0..MADE_BY_SSH_KEYGEN.len() - 1 {
            assert!(parse(&MADE_BY_SSH_KEYGEN[..at]).is_err(), "half-written, {at} bytes");
        }
    }

    #[test]
    fn a_signature_for_something_else_says_what_it_is_for() {
        let at = 6 + 4 + 4 + 51 + 4;
        let commit = resigned(|blob| blob[at..at + 17].copy_from_slice(b"git-commit-abcdef"));
        let said = commit.unwrap_err().to_string();
        assert!(said.contains("a signature for `git-commit-abcdef`"), "{said}");
    }
}
