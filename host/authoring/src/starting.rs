//! `gatewright plugin new`: a folder with a plugin that builds, a test, and a page that says how to go on.

use std::fs;
use std::path::PathBuf;

use crate::{Error, Kind, Language, PluginName, files};

/// A plugin to be started.
#[derive(Debug)]
pub struct New {
    /// Its folder, which must not exist.
    pub folder: PathBuf,
    /// Its name.
    pub name: PluginName,
    /// What it is written in.
    pub language: Language,
    /// What it is used as.
    pub kind: Kind,
}

impl New {
    /// Writes the folder.
    ///
    /// # Errors
    /// When there is something already, or it cannot be written; then nothing is left behind.
    pub fn write(&self) -> Result<(), Error> {
        if self.folder.symlink_metadata().is_ok() {
            return Err(Error::Exists(self.folder.clone()));
        }
        self.write_files().inspect_err(|_| {
            let _ = fs::remove_dir_all(&self.folder);
        })
    }

    fn write_files(&self) -> Result<(), Error> {
        for (path, text) in self.files() {
            let file = self.folder.join(path);
            if let Some(folder) = file.parent() {
                fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
            }
            fs::write(&file, text).map_err(Error::file("write", &file))?;
        }
        Ok(())
    }

    /// Path and text of everything. A later file replaces an earlier one, so what is special comes last.
    fn files(&self) -> Vec<(String, String)> {
        let (language, kind) = (self.language.key(), self.kind.name());
        let template = |folder: String| -> Vec<(String, String)> {
            files::below(&folder)
                .map(|(path, text)| {
                    (
                        path.replace("dot-", ".").replace("NAME", &self.name.to_string()),
                        self.filled(text),
                    )
                })
                .collect()
        };
        let mut all = template(format!("sdk/template/{kind}"));
        all.extend(template(format!("sdk/{language}/template/all")));
        all.extend(template(format!("sdk/{language}/template/{kind}")));
        for (source, place) in self.language.carried() {
            let below = files::below(source).map(|(path, text)| (format!("{place}{path}"), text.to_owned()));
            all.extend(below);
        }
        all
    }

    /// A template with its blanks filled in.
    fn filled(&self, text: &str) -> String {
        let name = self.name.to_string();
        text.replace("{{name}}", &name)
            .replace("{{snake}}", &name.replace('-', "_"))
            .replace("{{kind}}", self.kind.name())
            .replace("{{world}}", self.kind.world())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_every_kind() {
        for language in Language::ALL {
            for kind in Kind::ALL {
                let folder = format!("sdk/{}/template/{}", language.key(), kind.name());
                assert!(files::below(&folder).next().is_some(), "{folder}");
            }
        }
    }
}
