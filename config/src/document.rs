//! Text to [`File`]: parses TOML to a tree with positions, then reads it section by section with plain serde.
//!
//! serde stops at the first mistake, so a section is tried again without what was wrong until it can be read
//! ([`section`]). Sections are read one by one: a mistake costs one more attempt at its own section only.

mod duplicate;
mod expand;
mod merge;
mod section;
mod translate;

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::file::{Cases, File, Section};
use crate::report::{Mistake, Report, suggestion};

pub(crate) use merge::merge;
pub(crate) use section::Readable;

pub(crate) type Node<'t> = Spanned<DeValue<'t>>;

/// The tree of a text whose offsets begin at `start`, or nothing when it is not TOML.
pub(crate) fn parse<'t>(text: &'t str, start: usize, report: &mut Report) -> Option<DeTable<'t>> {
    let (root, errors) = DeTable::parse_recoverable(text);
    let root = root.into_inner();
    let mut last_line = 0;
    for error in &errors {
        let local = error.span().unwrap_or(0..0);
        let span = local.start + start..local.end + start;
        let line = report.line(&span);
        // What follows on the same line is nearly always an echo of the first.
        if line != last_line {
            report.add(match error.message() {
                "duplicate key" => duplicate::mistake(text, &root, &local, start, report),
                message => {
                    let hint = (!message.starts_with("unclosed")).then(|| "texts are written in quotes".to_owned());
                    Mistake {
                        hint,
                        ..Mistake::new(span, format!("not TOML: {message}"))
                    }
                }
            });
        }
        last_line = line;
    }
    errors.is_empty().then(|| match start {
        0 => root,
        start => merge::shifted(root, start),
    })
}

/// Reads the whole configuration file.
pub(crate) fn gateway(root: &DeTable<'_>, report: &mut Report) -> File {
    let mut file = File::default();
    for (key, node) in root {
        match key.get_ref().as_ref() {
            "server" => file.server = section::read(node, report).unwrap_or_default(),
            "listener" => file.listener = named(node, report),
            "admin" => file.admin = section::read(node, report).unwrap_or_default(),
            "access_log" => file.access_log = section::read(node, report).unwrap_or_default(),
            "plugins" => file.plugins = section::read(node, report).unwrap_or_default(),
            "plugin" => file.plugin = named(node, report),
            "secrets" => file.secrets = section::read(node, report).unwrap_or_else(|| Section::unreadable(node.span())),
            "counters" => file.counters = named(node, report),
            "kv" => file.kv = named(node, report),
            "cache" => file.cache = named(node, report),
            "redis" => {
                file.redis = Some(section::read(node, report).unwrap_or_else(|| Section::unreadable(node.span())))
            }
            "response_cache" => file.response_cache = section::read(node, report).unwrap_or_default(),
            "state" => file.state = section::read(node, report).unwrap_or_default(),
            "upstream" => file.upstream = named(node, report),
            "usage_plan" => file.usage_plan = named(node, report),
            "chain" => file.chain = named(node, report),
            "route" => file.route = listed("route", node, report),
            "include" => file.include = included(node, report),
            _ => unknown(key, &File::KEYS, report),
        }
    }
    file
}

/// What is included has been read before; here it is seen whether it is written as it must be.
fn included(node: &Node<'_>, report: &mut Report) -> Vec<String> {
    const HINT: &str = "write a list of files and folders, such as `include = [\"upstreams.toml\", \"routes\"]`";
    let DeValue::Array(entries) = node.get_ref() else {
        let message = format!("expected an array, found {}", node.get_ref().type_str());
        report.add(Mistake::new(node.span(), message).hint(HINT));
        return Vec::new();
    };
    let mut included = Vec::with_capacity(entries.len());
    for entry in entries.iter() {
        match entry.get_ref() {
            DeValue::String(text) if !text.is_empty() => included.push(text.to_string()),
            other => {
                let message = format!("expected the path of a file or folder, found {}", other.type_str());
                report.add(Mistake::new(entry.span(), message).hint(HINT));
            }
        }
    }
    included
}

/// Reads a whole file of cases.
pub(crate) fn cases(root: &DeTable<'_>, report: &mut Report) -> Cases {
    let mut cases = Cases::default();
    for (key, node) in root {
        match key.get_ref().as_ref() {
            "plugin" => cases.plugin = section::read(node, report).unwrap_or_default(),
            "config" => cases.config = section::read(node, report).unwrap_or_default(),
            "services" => cases.services = section::read(node, report).unwrap_or_default(),
            "case" => cases.case = listed("case", node, report),
            _ => unknown(key, &Cases::KEYS, report),
        }
    }
    cases
}

/// Reads an array of tables, `[[NAME]]`.
pub(crate) fn listed<T: Readable>(name: &str, node: &Node<'_>, report: &mut Report) -> Vec<Section<T>> {
    match node.get_ref() {
        DeValue::Array(elements) => elements
            .iter()
            .filter_map(|element| section::read(element, report))
            .collect(),
        other => {
            let message = format!("expected an array of tables, found {}", other.type_str());
            report.add(Mistake::new(node.span(), message).hint(format!("write `[[{name}]]` with two brackets")));
            Vec::new()
        }
    }
}

/// Reads a table of named sections, `[KIND.NAME]`. A name whose section is unreadable stays, as an empty section,
/// so that references to it are not called unknown.
pub(crate) fn named<T: Readable>(node: &Node<'_>, report: &mut Report) -> BTreeMap<String, Section<T>> {
    let DeValue::Table(table) = node.get_ref() else {
        report.add(Mistake::new(
            node.span(),
            format!("expected a table, found {}", node.get_ref().type_str()),
        ));
        // The file as a whole: no section of this kind is missing, all of them are unreadable.
        report.damage(0..0);
        return BTreeMap::new();
    };
    let mut sections = BTreeMap::new();
    for (name, node) in table {
        let section = section::read(node, report).unwrap_or_else(|| Section::unreadable(node.span()));
        sections.insert(name.get_ref().to_string(), section);
    }
    sections
}

/// Reports a key at the top of the file that means nothing.
pub(crate) fn unknown(key: &Spanned<std::borrow::Cow<'_, str>>, valid: &[&str], report: &mut Report) {
    let hint = suggestion(key.get_ref(), valid.iter().copied(), "keys");
    report.add(Mistake::new(key.span(), format!("unknown key `{key}`")).hint(hint));
}
