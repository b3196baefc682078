//! References to the environment in values: `${NAME}` and `${NAME:-default}`. `$${` is a `${` itself.
//!
//! A value that consists of one reference may stand for a number or a boolean: it is converted where its key takes one
//! ([`References::retype`]). The value of a variable is never shown where its name, or the key that it is for, says that it
//! is secret ([`looks_secret`]).

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::OsString;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::gateway::Hidden;
use crate::report::{Mistake, Report, Span};

/// Looks a variable up.
pub(crate) type Environment<'e> = &'e dyn Fn(&str) -> Option<OsString>;

/// Words that mark a name as that of a secret.
const SECRET_WORDS: [&str; 22] = [
    "apikey",
    "auth",
    "authorization",
    "cookie",
    "credential",
    "credentials",
    "jwt",
    "key",
    "pass",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "pin",
    "private",
    "pw",
    "pwd",
    "salt",
    "secret",
    "secrets",
    "token",
    "tokens",
];
/// Last words of names whose values are the place or the name of a secret, and not the secret: `key_file`, `token_url`.
const PLACE_WORDS: [&str; 13] = [
    "dir",
    "directory",
    "endpoint",
    "file",
    "folder",
    "host",
    "id",
    "issuer",
    "name",
    "path",
    "port",
    "uri",
    "url",
];

/// The values of a configuration that have references, by their places.
#[derive(Clone, Debug, Default)]
pub(crate) struct References(HashMap<Span, Reference>);

/// A value with references in it.
#[derive(Clone, Debug)]
struct Reference {
    /// The text in the file.
    written: String,
    /// The text after substitution; none after a mistake, which has been reported.
    text: Option<String>,
    /// The text after substitution must not be shown.
    is_secret: bool,
}

impl References {
    pub(crate) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Whether the substitution at `span` failed, which has been reported.
    pub(crate) fn has_failed(&self, span: &Span) -> bool {
        self.0.get(span).is_some_and(|reference| reference.text.is_none())
    }

    /// The text in the file at `span`, if the value is secret.
    pub(crate) fn secret(&self, span: &Span) -> Option<&str> {
        let reference = self.0.get(span).filter(|reference| reference.is_secret)?;
        Some(&reference.written)
    }

    /// Turns the text at `span` into a number or a boolean, if a reference has produced it and it reads as one. Returns
    /// whether it did.
    pub(crate) fn retype<'r>(&'r self, node: &mut Spanned<DeValue<'r>>, span: &Span) -> bool {
        if node.span() == *span && matches!(node.get_ref(), DeValue::String(_)) {
            let text = self.0.get(span).and_then(|reference| reference.text.as_deref());
            return match text.and_then(|text| scalar(text.trim())) {
                Some(value) => {
                    *node.get_mut() = value;
                    true
                }
                None => false,
            };
        }
        match node.get_mut() {
            DeValue::Table(table) => table.iter_mut().any(|(_, value)| self.retype(value, span)),
            DeValue::Array(array) => array.iter_mut().any(|element| self.retype(element, span)),
            _ => false,
        }
    }

    /// The mistake with the reference that its value comes from, and without the value if that is secret.
    pub(crate) fn explained(&self, mistake: Mistake) -> Mistake {
        let Some(reference) = self.0.get(&mistake.span) else {
            return mistake;
        };
        let Some(text) = &reference.text else { return mistake };
        let written = &reference.written;
        let Mistake { message, hint, .. } = &mistake;
        if reference.is_secret {
            return Mistake {
                message: without(message, text, written),
                hint: hint.as_ref().map(|hint| without(hint, text, written)),
                ..mistake
            };
        }
        let from = format!("the value comes from `{written}`");
        let hint = match hint {
            Some(hint) => format!("{hint}\n{from}"),
            None => from,
        };
        mistake.hint(hint)
    }

    /// The secret values, each with the reference that is shown in its place.
    pub(crate) fn hidden(&self) -> Hidden {
        let secret = self.0.values().filter(|reference| reference.is_secret);
        let pair = |reference: &Reference| Some((reference.text.clone()?, reference.written.clone()));
        Hidden::new(secret.filter_map(pair))
    }
}

fn without(message: &str, text: &str, written: &str) -> String {
    match text.is_empty() {
        true => message.to_owned(),
        false => message.replace(text, written),
    }
}

/// A number or a boolean as TOML writes it.
fn scalar(text: &str) -> Option<DeValue<'_>> {
    match text {
        "true" => return Some(DeValue::Boolean(true)),
        "false" => return Some(DeValue::Boolean(false)),
        _ => {}
    }
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    let value = text.chars().all(is_number).then(|| DeValue::parse(text).ok())?;
    let value = value?.into_inner();
    matches!(value, DeValue::Integer(_) | DeValue::Float(_)).then_some(value)
}

/// Replaces all references of a text by their values.
pub(crate) fn substitute(root: &mut DeTable<'_>, environment: Environment<'_>, report: &mut Report) {
    let mut substitution = Substitution {
        environment,
        references: References::default(),
        mistakes: Vec::new(),
    };
    substitution.table(root, false);
    let Substitution {
        references, mistakes, ..
    } = substitution;
    mistakes.into_iter().for_each(|mistake| report.add(mistake));
    report.add_references(references);
}

struct Substitution<'e> {
    environment: Environment<'e>,
    references: References,
    mistakes: Vec<Mistake>,
}

impl Substitution<'_> {
    fn table(&mut self, table: &mut DeTable<'_>, below_secret: bool) {
        for (key, value) in table.iter_mut() {
            self.value(value, below_secret || looks_secret(key.get_ref()));
        }
    }

    fn value(&mut self, node: &mut Spanned<DeValue<'_>>, is_secret: bool) {
        let span = node.span();
        match node.get_mut() {
            // A name marks its own value as secret, but not a whole table: `keys = { file = … }`.
            DeValue::Table(table) => self.table(table, false),
            DeValue::Array(array) => array.iter_mut().for_each(|element| self.value(element, is_secret)),
            DeValue::String(text) if text.contains("${") => {
                let expanded = expand(text, self.environment);
                let (result, secret_name) = match expanded {
                    Ok(Expanded { text, is_secret }) => (Ok(text), is_secret),
                    Err(mistake) => (Err(mistake), false),
                };
                let written = text.to_string();
                let text = match result {
                    Ok(expanded) => Some(expanded),
                    Err((message, hint)) => {
                        self.mistakes.push(Mistake::new(span.clone(), message).hint(hint));
                        None
                    }
                };
                if let Some(expanded) = &text {
                    *node.get_mut() = DeValue::String(Cow::Owned(expanded.clone()));
                }
                // A text with `$${` alone has no reference.
                if text.as_ref().is_none_or(|text| *text != written.replace("$${", "${")) {
                    let is_secret = is_secret || secret_name;
                    let written = if is_secret { without_defaults(&written) } else { written };
                    self.references.0.insert(
                        span,
                        Reference {
                            written,
                            text,
                            is_secret,
                        },
                    );
                }
            }
            _ => {}
        }
    }
}

/// The references without their defaults: a default may be as secret as the value.
fn without_defaults(written: &str) -> String {
    let mut text = String::with_capacity(written.len());
    let mut rest = written;
    while let Some((before, after)) = rest.split_once(":-") {
        text.push_str(before);
        rest = match before.contains("${") {
            true => after.find('}').and_then(|end| after.get(end..)).unwrap_or_default(),
            false => {
                text.push_str(":-");
                after
            }
        };
    }
    text + rest
}

#[derive(Debug)]
struct Expanded {
    text: String,
    /// The name of one of the variables says that its value is secret.
    is_secret: bool,
}

/// The text with its references replaced; or a message and a hint.
fn expand(text: &str, environment: Environment<'_>) -> Result<Expanded, (String, String)> {
    let mut expanded = Expanded {
        text: String::with_capacity(text.len()),
        is_secret: false,
    };
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            expanded.text.push_str(before);
            expanded.text.push_str("${");
            rest = after;
            continue;
        }
        expanded.text.push_str(before);
        if !after.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            // `${{ price }}` of a template, for example.
            expanded.text.push_str("${");
            rest = after;
            continue;
        }
        let Some((reference, after)) = after.split_once('}') else {
            let message = "a reference to the environment is not closed".to_owned();
            return Err((message, "write `${NAME}`, or `$${` for the text `${` itself".to_owned()));
        };
        let (name, default) = match reference.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (reference, None),
        };
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let message = format!("`${{{reference}}}` is no reference to the environment");
            let hint = "write `${NAME}` or `${NAME:-default}`, or `$${` for the text `${` itself";
            return Err((message, hint.to_owned()));
        }
        expanded.is_secret |= looks_secret(name);
        expanded.text.push_str(&value(name, default, environment)?);
        rest = after;
    }
    expanded.text.push_str(rest);
    Ok(expanded)
}

/// The value of a reference; or a message and a hint. An empty variable takes the default, as in a shell.
fn value(name: &str, default: Option<&str>, environment: Environment<'_>) -> Result<String, (String, String)> {
    let value = match environment(name) {
        Some(value) => Some(value.into_string().map_err(|_| {
            let message = format!("the environment variable `{name}` is not UTF-8 text");
            (message, "give it another value".to_owned())
        })?),
        None => None,
    };
    match (value, default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => {
            let message = format!("the environment variable `{name}` is not set");
            let hint =
                format!("set it, or give it a default: `${{{name}:-…}}`; the text `${{` itself is written `$${{`");
            Err((message, hint))
        }
    }
}

/// Whether the name of a variable, a key or a header field says that its value is secret.
#[must_use]
pub fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let words: Vec<&str> = name.split(['_', '-', '.']).collect();
    let is_place = words.last().is_some_and(|last| PLACE_WORDS.contains(last));
    !is_place && words.iter().any(|word| SECRET_WORDS.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<OsString> {
        match name {
            "PORT" => Some("8080".into()),
            "EMPTY" => Some("".into()),
            _ => None,
        }
    }

    #[test]
    fn references_are_replaced_and_nothing_else_is() {
        for (text, expected) in [
            ("127.0.0.1:${PORT}", "127.0.0.1:8080"),
            ("${PORT}${PORT}", "80808080"),
            ("${PORT:-1}", "8080"),
            ("${NOT_SET:-1}", "1"),
            ("${EMPTY:-1}", "1"),
            ("${EMPTY}", ""),
            ("${NOT_SET:-}", ""),
            ("$${PORT} $PORT {PORT}", "${PORT} $PORT {PORT}"),
            ("${{ price }}", "${{ price }}"),
            ("a$", "a$"),
        ] {
            assert_eq!(expand(text, &environment).unwrap().text, expected, "{text}");
        }
        for text in ["${NOT_SET}", "${PORT", "${PO-RT}", "${PORT:1}", "${PORT-1}"] {
            assert!(expand(text, &environment).is_err(), "{text}");
        }
    }

    #[test]
    fn names_say_whether_their_values_are_secret() {
        for name in [
            "API_TOKEN",
            "authorization",
            "DB_PASSWORD",
            "x-api-key",
            "STRIPE_KEY",
            "client_secret",
        ] {
            assert!(looks_secret(name), "{name}");
        }
        for name in ["PORT", "keys", "KEY_FILE", "token_url", "SECRETS_DIR", "monkey", "USER"] {
            assert!(!looks_secret(name), "{name}");
        }
    }
}
