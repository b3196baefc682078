//! Whose signatures count for one plugin, and whether it needs one.

use std::collections::BTreeMap;

use gatewright_config::PublicKey;
use gatewright_config::gateway::{PluginConfig, PluginsConfig};

use super::{Signature, SignatureError, read_signature, signature_file};
use crate::{PluginError, PluginFile};

/// Whose signatures count for a plugin. By default nobody's, and none is needed.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    required: bool,
    publishers: BTreeMap<String, Vec<PublicKey>>,
    /// Those of them who may sign this one; none: all.
    may_sign: Option<Vec<String>>,
}

impl Trust {
    /// What the configuration says of a plugin.
    pub fn of(plugins: &PluginsConfig, plugin: &PluginConfig) -> Self {
        Self {
            required: plugins.require_signed || plugin.publishers.is_some(),
            publishers: plugins.publishers.clone(),
            may_sign: plugin.publishers.as_ref().map(|names| names.iter().cloned().collect()),
        }
    }

    /// These keys alone, and a signature is needed.
    pub fn keys(publishers: BTreeMap<String, Vec<PublicKey>>) -> Self {
        Self {
            required: true,
            publishers,
            may_sign: None,
        }
    }

    /// The same, and a signature is needed.
    #[must_use]
    pub fn needed(self) -> Self {
        Self { required: true, ..self }
    }

    /// Who published these bytes of the plugin's file. A signature that is there must be right, needed or not, as soon
    /// as there are publishers to compare it with.
    ///
    /// # Errors
    /// When nobody did whose signature counts.
    pub fn publisher(&self, plugin: &PluginFile, bytes: &[u8]) -> Result<Option<String>, PluginError> {
        if self.publishers.is_empty() && !self.required {
            return Ok(None);
        }
        self.signed_by(plugin, bytes).map_err(|reason| PluginError::Signature {
            plugin: plugin.clone(),
            reason,
        })
    }

    fn signed_by(&self, plugin: &PluginFile, bytes: &[u8]) -> Result<Option<String>, String> {
        let (file, shown) = (plugin.file.display(), signature_file(&plugin.file));
        let shown = shown.display();
        let text = read_signature(&plugin.file).map_err(|error| {
            format!(
                "cannot read its signature {shown}: {}",
                gatewright_config::reason(&error)
            )
        })?;
        let Some(text) = text else {
            let missing = || {
                format!(
                    "it is not signed: there is no {shown}; sign it with `gatewright plugin sign {file} --key KEY`, or put \
                     the signature that came with it there"
                )
            };
            return if self.required { Err(missing()) } else { Ok(None) };
        };
        let wrong = |error: SignatureError| match error {
            SignatureError::Mismatch => format!(
                "its signature {shown} is not that of this file: one of the two was changed or replaced without the other; \
                 put the two in place that belong together, or sign it again with `gatewright plugin sign {file} --key KEY`"
            ),
            error => format!("cannot use its signature {shown}: {error}"),
        };
        let signature = Signature::parse(&text).map_err(wrong)?;
        let is_theirs = |(_, keys): &(&String, &Vec<PublicKey>)| keys.contains(&signature.key);
        let Some((name, _)) = self.publishers.iter().find(is_theirs) else {
            return Err(format!(
                "it is signed with the key `{}`, which is no publisher's; if you trust it, add it to `publishers` under \
                 `[plugins]`",
                signature.key
            ));
        };
        signature.verify(bytes).map_err(wrong)?;
        match &self.may_sign {
            Some(names) if !names.contains(name) => Err(format!(
                "it is signed by `{name}`, and may be signed by {} only; see `publishers` of the plugin",
                names
                    .iter()
                    .map(|name| format!("`{name}`"))
                    .collect::<Vec<_>>()
                    .join(", ")
            )),
            _ => Ok(Some(name.clone())),
        }
    }
}
