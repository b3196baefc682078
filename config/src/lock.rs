//! The lock file: what each plugin was when somebody approved it. Written by `gatewright plugin lock`, sorted, so that
//! two of them can be compared line by line; read as every file of ours, with all mistakes where they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use toml::de::DeValue;

use crate::document;
use crate::error::ConfigErrors;
use crate::file::{Locked, Section};
use crate::report::{Mistake, Report};

/// What the file begins with. Another number is another language.
const FORMAT: &str = "1";
const HINT: &str = "`gatewright plugin lock` writes the file anew; look at what it says before you keep it";

/// A whole lock file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// Plugins by their names in the configuration.
    pub plugins: BTreeMap<String, Approved>,
}

/// A plugin as it was approved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approved {
    /// The version that it gives itself.
    pub version: String,
    /// SHA-256 of its file, hexadecimal.
    pub sha256: String,
    /// Who signed it; none when nobody was asked for.
    pub publisher: Option<String>,
    /// What it can be used as.
    pub kinds: BTreeSet<String>,
    /// Services that it says it uses.
    pub services: BTreeSet<String>,
    /// Services that it could use if they were granted, said or not.
    pub imports: BTreeSet<String>,
    /// What it reads of exchanges: `request-fields` (all of them), `request-field:NAME`, the same of responses,
    /// `request-body` and `response-body`, `request-chunks` and `response-chunks`, `part:NAME`.
    pub reads: BTreeSet<String>,
}

/// Reads and checks a lock file.
///
/// # Errors
/// When the file cannot be read or is not UTF-8, and for every mistake in it.
pub fn load_lock(path: &Path) -> Result<Lock, ConfigErrors> {
    parse_lock(&crate::read(path)?, path)
}

/// Checks the text of a lock file. `path` names it in messages.
///
/// # Errors
/// For every mistake in the text.
pub fn parse_lock(text: &str, path: &Path) -> Result<Lock, ConfigErrors> {
    let mut report = Report::new(path, text);
    let lock = document::parse(text, 0, &mut report).map(|root| {
        let (mut sections, mut format) = (BTreeMap::new(), None);
        for (key, node) in &root {
            match (key.get_ref().as_ref(), node.get_ref()) {
                ("format", DeValue::Integer(number)) if number.as_str() == FORMAT => format = Some(()),
                ("format", _) => {
                    format = Some(());
                    let mistake = Mistake::new(node.span(), format!("this gateway reads the format {FORMAT} only"));
                    report.add(mistake.hint(HINT));
                }
                ("plugin", _) => sections = document::named(node, &mut report),
                _ => document::unknown(key, &["format", "plugin"], &mut report),
            }
        }
        if format.is_none() {
            // The first line of what is written: without it the file is not whole, or not ours.
            report.add(Mistake::new(0..0, format!("it does not say `format = {FORMAT}`")).hint(HINT));
        }
        let lock = resolve(&sections, &mut report);
        report.find_keys(&root);
        lock
    });
    report.finish(lock)
}

fn resolve(sections: &BTreeMap<String, Section<Locked>>, report: &mut Report) -> Lock {
    let mut lock = Lock::default();
    for (name, section) in sections {
        let locked = &section.value;
        for (key, missing) in [
            ("version", locked.version.is_none()),
            ("sha256", locked.sha256.is_none()),
        ] {
            if missing {
                report.missing(&section.span, key, "\"…\"");
            }
        }
        let (Some(version), Some(sha256)) = (&locked.version, &locked.sha256) else {
            continue;
        };
        let digit = |c: char| c.is_ascii_digit() || matches!(c, 'a'..='f');
        if sha256.value.len() != 64 || !sha256.value.chars().all(digit) {
            let mistake = Mistake::new(sha256.span.clone(), "it is not 64 hexadecimal digits");
            report.add(mistake.hint(HINT));
            continue;
        }
        let approved = Approved {
            version: version.clone(),
            sha256: sha256.value.clone(),
            publisher: locked.publisher.clone(),
            kinds: locked.kinds.clone(),
            services: locked.services.clone(),
            imports: locked.imports.clone(),
            reads: locked.reads.clone(),
        };
        lock.plugins.insert(name.clone(), approved);
    }
    lock
}

impl fmt::Display for Lock {
    /// The text of the file. The same plugins are the same bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# What each plugin was when it was approved. `gatewright plugin lock` writes this file; keep it with"
        )?;
        writeln!(f, "# the configuration.")?;
        writeln!(f, "format = {FORMAT}")?;
        for (name, approved) in &self.plugins {
            let Approved {
                version,
                sha256,
                publisher,
                kinds,
                services,
                imports,
                reads,
            } = approved;
            let text = |text: &str| toml::Value::from(text).to_string();
            writeln!(f, "\n[plugin.{}]", crate::report::quoted(name))?;
            writeln!(f, "version = {}", text(version))?;
            writeln!(f, "sha256 = {}", text(sha256))?;
            if let Some(publisher) = publisher {
                writeln!(f, "publisher = {}", text(publisher))?;
            }
            for (key, values) in [
                ("kinds", kinds),
                ("services", services),
                ("imports", imports),
                ("reads", reads),
            ] {
                let values: Vec<_> = values.iter().map(|value| text(value)).collect();
                writeln!(f, "{key} = [{}]", values.join(", "))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(values: &[&str]) -> BTreeSet<String> {
        values.iter().map(|&value| value.to_owned()).collect()
    }

    fn lock() -> Lock {
        let approved = Approved {
            version: "1.0 \"beta\"\u{7f}".to_owned(),
            sha256: "0123456789abcdef".repeat(4),
            publisher: Some("team".to_owned()),
            kinds: set(&["authorizer"]),
            services: set(&["kv", "http-client"]),
            imports: set(&["kv"]),
            reads: set(&["request-field:authorization", "request-body"]),
        };
        let other = Approved {
            publisher: None,
            ..approved.clone()
        };
        let plugins = [("b.next".to_owned(), approved), ("a".to_owned(), other)];
        Lock {
            plugins: plugins.into(),
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let text = lock().to_string();
        assert_eq!(parse_lock(&text, Path::new("gateway.lock")).unwrap(), lock());
        assert!(text.contains("services = [\"http-client\", \"kv\"]"), "sorted: {text}");
        assert!(
            text.find("[plugin.a]").unwrap() < text.find("[plugin.\"b.next\"]").unwrap(),
            "{text}"
        );
    }

    #[test]
    fn a_half_written_file_is_refused_or_holds_less() {
        let text = lock().to_string();
        for (at, _) in text.char_indices() {
            // Never more than was approved, and never something else under a name.
            if let Ok(part) = parse_lock(&text[..at], Path::new("gateway.lock")) {
                for (name, approved) in part.plugins {
                    let whole = &lock().plugins[&name];
                    assert_eq!((&approved.version, &approved.sha256), (&whole.version, &whole.sha256));
                    assert!(approved.services.is_subset(&whole.services) && approved.reads.is_subset(&whole.reads));
                }
            }
        }
        assert!(parse_lock("", Path::new("gateway.lock")).is_err());
    }
}
