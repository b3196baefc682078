//! A configuration as TOML again: all files in one, with what references stand for, in the order of the files, without
//! secrets. It is made for people, and for comparing: paths in it are still from the folders of their files.

use std::fmt::Write as _;

use toml::de::{DeTable, DeValue};

use crate::environment::looks_secret;
use crate::report::{Report, Span, quoted};

/// What stands in place of a secret that is written in a file.
pub const HIDDEN: &str = "(hidden)";

/// The tree as TOML.
pub(crate) fn show(root: &DeTable<'_>, report: &Report) -> String {
    let mut shown = Shown {
        report,
        text: String::new(),
    };
    for (key, value) in sorted(root) {
        if key.get_ref() != "include" {
            shown.section(&quoted(key.get_ref()), value);
        }
    }
    shown.text
}

struct Shown<'r> {
    report: &'r Report,
    text: String,
}

impl Shown<'_> {
    /// A table with a header of its own, or several of them.
    fn section(&mut self, path: &str, node: &crate::document::Node<'_>) {
        match node.get_ref() {
            DeValue::Array(elements) => {
                for element in elements.iter() {
                    if let DeValue::Table(table) = element.get_ref() {
                        self.header(&format!("[[{path}]]"), &element.span());
                        self.keys(table, path);
                    }
                }
            }
            // `[upstream.users]`, `[plugin.auth]`: tables of tables.
            DeValue::Table(table) if table.values().all(|value| matches!(value.get_ref(), DeValue::Table(_))) => {
                for (key, value) in sorted(table) {
                    self.section_of(&format!("{path}.{}", quoted(key.get_ref())), value);
                }
            }
            _ => self.section_of(path, node),
        }
    }

    fn section_of(&mut self, path: &str, node: &crate::document::Node<'_>) {
        if let DeValue::Table(table) = node.get_ref() {
            self.header(&format!("[{path}]"), &node.span());
            self.keys(table, path);
        }
    }

    fn header(&mut self, header: &str, span: &Span) {
        let place = self.report.place(span, String::new());
        let gap = if self.text.is_empty() { "" } else { "\n" };
        let _ = writeln!(self.text, "{gap}{header} # {place}");
    }

    fn keys(&mut self, table: &DeTable<'_>, path: &str) {
        for (key, node) in sorted(table) {
            let free = is_free(path, key.get_ref());
            let value = self.value(node, key.get_ref(), free);
            let _ = writeln!(self.text, "{} = {value}", quoted(key.get_ref()));
        }
    }

    /// A value in one line. `free` says that it is not for the gateway, whose own secrets are references.
    fn value(&self, node: &crate::document::Node<'_>, key: &str, free: bool) -> String {
        let text = |text: &str| toml::Value::String(text.to_owned()).to_string();
        match node.get_ref() {
            DeValue::String(value) => match self.report.references.secret(&node.span()) {
                Some(written) => text(written),
                None if free && looks_secret(key) && !is_reference(value) => text(HIDDEN),
                None if self.report.retyped.contains(&node.span()) => value.trim().to_owned(),
                None => text(&without_user(value)),
            },
            DeValue::Integer(_) | DeValue::Float(_) if free && looks_secret(key) => text(HIDDEN),
            DeValue::Integer(number) => self.written(node, number.as_str()),
            DeValue::Float(number) => self.written(node, number.as_str()),
            DeValue::Boolean(value) => value.to_string(),
            DeValue::Datetime(value) => value.to_string(),
            DeValue::Array(elements) => {
                let elements: Vec<String> = elements.iter().map(|element| self.value(element, key, free)).collect();
                format!("[{}]", elements.join(", "))
            }
            DeValue::Table(table) => {
                let entries = sorted(table).into_iter().map(|(key, value)| {
                    let key = key.get_ref().as_ref();
                    format!("{} = {}", quoted(key), self.value(value, key, free || is_free("", key)))
                });
                let entries: Vec<String> = entries.collect();
                match entries.is_empty() {
                    true => "{}".to_owned(),
                    false => format!("{{ {} }}", entries.join(", ")),
                }
            }
        }
    }

    /// A number as it is written.
    fn written(&self, node: &crate::document::Node<'_>, otherwise: &str) -> String {
        self.report.text(&node.span()).unwrap_or(otherwise).to_owned()
    }
}

type Entry<'r, 't> = (
    &'r toml::Spanned<std::borrow::Cow<'t, str>>,
    &'r crate::document::Node<'t>,
);

/// In the order of the files.
fn sorted<'r, 't>(table: &'r DeTable<'t>) -> Vec<Entry<'r, 't>> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// Whether a key has values that the gateway passes on: a plugin's configuration, header fields, a query.
fn is_free(path: &str, key: &str) -> bool {
    matches!(
        key,
        "config" | "headers" | "set" | "add" | "append" | "query" | "parameters"
    ) || path == "config"
}

fn is_reference(value: &str) -> bool {
    value.starts_with("env:") || value.starts_with("file:")
}

/// A URL without the user and password in it.
fn without_user(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest.get(..end).and_then(|authority| authority.rfind('@')) {
        Some(at) => format!("{scheme}://{HIDDEN}{}", rest.get(at..).unwrap_or_default()),
        None => text.to_owned(),
    }
}
