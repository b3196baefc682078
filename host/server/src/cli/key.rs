//! `gatewright key`

use std::io::Read as _;
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use sha2::{Digest as _, Sha256};

use super::output::{failure, mistake, print, reveal};
use super::toml_string;

/// Bytes of a key: as many as its digest has, so that guessing one is no easier than guessing the other.
const KEY_BYTES: usize = 32;

/// Makes an API key.
///
/// The key is shown once, on standard error. Standard output has what the file of keys gets: its digest, from which nobody can tell
/// the key.
#[derive(Debug, Args)]
pub(super) struct Key {
    /// Who the key is for: the principal of its requests.
    name: String,
    /// Read the key from standard input instead of making one up.
    #[arg(long)]
    stdin: bool,
}

impl Key {
    /// Does it.
    pub(super) fn execute(self) -> ExitCode {
        let key = if self.stdin { read_key() } else { random_key() };
        let key = match key {
            Ok(key) if key.is_empty() => return mistake("the key is empty"),
            Ok(key) => key,
            Err(error) => return failure(format_args!("cannot get a key: {error}")),
        };
        if !self.stdin {
            reveal("key", &key);
        }
        let digest: String = Sha256::digest(&key).iter().map(|byte| format!("{byte:02x}")).collect();
        print(format_args!(
            "[[key]]\nname = {}\nsha256 = \"{digest}\"\n",
            toml_string(&self.name)
        ));
        ExitCode::SUCCESS
    }
}

pub(super) fn read_key() -> std::io::Result<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

pub(super) fn random_key() -> std::io::Result<String> {
    let mut bytes = [0; KEY_BYTES];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
