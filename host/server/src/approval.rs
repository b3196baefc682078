//! Whether a plugin is what somebody approved: what it is and wants, compared with the lock file.
//!
//! Compared is what the gateway finds out by itself (the file's digest, who signed it, what it exports and imports) and
//! what the plugin says of itself (`describe`). What is granted to it is in the configuration, and no part of this.

use std::collections::BTreeSet;
use std::fmt;

use gatewright_config::lock::Approved;
use gatewright_config::{ConfigErrors, Lock, LockConfig, LockPolicy, LockUse, load_lock};
use gatewright_wasm::{FieldsSummary, PluginSummary};

/// What reaches out of the sandbox, if it is granted. Languages import what is harmless as they like.
const REACHING: [&str; 6] = [
    "counters",
    "http-client",
    "kv",
    "metrics",
    "secrets",
    "wasi:http/outgoing-handler",
];

/// Why plugins cannot be compared with the lock file.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It must be there, and is not.
    #[error(
        "there is no lock file {}, and `lock` under `[plugins]` is \"required\"",
        .0.file.display()
    )]
    Missing(LockConfig),
    /// It was there while the generation that serves was made. An editor may be about to write it anew.
    #[error(
        "the lock file {} is gone",
        .0.file.display()
    )]
    Gone(LockConfig),
    /// It has mistakes.
    #[error(transparent)]
    Wrong(#[from] ConfigErrors),
}

/// The lock file, where it counts. `held` is whether there was one before.
///
/// # Errors
/// When it must be there and is not, and for every mistake in it.
pub fn lock(config: &LockConfig, held: bool) -> Result<Option<Lock>, LockError> {
    let there = config.file.try_exists().unwrap_or(true);
    match config.when {
        LockUse::Off => Ok(None),
        LockUse::IfPresent if !there && held => Err(LockError::Gone(config.clone())),
        LockUse::IfPresent if !there => Ok(None),
        LockUse::Required if !there => Err(LockError::Missing(config.clone())),
        LockUse::IfPresent | LockUse::Required => Ok(Some(load_lock(&config.file)?)),
    }
}

/// Checks that a plugin, which the lock file knows by that name, may serve.
///
/// # Errors
/// What it is or wants that was not approved, and what to do.
pub fn check(lock: &Lock, config: &LockConfig, name: &str, plugin: &PluginSummary) -> Result<(), String> {
    let Some(change) = Change::of(lock.plugins.get(name), &approved(plugin)) else {
        return Ok(());
    };
    let file = config.file.display();
    match &change.before {
        None => Err(format!(
            "plugin `{name}` {change} is not in the lock file {file}: it {}; run `gatewright plugin lock` to approve it",
            change.asks()
        )),
        Some(before) if change.wants_more() => Err(format!(
            "plugin `{name}` {change} newly {}; run `gatewright plugin lock` to accept, or put the approved version {before} \
             back",
            change.asks(),
            before = before.version
        )),
        Some(_) if config.policy == LockPolicy::Wishes => Ok(()),
        Some(before) => Err(format!(
            "plugin `{name}` {change} is another file than the one that was approved ({}) and wants nothing more; run \
             `gatewright plugin lock` to accept, or set `lock_policy = \"wishes\"` under `[plugins]` if such files need no \
             approval",
            before.version
        )),
    }
}

/// What is written into the lock file of a plugin.
pub fn approved(plugin: &PluginSummary) -> Approved {
    let needs = &plugin.needs;
    let mut reads = BTreeSet::new();
    for (what, fields) in [("request", &needs.request_fields), ("response", &needs.response_fields)] {
        match fields {
            FieldsSummary::All => _ = reads.insert(format!("{what}-fields")),
            FieldsSummary::Named(names) => reads.extend(names.iter().map(|name| format!("{what}-field:{name}"))),
        }
    }
    for (what, read) in [
        ("request-body", needs.request_body),
        ("response-body", needs.response_body),
        ("request-chunks", needs.request_chunks),
        ("response-chunks", needs.response_chunks),
    ] {
        if read {
            reads.insert(what.to_owned());
        }
    }
    reads.extend(needs.parts.iter().map(|part| format!("part:{part}")));
    let unversioned = |name: &String| name.split('@').next().unwrap_or_default().to_owned();
    let reaching = |name: &String| REACHING.contains(&name.as_str());
    Approved {
        version: plugin.version.clone(),
        sha256: plugin.digest.clone(),
        publisher: plugin.publisher.clone(),
        kinds: plugin.kinds.iter().map(|kind| kind.as_str().to_owned()).collect(),
        services: plugin.services.iter().map(|&name| name.to_owned()).collect(),
        imports: plugin.imports.iter().map(unversioned).filter(reaching).collect(),
        reads,
    }
}

/// What is different between a plugin and what was approved of it. Shown as its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// None when nothing was.
    pub before: Option<Approved>,
    /// As it is.
    pub now: Approved,
}

impl Change {
    /// None when nothing is different.
    pub fn of(before: Option<&Approved>, now: &Approved) -> Option<Self> {
        (before != Some(now)).then(|| Self {
            before: before.cloned(),
            now: now.clone(),
        })
    }

    /// Whether it wants what was not approved.
    pub fn wants_more(&self) -> bool {
        !self.wishes().is_empty()
    }

    /// What it wants that was not approved, to be read after "it" and "newly".
    pub fn asks(&self) -> String {
        match self.wishes() {
            wishes if wishes.is_empty() => "wants nothing".to_owned(),
            wishes => listed(&wishes),
        }
    }

    fn wishes(&self) -> Vec<String> {
        let nothing = Approved::default();
        let Approved {
            version: _,
            sha256: _,
            publisher,
            kinds,
            services,
            imports,
            reads,
        } = self.before.as_ref().unwrap_or(&nothing);
        let mut wishes = Vec::new();
        match (publisher, &self.now.publisher) {
            (Some(before), Some(now)) if before != now => {
                wishes.push(format!("is signed by `{now}` instead of `{before}`"))
            }
            (Some(before), None) => wishes.push(format!("is signed by nobody instead of `{before}`")),
            _ => {}
        }
        let kinds = added(kinds, &self.now.kinds);
        if !kinds.is_empty() {
            let kinds: Vec<_> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
            wishes.push(format!("exports {}", listed(&kinds)));
        }
        let declared = added(services, &self.now.services);
        if !declared.is_empty() {
            wishes.push(format!("wants {}", listed(&declared)));
        }
        let mut imported = added(imports, &self.now.imports);
        imported.retain(|service| !self.now.services.contains(service));
        if !imported.is_empty() {
            wishes.push(format!("could use {} without saying so", listed(&imported)));
        }
        wishes.extend(reading(reads, &self.now.reads));
        wishes
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.now.version)
    }
}

fn added(before: &BTreeSet<String>, now: &BTreeSet<String>) -> Vec<String> {
    now.difference(before).cloned().collect()
}

fn reading(before: &BTreeSet<String>, now: &BTreeSet<String>) -> Vec<String> {
    let new = added(before, now);
    let mut words = Vec::new();
    for what in ["request", "response"] {
        let (all, one) = (format!("{what}-fields"), format!("{what}-field:"));
        let named: Vec<_> = new.iter().filter_map(|read| read.strip_prefix(&one)).collect();
        match named.as_slice() {
            _ if new.contains(&all) => words.push(format!("reads all {what} fields")),
            // Each of them is one of all.
            _ if before.contains(&all) => {}
            [] => {}
            [name] => words.push(format!("reads the {what} field {name}")),
            names => words.push(format!("reads the {what} fields {}", listed(names))),
        }
    }
    for (read, said) in [
        ("request-body", "reads request bodies"),
        ("response-body", "reads response bodies"),
        ("request-chunks", "filters request bodies"),
        ("response-chunks", "filters response bodies"),
    ] {
        if new.iter().any(|known| known == read) {
            words.push(said.to_owned());
        }
    }
    let parts: Vec<_> = new.iter().filter_map(|read| read.strip_prefix("part:")).collect();
    if !parts.is_empty() {
        words.push(format!("reads {}", listed(&parts)));
    }
    words
}

/// "a", "a and b", "a, b and c"
fn listed(words: &[impl AsRef<str>]) -> String {
    let words: Vec<_> = words.iter().map(AsRef::as_ref).collect();
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(values: &[&str]) -> BTreeSet<String> {
        values.iter().map(|&value| value.to_owned()).collect()
    }

    fn plugin() -> Approved {
        Approved {
            version: "1.2.0".to_owned(),
            sha256: "00".repeat(32),
            publisher: Some("team".to_owned()),
            kinds: set(&["authorizer"]),
            services: set(&["clock"]),
            imports: set(&["kv"]),
            reads: set(&["request-field:authorization"]),
        }
    }

    fn asks(change: impl Fn(&mut Approved)) -> Option<String> {
        let mut now = plugin();
        now.sha256 = "11".repeat(32);
        change(&mut now);
        let change = Change::of(Some(&plugin()), &now)?;
        change.wants_more().then(|| change.asks())
    }

    #[test]
    fn what_a_new_version_newly_wants_is_said_in_words() {
        let all = asks(|now| {
            now.services = set(&["clock", "http-client"]);
            now.reads = set(&["request-fields"]);
        });
        assert_eq!(all.unwrap(), "wants http-client and reads all request fields");
        let much = asks(|now| {
            now.publisher = Some("vendor".to_owned());
            now.kinds = set(&["authorizer", "request-transform", "response-transform"]);
            now.services = set(&["secrets"]);
            now.imports = set(&["kv", "metrics", "secrets"]);
            now.reads = set(&["part:path", "part:peer", "request-field:cookie", "response-body"]);
        });
        assert_eq!(
            much.unwrap(),
            "is signed by `vendor` instead of `team`, exports `request-transform` and `response-transform`, wants secrets, \
             could use metrics without saying so, reads the request field cookie, reads response bodies and reads path and peer"
        );
        let unsigned = asks(|now| now.publisher = None);
        assert_eq!(unsigned.unwrap(), "is signed by nobody instead of `team`");
    }

    #[test]
    fn wanting_less_or_the_same_is_nothing_new() {
        assert_eq!(asks(|_| {}), None);
        let less = asks(|now| {
            now.services.clear();
            now.imports.clear();
            now.reads.clear();
            now.version = "2.0.0".to_owned();
        });
        assert_eq!(less, None);
        let before = Approved {
            reads: set(&["request-fields"]),
            ..plugin()
        };
        assert!(
            !Change::of(Some(&before), &plugin()).unwrap().wants_more(),
            "one of all fields"
        );
        assert_eq!(Change::of(Some(&plugin()), &plugin()), None);
    }
}
