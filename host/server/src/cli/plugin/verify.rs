//! `gatewright plugin verify`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use gatewright_config::PublicKey;
use gatewright_wasm::{PluginFile, Trust};

use super::sign::read;
use crate::cli::output::{mistake, print};

/// Say who signed plugins, or why a gateway would not believe it.
///
/// Ends with 0 when each of them is signed by somebody whose signature counts, with 2 otherwise.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct Verify {
    /// The plugins' `.wasm` files, each with its `.sig` beside it.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// A configuration file, whose publishers count.
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "gatewright.toml",
        conflicts_with = "key"
    )]
    config: PathBuf,
    /// A public key, as in a `.pub` file, or such a file: it alone counts.
    #[arg(long)]
    key: Option<String>,
}

impl Verify {
    /// Does it.
    pub(in crate::cli) fn execute(self) -> ExitCode {
        let mut wrong = Vec::new();
        for file in &self.files {
            match self.publisher(file) {
                Ok(publisher) => print(format_args!("{}: signed by {publisher}\n", file.display())),
                Err(error) => wrong.push(error),
            }
        }
        match wrong.is_empty() {
            true => ExitCode::SUCCESS,
            false => mistake(wrong.join("\nerror: ")),
        }
    }

    fn publisher(&self, file: &Path) -> Result<String, String> {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let trust = match &self.key {
            Some(key) => Trust::keys(BTreeMap::from([("this key".to_owned(), vec![public_key(key)?])])),
            None => {
                let config = gatewright_config::load(&self.config).map_err(|errors| errors.to_string())?;
                let plugin = config.plugin.get(&name).cloned().unwrap_or_default();
                Trust::of(&config.plugins, &plugin).needed()
            }
        };
        let plugin = PluginFile {
            name,
            file: file.to_owned(),
        };
        let publisher = trust
            .publisher(&plugin, &read(file)?)
            .map_err(|error| error.to_string())?;
        Ok(publisher.unwrap_or_default())
    }
}

/// What is given is the key itself, or the file that it is in.
fn public_key(given: &str) -> Result<PublicKey, String> {
    let text = match given.starts_with("ssh-") {
        true => given.to_owned(),
        false => String::from_utf8_lossy(&read(Path::new(given))?).into_owned(),
    };
    text.parse().map_err(|error| format!("--key: {error}"))
}
