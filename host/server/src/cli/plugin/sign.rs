//! `gatewright plugin sign`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use gatewright_wasm::signature::{SecretKey, sign, signature_file};

use crate::cli::output::{mistake, print};
use crate::files;

/// Sign plugins: writes FILE.sig beside each.
///
/// The same is `ssh-keygen -Y sign -n gatewright-plugin -f KEY FILE`, which can use an agent and keys with a passphrase.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct Sign {
    /// The plugins' `.wasm` files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The private key: a file of `gatewright plugin keygen` or `ssh-keygen -t ed25519`.
    #[arg(long)]
    key: PathBuf,
}

impl Sign {
    /// Does it.
    pub(in crate::cli) fn execute(self) -> ExitCode {
        let key = match read(&self.key) {
            Ok(text) => SecretKey::parse(&text).map_err(|error| format!("cannot use {}: {error}", self.key.display())),
            Err(error) => Err(error),
        };
        let signed = key.and_then(|key| self.files.iter().try_for_each(|file| sign_file(file, &key)));
        match signed {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => mistake(error),
        }
    }
}

fn sign_file(file: &Path, key: &SecretKey) -> Result<(), String> {
    let signature = signature_file(file);
    let text = sign(&read(file)?, key);
    files::replace(&signature, text.as_bytes()).map_err(|error| {
        format!(
            "cannot write {}: {}",
            signature.display(),
            gatewright_config::reason(&error)
        )
    })?;
    print(format_args!("{}\n", signature.display()));
    Ok(())
}

pub(super) fn read(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file)
        .map_err(|error| format!("cannot read {}: {}", file.display(), gatewright_config::reason(&error)))
}
