//! Which files a configuration consists of, and whether they have changed.
//!
//! Changes are found by looking, not by trusting events: a file that is replaced, linked anew, written in place or
//! gone is seen the same way, and an event that got lost costs a moment only.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use gatewright_config::{
    GatewayConfig, LockUse, SchemaSource, SecretReference, StageKind, TemplateSource, folder_files, load_credentials,
};
use gatewright_seclang::rules_of;
use gatewright_wasm::signature::signature_file;

use crate::assemble::{plugin_file, used_plugins};
use crate::candidate::candidate_file;
use crate::stages::waf;
use crate::trial::proof::tests_file;

/// What is known of a file without reading it; none for one that is not there.
type Stamp = Option<(u64, i64, i64, u64, u64)>;

/// How a set of files looked at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<PathBuf, Stamp>);

impl Snapshot {
    /// Looks at the files.
    pub fn take(files: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(files.into_iter().map(|path| (path.clone(), stamp(&path))).collect())
    }

    /// Looks at the same files once more.
    pub fn again(&self) -> Self {
        Self::take(self.files().cloned())
    }

    /// Looks at more files. What is known of the others stays.
    pub fn add(&mut self, files: impl IntoIterator<Item = PathBuf>) {
        for path in files {
            self.0.entry(path).or_insert_with_key(|path| stamp(path));
        }
    }

    /// The files.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.keys()
    }
}

/// Follows links: what counts is what is read.
fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    if metadata.is_dir() {
        // Of a folder only what belongs to the configuration counts: editors put files beside those that they change.
        let mut names = DefaultHasher::new();
        folder_files(path).ok()?.hash(&mut names);
        rules_of(path).ok()?.hash(&mut names);
        return Some((names.finish(), 0, 0, 0, 0));
    }
    Some((
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ino(),
        metadata.dev(),
    ))
}

/// The files that a configuration names, whether they are there or not.
pub fn files(config: &GatewayConfig) -> BTreeSet<PathBuf> {
    let mut files: BTreeSet<PathBuf> = used_plugins(config)
        .into_iter()
        .filter_map(|name| plugin_file(config, name))
        .flat_map(|file| [signature_file(&file), tests_file(&file), file])
        .collect();
    if config.plugins.lock.when != LockUse::Off {
        files.insert(config.plugins.lock.file.clone());
    }
    for name in used_plugins(config) {
        let Some(plugin) = config.plugin.get(name) else {
            continue;
        };
        if let Some(file) = plugin_file(config, name).filter(|_| plugin.candidate.is_some()) {
            let candidate = candidate_file(&file);
            files.extend([signature_file(&candidate), tests_file(&candidate), candidate]);
        }
        files.extend(plugin.http.ca.as_ref().map(|file| file.path.clone()));
        for secret in plugin.grants.secrets.values() {
            if let SecretReference::File(path) = &secret.reference {
                files.insert(path.clone());
            }
        }
    }
    for upstream in config.upstreams.values() {
        let identity = upstream
            .identity
            .iter()
            .flat_map(|identity| [&identity.certificate, &identity.key]);
        files.extend(upstream.ca.iter().chain(identity).map(|file| file.path.clone()));
    }
    for tls in config.listeners.values().filter_map(|listener| listener.tls.as_ref()) {
        files.extend([tls.certificate.path.clone(), tls.key.path.clone()]);
        if let Some(clients) = &tls.clients {
            files.insert(clients.ca.path.clone());
            files.extend(clients.crl.as_ref().map(|file| file.path.clone()));
        }
    }
    for stage in config.routes.iter().flat_map(|route| &route.chain) {
        match &stage.kind {
            StageKind::ApiKey(config) => {
                files.insert(config.keys.path.clone());
            }
            StageKind::Basic(config) => {
                files.insert(config.users.path.clone());
            }
            StageKind::Body(config) => {
                let templates = [&config.request, &config.response].into_iter().flatten();
                files.extend(templates.filter_map(|template| match &template.source {
                    TemplateSource::File(file) => Some(file.path.clone()),
                    TemplateSource::Inline(_) => None,
                }));
            }
            StageKind::Validate(config) => {
                if let Some(SchemaSource::File(file)) = &config.schema {
                    files.insert(file.path.clone());
                }
            }
            StageKind::SigV4(config) => {
                files.extend(secrets_of(&config.credentials.path));
                files.insert(config.credentials.path.clone());
            }
            StageKind::Waf(config) => files.extend(waf::rules::files(config)),
            StageKind::Jwt(config) => files.extend(config.keys.files().cloned()),
            StageKind::Oauth2Introspection(config) => {
                files.extend(config.introspector.ca.as_ref().map(|file| file.path.clone()));
            }
            StageKind::OidcLogin(config) => {
                files.extend(config.login.keys.ca.as_ref().map(|file| file.path.clone()));
            }
            _ => {}
        }
        files.extend(stage.kind.secrets().filter_map(|secret| match &secret.reference {
            SecretReference::File(path) => Some(path.clone()),
            SecretReference::Environment(_) => None,
        }));
    }
    files
}

/// The files that a file of access keys refers to; none while it has mistakes.
fn secrets_of(credentials: &Path) -> Vec<PathBuf> {
    let entries = load_credentials(credentials).unwrap_or_default();
    let references = entries
        .into_iter()
        .flat_map(|entry| [Some(entry.secret), entry.session_token]);
    let file = |reference| match reference {
        SecretReference::File(path) => Some(path),
        SecretReference::Environment(_) => None,
    };
    references.flatten().filter_map(file).collect()
}

/// The folders in which something happens when one of the files changes.
pub fn folders<'f>(files: impl IntoIterator<Item = &'f PathBuf>) -> BTreeSet<PathBuf> {
    let parent = |path: &PathBuf| match path.parent() {
        // What is added to a folder happens in it.
        _ if path.is_dir() => Some(path.clone()),
        Some(parent) if !parent.as_os_str().is_empty() => Some(parent.to_owned()),
        _ => Some(PathBuf::from(".")),
    };
    files.into_iter().filter_map(parent).collect()
}
