//! What the file says to what it means: names resolved, texts taken apart, secrets and paths as references.
//!
//! Every function reports what is wrong and answers `None` for it; whoever asked evaluates all parts before it
//! gives up on the whole, so that all mistakes are found. A dropped part never causes a second mistake.

mod access_log;
mod admin;
mod case;
mod case_message;
mod case_services;
mod chain;
mod conflict;
mod credential;
mod header;
mod host;
mod integration;
mod listener;
mod path;
mod plugin;
mod redis;
mod reference;
mod route;
mod server;
mod stage;
mod state;
mod template;
mod upstream;
mod usage_plan;
mod warnings;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::cases::{CaseFile, CaseLines};
use crate::credentials::CredentialEntry;
use crate::file::{Cases, Credential, File, Located, Section};
use crate::gateway::{DiskCacheConfig, GatewayConfig, ResponseCacheConfig, SecretReference, StageConfig};
use crate::place::{FileReference, Place};
use crate::report::{Mistake, Report, Span, suggestion};

/// Resolves a whole file; nothing when a part without which there is no gateway is wrong.
pub(crate) fn resolve(file: &File, report: &mut Report) -> Option<GatewayConfig> {
    let mut resolver = Resolver {
        file,
        report,
        at: String::new(),
        chains: BTreeMap::new(),
        directory_missed: false,
        known_secrets: BTreeMap::new(),
    };
    let server = resolver.server();
    let listeners = resolver.listeners();
    let admin = resolver.admin();
    let access_log = resolver.access_log();
    let plugins = resolver.plugins();
    resolver.secrets();
    let plugin = resolver.plugin();
    let redis = resolver.redis();
    let state = resolver.state();
    let response_cache = resolver.response_cache();
    let upstreams = resolver.upstreams();
    let usage_plans = resolver.usage_plans();
    resolver.chains();
    let routes = resolver.routes();
    resolver.addresses(&listeners, admin.as_ref());
    resolver.log_spelling(&routes);
    let config = GatewayConfig {
        server: server?,
        listeners,
        admin,
        access_log: access_log?,
        plugins: plugins?,
        plugin,
        redis,
        response_cache: response_cache?,
        state: state?,
        upstreams,
        usage_plans,
        routes,
        hidden: resolver.report.references.hidden(),
    };
    if resolver.report.is_good() {
        resolver.warnings(&config);
    }
    Some(config)
}

/// Resolves a file of cases. What it says of the plugin means what it would mean in a gateway's configuration.
pub(crate) fn cases(cases: Cases, report: &mut Report) -> CaseFile {
    const NAME: &str = "plugin";
    let Cases {
        plugin,
        config,
        services,
        case,
    } = cases;
    let file = File {
        plugin: BTreeMap::from([(NAME.to_owned(), plugin)]),
        ..File::default()
    };
    let mut resolver = Resolver {
        file: &file,
        report,
        at: String::new(),
        chains: BTreeMap::new(),
        directory_missed: false,
        known_secrets: BTreeMap::new(),
    };
    let plugin = resolver.plugin().remove(NAME).unwrap_or_default();
    let config = serde_json::Value::Object(config.value.0);
    let mut lines = CaseLines::new();
    let services = resolver.case_services(&services.value).unwrap_or_default();
    let cases = case
        .iter()
        .filter_map(|case| resolver.case(case, &config, &services, &mut lines));
    CaseFile {
        plugin,
        cases: cases.collect(),
    }
}

/// Resolves a file of access keys.
pub(crate) fn credentials(sections: &[Section<Credential>], report: &mut Report) -> Vec<CredentialEntry> {
    let file = File::default();
    let mut resolver = Resolver {
        file: &file,
        report,
        at: String::new(),
        chains: BTreeMap::new(),
        directory_missed: false,
        known_secrets: BTreeMap::new(),
    };
    resolver.credentials(sections)
}

/// What every part needs to be resolved.
struct Resolver<'f> {
    file: &'f File,
    report: &'f mut Report,
    /// Key path of the stage that is being resolved.
    at: String,
    /// Named chains, flat; nothing for one that is part of a cycle.
    chains: BTreeMap<&'f str, Option<Vec<StageConfig>>>,
    /// It has been said that plugins need a directory; once is enough.
    directory_missed: bool,
    /// What `[secrets]` says, without what is wrong.
    known_secrets: BTreeMap<&'f str, SecretReference>,
}

impl Resolver<'_> {
    fn response_cache(&mut self) -> Option<ResponseCacheConfig> {
        let file = self.file;
        let section = &file.response_cache.value;
        let disk = section.disk.as_ref().map(|disk| {
            let directory = self.required(
                disk.value.directory.as_ref(),
                &disk.span,
                "directory",
                "\"/var/cache/gatewright\"",
            );
            Some(DiskCacheConfig {
                directory: self.file_reference(directory?, "response_cache.disk.directory".to_owned())?,
                bytes: disk.value.bytes,
            })
        });
        Some(ResponseCacheConfig {
            bytes: section.bytes,
            disk: match disk {
                Some(disk) => Some(disk?),
                None => None,
            },
        })
    }

    fn error(&mut self, span: &Span, message: impl Into<String>, hint: impl Into<String>) {
        self.report.add(Mistake::new(span.clone(), message).hint(hint));
    }

    /// The value of a key that must be there.
    fn required<'v, T>(&mut self, value: Option<&'v T>, table: &Span, key: &str, example: &str) -> Option<&'v T> {
        if value.is_none() {
            self.report.missing(table, key, example);
        }
        value
    }

    /// A path of the file system, from the directory of the file.
    fn path(&mut self, path: &Located<String>) -> Option<PathBuf> {
        if path.value.is_empty() || path.value.contains('\0') {
            self.error(
                &path.span,
                "it is not a path",
                "write a path, absolute or from the directory of this file",
            );
            return None;
        }
        Some(self.report.directory(&path.span).join(&path.value))
    }

    /// Where something of the stage is that is being resolved.
    fn stage_place(&self, span: &Span, key: &str) -> Place {
        let stage = self.report.place(span, self.at.clone());
        match key.is_empty() {
            true => stage,
            false => stage.key(key),
        }
    }

    /// A file that the stage names that is being resolved.
    fn stage_file(&mut self, path: &Located<String>, key: &str) -> Option<FileReference> {
        Some(FileReference {
            path: self.path(path)?,
            place: self.stage_place(&path.span, key),
        })
    }

    /// A file, for whoever opens it and finds something wrong with it.
    fn file_reference(&mut self, path: &Located<String>, key: String) -> Option<FileReference> {
        Some(FileReference {
            path: self.path(path)?,
            place: self.report.place(&path.span, key),
        })
    }

    /// Checks that a name is one of those in the file. Sections that could not be read count: they were reported.
    fn known<T>(&mut self, kind: &str, name: &Located<String>, sections: &BTreeMap<String, Section<T>>) -> bool {
        let known = sections.contains_key(&name.value);
        if !known {
            let hint = suggestion(&name.value, sections.keys().map(String::as_str), &format!("{kind}s"));
            self.error(&name.span, format!("unknown {kind} `{}`", name.value), hint);
        }
        known
    }
}
