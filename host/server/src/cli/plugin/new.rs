//! `gatewright plugin new`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use gatewright_authoring::{Error, Kind, Language, PluginName};

use super::refused;
use crate::cli::output::print;

/// Starts a plugin: writes a folder with sources, a test, a page that says how to go on, the plugin interface, and a
/// gateway to try it in. The folder needs nothing but what its language's own package registry has.
#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    /// The plugin's name: lower-case letters, digits, and `-` between them.
    name: PluginName,
    /// What it is written in: c, go, javascript, python, rust or typescript.
    #[arg(long, short, value_parser = language)]
    language: Language,
    /// What it is used as: authorizer, request-transform, response-transform, body-filter or integration.
    #[arg(long, short, value_parser = kind)]
    kind: Kind,
    /// The folder to be made; by default named after the plugin, in this one.
    #[arg(long, short)]
    directory: Option<PathBuf>,
}

impl New {
    /// Does it.
    pub(in crate::cli) fn execute(self) -> ExitCode {
        let folder = self.directory.unwrap_or_else(|| self.name.to_string().into());
        let new = gatewright_authoring::New {
            folder,
            name: self.name,
            language: self.language,
            kind: self.kind,
        };
        if let Err(error) = new.write() {
            return refused(&error);
        }
        let folder = new.folder.display();
        print(format_args!(
            "{folder} is a plugin in {}; {folder}/README.md says what is what. Build it with\n  \
             gatewright plugin build --install {folder}\nand try it with\n  gatewright run {folder}/gateway.toml\n",
            new.language.title()
        ));
        ExitCode::SUCCESS
    }
}

/// A language by its name.
pub(super) fn language(text: &str) -> Result<Language, Error> {
    text.parse()
}

fn kind(text: &str) -> Result<Kind, Error> {
    text.parse()
}
