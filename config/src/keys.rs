//! The API-keys file that the `api-key` stage names: who may come, by the hash of their key.

use std::collections::HashMap;
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::document;
use crate::error::ConfigErrors;
use crate::file::{Key, Located, Section};
use crate::report::{Mistake, Report, Span};

/// One key of an API-keys file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyEntry {
    /// Who the key stands for.
    pub name: String,
    /// SHA-256 of the key.
    pub sha256: [u8; 32],
    /// Whether it is accepted.
    pub enabled: bool,
    /// What people should know of it.
    pub description: Option<String>,
    /// From when on it is not accepted any more, in seconds since 1970.
    pub expires: Option<u64>,
    /// The key that it replaces.
    pub previous: Option<PreviousKeyEntry>,
    /// Names of its usage plans.
    pub usage_plans: Vec<String>,
}

/// A key that is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreviousKeyEntry {
    /// SHA-256 of the key.
    pub sha256: [u8; 32],
    /// From when on it is not accepted any more, in seconds since 1970.
    pub until: u64,
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
    let mut report = Report::new(path, text);
    let entries = document::parse(text, 0, &mut report).map(|root| {
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
    report.finish(entries)
}

fn resolve(sections: &[Section<Key>], report: &mut Report) -> Vec<ApiKeyEntry> {
    let mut seen = HashMap::new();
    let mut entries = Vec::with_capacity(sections.len());
    for Section { value: key, span, .. } in sections {
        let name = required(key.name.as_ref(), span, "name", "\"partner-a\"", report);
        let name = name.and_then(|name| principal(name, report));
        let hash = required(key.sha256.as_ref(), span, "sha256", "\"…\"", report);
        let hash = hash.and_then(|text| Some((hash_of(text, report)?, text)));
        let expires = key.expires.as_ref().map(|moment| moment_of(moment, report));
        let previous = key.previous.as_ref().map(|previous| {
            let (key, span) = (&previous.value, &previous.span);
            let hash = required(key.sha256.as_ref(), span, "sha256", "\"…\"", report);
            let hash = hash.and_then(|text| Some((hash_of(text, report)?, text)));
            let until = required(key.until.as_ref(), span, "until", "\"2027-01-31\"", report);
            Some((hash, until.and_then(|moment| moment_of(moment, report))?))
        });
        let older = previous.as_ref().and_then(|previous| Some(previous.as_ref()?.0?.1));
        let texts = [("name", name), ("hash", hash.map(|(_, text)| text)), ("hash", older)];
        for (what, text) in texts {
            let Some(text) = text else { continue };
            let line = report.line(&text.span);
            if let Some(first) = seen.insert((what, text.value.to_ascii_lowercase()), line) {
                let message = format!("there is a key with this {what} already, at line {first}");
                report.add(Mistake::new(text.span.clone(), message).hint("remove one of them"));
            }
        }
        let (Some(name), Some((sha256, _))) = (name, hash) else {
            continue;
        };
        entries.push(ApiKeyEntry {
            name: name.value.clone(),
            sha256,
            enabled: key.enabled,
            description: key.description.clone(),
            expires: expires.flatten(),
            previous: previous.flatten().and_then(|(hash, until)| {
                let (sha256, _) = hash?;
                Some(PreviousKeyEntry { sha256, until })
            }),
            usage_plans: key.usage_plans.iter().map(|plan| plan.value.clone()).collect(),
        });
    }
    entries
}

fn required<'v>(
    value: Option<&'v Located<String>>,
    table: &Span,
    key: &str,
    example: &str,
    report: &mut Report,
) -> Option<&'v Located<String>> {
    if value.is_none() {
        report.missing(table, key, example);
    }
    value
}

/// Seconds since 1970. A day begins at midnight UTC.
fn moment_of(text: &Located<String>, report: &mut Report) -> Option<u64> {
    let moment = text.value.parse::<Timestamp>().ok().or_else(|| {
        let day: Date = text.value.parse().ok()?;
        Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
    });
    let second = moment.and_then(|moment| u64::try_from(moment.as_second()).ok());
    if second.is_none() {
        let message = format!("`{}` is neither a day nor a moment", text.value);
        let hint = "write \"2027-01-31\" or \"2027-01-31T12:00:00Z\"";
        report.add(Mistake::new(text.span.clone(), message).hint(hint));
    }
    second
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
fn hash_of(text: &Located<String>, report: &mut Report) -> Option<[u8; 32]> {
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
