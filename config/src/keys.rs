//! The API-keys file that the `api-key` stage names: who may come, by the hash of their key.

use std::collections::HashMap;
use std::path::Path;

use crate::document;
use crate::error::ConfigErrors;
use crate::file::{Key, Located, Section};
use crate::report::{Mistake, Report};

/// One key of an API-keys file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyEntry {
    /// Who the key stands for.
    pub name: String,
    /// SHA-256 of the key.
    pub sha256: [u8; 32],
    /// Whether it is accepted.
    pub enabled: bool,
}

/// Reads and checks an API-keys file.
///
/// # Errors
/// When the file cannot be read or is not UTF-8, and for every mistake in it.
pub fn load_keys(path: &Path) -> Result<Vec<ApiKeyEntry>, ConfigErrors> {
    parse_keys(&crate::read(path)?, path)
}

/// Checks the text of an API-keys file. `path` names it in messages.
///
/// # Errors
/// For every mistake in the text.
pub fn parse_keys(text: &str, path: &Path) -> Result<Vec<ApiKeyEntry>, ConfigErrors> {
    let mut report = Report::new(text);
    let entries = document::parse(text, &mut report).map(|root| {
        let mut sections = Vec::new();
        for (key, node) in &root {
            match key.get_ref().as_ref() {
                "key" => sections = document::listed("key", node, &mut report),
                _ => document::unknown(key, &["key"], &mut report),
            }
        }
        let entries = resolve(&sections, &mut report);
        report.find_keys(&root);
        entries
    });
    report.finish(path, entries)
}

fn resolve(sections: &[Section<Key>], report: &mut Report) -> Vec<ApiKeyEntry> {
    let mut seen = HashMap::new();
    let mut entries = Vec::with_capacity(sections.len());
    for Section {
        value: Key { name, sha256, enabled },
        span,
        ..
    } in sections
    {
        if name.is_none() {
            report.missing(span, "name", "\"partner-a\"");
        }
        if sha256.is_none() {
            report.missing(span, "sha256", "\"…\"");
        }
        let name = name.as_ref().and_then(|name| principal(name, report));
        let hash = sha256.as_ref().and_then(|text| hash(text, report));
        for (what, text) in [("name", name), ("hash", sha256.as_ref().filter(|_| hash.is_some()))] {
            let Some(text) = text else { continue };
            let line = report.line(&text.span);
            if let Some(first) = seen.insert((what, text.value.to_ascii_lowercase()), line) {
                let message = format!("there is a key with this {what} already, at line {first}");
                report.add(Mistake::new(text.span.clone(), message).hint("remove one of them"));
            }
        }
        if let (Some(name), Some(sha256)) = (name, hash) {
            entries.push(ApiKeyEntry {
                name: name.value.clone(),
                sha256,
                enabled: *enabled,
            });
        }
    }
    entries
}

fn principal<'n>(name: &'n Located<String>, report: &mut Report) -> Option<&'n Located<String>> {
    let wrong = name.value.is_empty() || name.value.len() > 256 || name.value.chars().any(char::is_control);
    if wrong {
        let mistake = Mistake::new(name.span.clone(), "it is not the name of a key's owner");
        report.add(mistake.hint("write 1 to 256 characters, such as \"partner-a\""));
    }
    (!wrong).then_some(name)
}

/// The text is not repeated when it is wrong: it may be the key itself.
fn hash(text: &Located<String>, report: &mut Report) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    let digits: Option<Vec<u8>> = text
        .value
        .chars()
        .map(|digit| u8::try_from(digit.to_digit(16)?).ok())
        .collect();
    match digits {
        Some(digits) if digits.len() == 64 => {
            for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
                *byte = pair.iter().fold(0, |byte, digit| byte << 4 | digit);
            }
            Some(hash)
        }
        _ => {
            let mistake = Mistake::new(text.span.clone(), "it is not 64 hexadecimal digits");
            report.add(mistake.hint("write the SHA-256 of the key: `printf %s \"$KEY\" | sha256sum`"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    #[test]
    fn keys_are_read_by_their_hash() {
        let text = format!("[[key]]\nname = \"partner-a\"\nsha256 = \"{A}\"\nenabled = false\n");
        let keys = parse_keys(&text, Path::new("keys.toml")).unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!(
            (keys[0].name.as_str(), keys[0].sha256[0], keys[0].sha256[31]),
            ("partner-a", 0x2c, 0x24)
        );
        assert!(!keys[0].enabled);
        assert_eq!(parse_keys("", Path::new("keys.toml")).unwrap(), []);
    }

    #[test]
    fn duplicates_and_bad_hashes_are_refused_where_they_are() {
        let upper = A.to_uppercase();
        let text = format!(
            "[[key]]\nname = \"a\"\nsha256 = \"{A}\"\n[[key]]\nname = \"a\"\nsha256 = \"{upper}\"\n[[key]]\nsha256 = \"x\"\n"
        );
        let errors = parse_keys(&text, Path::new("keys.toml")).unwrap_err().errors;
        let found: Vec<_> = errors.iter().map(|error| (error.line, error.key.as_str())).collect();
        assert_eq!(
            found,
            [
                (5, "key[1].name"),
                (6, "key[1].sha256"),
                (7, "key[2]"),
                (8, "key[2].sha256")
            ]
        );
    }
}
