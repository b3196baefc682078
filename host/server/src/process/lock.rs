//! `gatewright plugin lock`: what the plugins are that a configuration uses, beside what was approved.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gatewright_config::{GatewayConfig, Lock, LockConfig, load_lock};
use gatewright_wasm::{Compiling, Granted, Loading, Trust};

use super::StartError;
use super::foundation::{Purpose, foundation, without_traces};
use crate::approval::{Change, approved};
use crate::assemble::{Mistakes, plugin_file, used_plugins};
use crate::candidate::{candidate_file, candidate_name};

/// What a lock file would have to say.
pub struct Locking {
    /// Where it is.
    pub config: LockConfig,
    /// What it would say.
    pub lock: Lock,
    /// What is different, by plugin.
    pub changes: BTreeMap<String, Change>,
    /// Plugins in it that nothing uses any more.
    pub unused: BTreeSet<String>,
    /// Why what is there cannot be read.
    pub unreadable: Option<String>,
    /// Whether there is one.
    pub is_there: bool,
}

impl Locking {
    /// Whether the file that is there says all of this already.
    pub fn is_up_to_date(&self) -> bool {
        self.is_there && self.changes.is_empty() && self.unused.is_empty() && self.unreadable.is_none()
    }
}

/// Loads the plugins of a configuration, which are granted nothing here, and compares them with the lock file. With
/// `only`, these alone: what is approved of the others stays.
///
/// # Errors
/// Everything that is wrong with the file, or the first plugin that cannot be loaded.
pub fn lock(file: &Path, only: &[String], compiler: &Compiling) -> Result<Locking, StartError> {
    let config = without_traces(gatewright_config::load(file)?);
    let purpose = Purpose::Looking { online: false };
    let mut mistakes = Vec::new();
    let foundation = foundation(purpose, &config, &Arc::default(), 1, compiler, &mut mistakes)?;
    Mistakes::from(mistakes).none()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let there = config.plugins.lock.file.try_exists().unwrap_or(true);
    let (before, unreadable) = match there.then(|| load_lock(&config.plugins.lock.file)) {
        None => (Lock::default(), None),
        Some(Ok(lock)) => (lock, None),
        Some(Err(errors)) if only.is_empty() => (Lock::default(), Some(errors.to_string())),
        // What is approved of the others is not known.
        Some(Err(errors)) => return Err(errors.into()),
    };
    let used = files(&config);
    let mut locking = Locking {
        is_there: there,
        unreadable,
        lock: Lock::default(),
        changes: BTreeMap::new(),
        unused: BTreeSet::new(),
        config: config.plugins.lock.clone(),
    };
    for (name, approved) in &before.plugins {
        match used.contains_key(name) {
            _ if !only.is_empty() => _ = locking.lock.plugins.insert(name.clone(), approved.clone()),
            true => {}
            false => _ = locking.unused.insert(name.clone()),
        }
    }
    for (name, (plugin, file)) in used {
        if !only.is_empty() && !only.contains(&name) {
            continue;
        }
        let limits = config.plugin.get(&plugin).cloned().unwrap_or_default();
        let loading = Loading {
            name: &plugin,
            file: &file,
            config: &limits,
            trust: Trust::of(&config.plugins, &limits),
            granted: Granted::default(),
            observer: None,
        };
        let plugin = runtime.block_on(foundation.plugins.load_with(loading))?;
        let now = approved(plugin.summary());
        if let Some(change) = Change::of(before.plugins.get(&name), &now) {
            locking.changes.insert(name.clone(), change);
        }
        locking.lock.plugins.insert(name, now);
    }
    Ok(locking)
}

/// What may serve: plugins that routes use, and their candidates that are there. By the names of the lock file, the plugin
/// each.
fn files(config: &GatewayConfig) -> BTreeMap<String, (String, PathBuf)> {
    let mut files = BTreeMap::new();
    for name in used_plugins(config) {
        let Some(file) = plugin_file(config, name) else {
            continue;
        };
        let candidate = candidate_file(&file);
        let has_candidate = config.plugin.get(name).is_some_and(|plugin| plugin.candidate.is_some());
        files.insert(name.to_owned(), (name.to_owned(), file));
        if has_candidate && candidate.exists() {
            files.insert(candidate_name(name), (name.to_owned(), candidate));
        }
    }
    files
}
