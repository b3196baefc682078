//! Which configuration a command is about: every command takes `--config FILE`, and those that are about nothing else take it
//! as an argument too.

use std::path::{Path, PathBuf};

use clap::Args;

/// Where a configuration is if nothing is said.
const DEFAULT: &str = "gatewright.toml";

/// `--config FILE`
#[derive(Debug, Args)]
pub(super) struct ConfigOption {
    /// The configuration: a file, or a folder of files.
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT)]
    config: PathBuf,
}

/// `--config FILE`, or FILE as an argument.
#[derive(Debug, Args)]
pub(super) struct ConfigArgument {
    /// The configuration: a file, or a folder of files [default: gatewright.toml].
    #[arg(value_name = "CONFIG")]
    file: Option<PathBuf>,
    /// The same as CONFIG, as other commands have it.
    #[arg(short, long, value_name = "FILE", conflicts_with = "file")]
    config: Option<PathBuf>,
}

impl ConfigOption {
    /// The file or folder.
    pub(super) fn path(&self) -> &Path {
        &self.config
    }
}

impl ConfigArgument {
    /// The file or folder.
    pub(super) fn path(&self) -> &Path {
        let given = self.file.as_deref().or(self.config.as_deref());
        given.unwrap_or(Path::new(DEFAULT))
    }
}
