//! `[plugins]` and `[plugin.NAME]`

use std::collections::{BTreeMap, BTreeSet};

use super::Resolver;
use super::reference::is_name;
use super::upstream::{Url, parse_url};
use crate::file::{
    Cache, Candidate, Count, Counters, Grants, Instances, Kv, Located, Plugin, Plugins, Record, Section,
};
use crate::gateway::{
    self, CacheGrant, CandidateConfig, CounterGrant, HttpClientConfig, InstancePolicy, KvGrant, LockConfig,
    OriginGrant, PluginConfig, PluginsConfig, RecordConfig, SecretGrant,
};
use crate::public_key::PublicKey;
use crate::report::{Span, quoted, suggestion};
use crate::units::ByteSize;

/// Bytes of `memory` for which an instance has a resource handle.
const HANDLE_BYTES: u64 = 256;
/// Handles of an instance with little memory.
const LEAST_HANDLES: usize = 1_000;

impl From<&Plugin> for PluginConfig {
    fn from(plugin: &Plugin) -> Self {
        Self {
            memory: plugin.memory,
            time: plugin.time.0,
            cpu: plugin.cpu.0,
            host_call_bytes: plugin.host_call_bytes,
            output_bytes: plugin.output_bytes,
            log_bytes: plugin.log_bytes,
            handles: plugin.handles.map_or_else(|| handles(plugin.memory), Count::as_usize),
            concurrency: plugin.concurrency.as_usize(),
            queue_timeout: plugin.queue_timeout.0,
            instances: match plugin.instances {
                Instances::Fresh => InstancePolicy::Fresh,
                Instances::Reuse(calls) => InstancePolicy::Reuse(calls.0),
            },
            // What is granted by name is resolved by whoever knows the names.
            grants: gateway::Grants {
                metrics: plugin.grants.metrics,
                ..gateway::Grants::default()
            },
            http: HttpClientConfig {
                requests: plugin.http.requests.as_usize(),
                parallel: plugin.http.parallel.as_usize(),
                rate: plugin.http.rate,
                response_bytes: plugin.http.response_bytes,
                connect_timeout: plugin.http.connect_timeout.0,
                allow_private: plugin.http.allow_private,
                ca: None,
            },
            publishers: None,
            record: None,
            candidate: plugin.candidate.as_ref().map(CandidateConfig::from),
        }
    }
}

/// What a handle costs the gateway is in proportion to what the instance has anyway.
fn handles(memory: ByteSize) -> usize {
    usize::try_from(memory.0 / HANDLE_BYTES)
        .unwrap_or(usize::MAX)
        .max(LEAST_HANDLES)
}

impl From<&Candidate> for CandidateConfig {
    fn from(candidate: &Candidate) -> Self {
        Self {
            mode: candidate.mode,
            percent: candidate.percent.0,
            by: candidate.by,
            failures: candidate.failures.0,
            slow_after: candidate.slow_after.map(|time| time.0),
            slow: candidate.slow.0,
            differences: candidate.differences.map(|percent| percent.0),
            concurrency: candidate.concurrency.as_usize(),
        }
    }
}

impl Default for PluginConfig {
    /// What a plugin gets of which the file says nothing.
    fn default() -> Self {
        Self::from(&Plugin::default())
    }
}

impl Resolver<'_> {
    /// `path` is that of the configuration file, where the lock file is beside.
    pub(super) fn plugins(&mut self) -> Option<PluginsConfig> {
        let Plugins {
            directory,
            store,
            versions,
            instances,
            file_bytes,
            compile_time,
            compile_memory,
            required,
            publishers,
            require_signed,
            lock,
            lock_policy,
        } = &self.file.plugins.value;
        if *require_signed && publishers.is_empty() && self.file.plugins.whole {
            let hint = "add the public keys of who may sign, such as `publishers = { me = [\"ssh-ed25519 AAAA…\"] }`; \
                        `gatewright plugin keygen` makes a pair of keys";
            let span = self.file.plugins.span.clone();
            self.error(&span, "`require_signed` is set, and there are no `publishers`", hint);
        }
        let publishers = self.publishers(publishers);
        let section = self.report.place(&self.file.plugins.span, "plugins".to_owned());
        let directory = directory
            .as_ref()
            .map(|path| self.file_reference(path, "plugins.directory".to_owned()));
        // The place of a store that is left out is the section's.
        let is_written = !store.span.is_empty();
        let mut store = self.file_reference(store, "plugins.store".to_owned());
        if let (false, Some(store)) = (is_written, &mut store) {
            store.place = section.key("store");
        }
        let versions = self.path(versions);
        Some(PluginsConfig {
            directory: match directory {
                Some(directory) => Some(directory?),
                None => None,
            },
            store: store?,
            versions: versions?,
            instances: instances.0,
            file_bytes: *file_bytes,
            compile_time: compile_time.0,
            compile_memory: *compile_memory,
            required: *required,
            publishers,
            require_signed: *require_signed,
            lock: LockConfig {
                file: self.report.place(&(0..0), String::new()).file.with_extension("lock"),
                when: *lock,
                policy: *lock_policy,
                place: section,
            },
        })
    }

    fn publishers(&mut self, publishers: &BTreeMap<String, Vec<Located<String>>>) -> BTreeMap<String, Vec<PublicKey>> {
        let mut known = BTreeMap::new();
        for (name, texts) in publishers {
            let plugins = self.file.plugins.span.clone();
            let place = texts.first().map_or(plugins, |text| text.span.clone());
            if !is_name(name) {
                let hint = "write 1 to 64 letters, digits, `-`, `_` and `.`";
                self.error(&place, format!("`{name}` is not the name of a publisher"), hint);
            }
            if texts.is_empty() {
                let hint = "write what is in its `.pub` file: `[\"ssh-ed25519 AAAA…\"]`";
                self.error(&place, format!("publisher `{name}` has no key"), hint);
            }
            let mut keys = Vec::with_capacity(texts.len());
            for text in texts {
                match text.value.parse::<PublicKey>() {
                    Ok(key) => keys.push(key),
                    Err(wrong) => self.error(
                        &text.span,
                        wrong.to_string(),
                        "write the line of the `.pub` file: \"ssh-ed25519 AAAA…\"",
                    ),
                }
            }
            known.insert(name.clone(), keys);
        }
        known
    }

    /// The publishers that one plugin names.
    fn publishers_of(&mut self, names: &[Located<String>], section: &Span) -> BTreeSet<String> {
        if names.is_empty() {
            let hint = "name who may sign it, or remove `publishers`";
            self.error(section, "it names no publisher: nothing could be loaded", hint);
        }
        let plugins = &self.file.plugins;
        for name in names {
            if !plugins.value.publishers.contains_key(&name.value) && plugins.whole {
                let known = plugins.value.publishers.keys().map(String::as_str);
                let hint = match known.len() {
                    0 => "add its keys: `publishers = { NAME = [\"ssh-ed25519 AAAA…\"] }` under `[plugins]`".to_owned(),
                    _ => suggestion(&name.value, known, "publishers"),
                };
                self.error(&name.span, format!("unknown publisher `{}`", name.value), hint);
            }
        }
        names.iter().map(|name| name.value.clone()).collect()
    }

    pub(super) fn plugin(&mut self) -> BTreeMap<String, PluginConfig> {
        let sections = self.file.plugin.iter();
        sections
            .map(|(name, section)| (name.clone(), self.plugin_limits(name, section)))
            .collect()
    }

    fn plugin_limits(&mut self, name: &str, section: &Section<Plugin>) -> PluginConfig {
        self.plugin_name(&Located {
            value: name.to_owned(),
            span: section.span.clone(),
        });
        let key = format!("plugin.{}", quoted(name));
        let ca = section.value.http.ca.as_ref();
        let ca = ca.and_then(|file| self.file_reference(file, format!("{key}.http.ca")));
        let mut config = PluginConfig {
            grants: self.grants(&section.value.grants, &key),
            ..PluginConfig::from(&section.value)
        };
        config.http.ca = ca;
        let publishers = section.value.publishers.as_ref();
        config.publishers = publishers.map(|names| self.publishers_of(names, &section.span));
        config.record = section.value.record.as_ref().and_then(|record| self.record(record));
        config
    }

    fn record(&mut self, record: &Record) -> Option<RecordConfig> {
        let Record {
            on,
            slower_than,
            sample,
            fields,
            query,
            bodies,
            answers,
            directory,
            directory_bytes,
        } = record;
        let fields = fields.iter();
        let fields = fields
            .filter_map(|name| self.header_name(&name.value, &name.span))
            .collect();
        Some(RecordConfig {
            on: on.clone(),
            slower_than: slower_than.map(|time| time.0),
            sample: sample.map(|every| every.0),
            fields,
            query: query.clone(),
            bodies: *bodies,
            answers: *answers,
            directory: self.path(directory)?,
            directory_bytes: *directory_bytes,
        })
    }

    fn grants(&mut self, grants: &Grants, key: &str) -> gateway::Grants {
        let Grants {
            metrics,
            http,
            secrets,
            kv,
            cache,
            counters,
        } = grants;
        gateway::Grants {
            metrics: *metrics,
            secrets: secrets
                .iter()
                .filter_map(|name| Some((name.value.clone(), self.granted_secret(name)?)))
                .collect(),
            http: http
                .iter()
                .enumerate()
                .filter_map(|(index, url)| self.granted_origin(url, format!("{key}.grants.http[{index}]")))
                .collect(),
            kv: kv
                .iter()
                .filter_map(|name| Some((name.value.clone(), self.granted_kv(name)?)))
                .collect(),
            cache: cache
                .iter()
                .filter_map(|name| Some((name.value.clone(), self.granted_cache(name)?)))
                .collect(),
            counters: counters
                .iter()
                .filter_map(|name| Some((name.value.clone(), self.granted_counters(name)?)))
                .collect(),
        }
    }

    fn granted_secret(&mut self, name: &Located<String>) -> Option<SecretGrant> {
        let secrets = &self.file.secrets;
        let Some(reference) = secrets.value.0.get(&name.value) else {
            if secrets.whole {
                let names = secrets.value.0.keys().map(String::as_str);
                let hint = match names.len() {
                    0 => "add it to `[secrets]`, such as `NAME = \"env:NAME\"`".to_owned(),
                    _ => suggestion(&name.value, names, "secrets"),
                };
                self.error(&name.span, format!("unknown secret `{}`", name.value), hint);
            }
            return None;
        };
        Some(SecretGrant {
            // A wrong one is reported once, where it is: see `secrets`.
            reference: self.known_secrets.get(name.value.as_str())?.clone(),
            place: self
                .report
                .place(&reference.span, format!("secrets.{}", quoted(&name.value))),
        })
    }

    fn granted_origin(&mut self, url: &Located<String>, key: String) -> Option<OriginGrant> {
        match parse_url(&url.value) {
            Ok(Url {
                tls,
                host,
                port,
                base_path,
            }) => Some(OriginGrant {
                tls,
                host,
                port,
                path: base_path,
                place: self.report.place(&url.span, key),
            }),
            Err(reason) => {
                let hint = "write an origin such as \"https://idp.example.com\", or one with a path";
                self.error(&url.span, reason, hint);
                None
            }
        }
    }

    fn granted_kv(&mut self, name: &Located<String>) -> Option<KvGrant> {
        let file = self.file;
        self.granted_name(name)?;
        let Kv {
            value_bytes,
            bytes,
            scope,
            when_unavailable,
        } = file
            .kv
            .get(&name.value)
            .map(|section| section.value.clone())
            .unwrap_or_default();
        Some(KvGrant {
            value_bytes,
            bytes,
            scope: self.store_scope(&scope, when_unavailable.as_ref()),
        })
    }

    fn granted_cache(&mut self, name: &Located<String>) -> Option<CacheGrant> {
        let file = self.file;
        self.granted_name(name)?;
        let Cache {
            value_bytes,
            bytes,
            waiting,
            scope,
            when_unavailable,
        } = file
            .cache
            .get(&name.value)
            .map(|section| section.value.clone())
            .unwrap_or_default();
        Some(CacheGrant {
            value_bytes,
            bytes,
            waiting: waiting.as_usize(),
            scope: self.store_scope(&scope, when_unavailable.as_ref()),
        })
    }

    fn granted_counters(&mut self, name: &Located<String>) -> Option<CounterGrant> {
        let file = self.file;
        self.granted_name(name)?;
        let Counters {
            bytes,
            scope,
            when_unavailable,
        } = file
            .counters
            .get(&name.value)
            .map(|section| section.value.clone())
            .unwrap_or_default();
        Some(CounterGrant {
            bytes,
            scope: self.store_scope(&scope, when_unavailable.as_ref()),
        })
    }

    /// What needs no section is granted by any name.
    fn granted_name(&mut self, name: &Located<String>) -> Option<()> {
        let valid = is_name(&name.value);
        if !valid {
            let hint = "write 1 to 64 letters, digits, `-`, `_` and `.`, such as \"sessions\"";
            self.error(&name.span, format!("`{}` is not a name", name.value), hint);
        }
        valid.then_some(())
    }

    /// A plugin's name is the name of a file: it must not lead out of the folder.
    pub(super) fn plugin_name(&mut self, name: &Located<String>) -> Option<String> {
        let text = name.value.as_str();
        let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if text.is_empty() || text.starts_with('.') || text.len() > 128 || !text.chars().all(valid) {
            let hint = "write the name of its file without `.wasm`: letters, digits, `-`, `_` and `.`";
            self.error(&name.span, format!("`{text}` is not the name of a plugin"), hint);
            return None;
        }
        if let Some(stem) = text.strip_suffix(".wasm") {
            self.error(&name.span, format!("`{text}` names a file"), format!("write `{stem}`"));
            return None;
        }
        Some(name.value.clone())
    }

    /// A route uses a plugin: there must be a folder to find it in.
    pub(super) fn need_plugin_directory(&mut self, span: &Span) {
        let plugins = &self.file.plugins;
        if plugins.value.directory.is_none() && plugins.whole && !self.directory_missed {
            self.directory_missed = true;
            let hint = "add:\n[plugins]\ndirectory = \"plugins\"";
            self.error(span, "it uses a plugin, but no folder of plugins is configured", hint);
        }
    }
}
