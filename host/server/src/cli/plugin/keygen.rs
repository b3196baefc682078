//! `gatewright plugin keygen`

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use gatewright_wasm::signature::SecretKey;

use crate::cli::output::{failure, mistake, print};

/// Make a pair of keys to sign plugins with.
///
/// Writes the private key to FILE, for its owner only and without a passphrase, and the public key to FILE.pub; both as
/// `ssh-keygen -t ed25519` does, whose keys do as well. Prints the line that a gateway's configuration needs.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct Keygen {
    /// Where the private key goes. There must be no such file.
    file: PathBuf,
    /// Whose key it is; stands in the files. Default: the file's name.
    #[arg(long)]
    comment: Option<String>,
}

impl Keygen {
    /// Does it.
    pub(in crate::cli) fn execute(self) -> ExitCode {
        let stem = self.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let comment = self.comment.unwrap_or_else(|| stem.clone());
        if comment.chars().any(char::is_control) {
            return mistake("--comment: it is not one line");
        }
        let (key, text) = match SecretKey::generate().and_then(|key| Ok((key.text(&comment)?, key))) {
            Ok((text, key)) => (key, text),
            Err(error) => return failure(error),
        };
        let mut public = self.file.clone().into_os_string();
        public.push(".pub");
        let public = PathBuf::from(public);
        let line = format!("{} {comment}\n", key.public());
        for (file, text, mode) in [(&self.file, text.as_str(), 0o600), (&public, line.as_str(), 0o644)] {
            if let Err(error) = create(file, text, mode) {
                let reason = gatewright_config::reason(&error);
                return mistake(format_args!("cannot write {}: {reason}", file.display()));
            }
        }
        let name = serde_json::Value::from(stem);
        print(format_args!(
            "# {} signs; keep it to yourself. A gateway needs:\n[plugins.publishers]\n{name} = [\"{}\"]\n",
            self.file.display(),
            key.public()
        ));
        ExitCode::SUCCESS
    }
}

/// Never over a key that is there.
fn create(file: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut created = options.write(true).create_new(true).mode(mode).open(file)?;
    created.write_all(text.as_bytes())?;
    created.sync_all()
}
