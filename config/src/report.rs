//! Collects mistakes by where they are in the text, and turns them into [`ConfigErrors`] at the end.
//!
//! Only byte ranges are kept while a file is read and resolved; key paths of all mistakes are found in one walk
//! of the tree, so that a file of 100 000 routes with one mistake costs no more than one without.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use crate::environment::References;
use crate::error::{ConfigError, ConfigErrors};
use crate::place::Place;
use crate::source::{Position, Sources};

/// A range of bytes in the texts of a configuration.
pub(crate) type Span = Range<usize>;

/// Nobody reads more, and each costs another attempt at its section.
const MOST: usize = 100;

/// The mistakes found so far.
pub(crate) struct Report {
    mistakes: Vec<Mistake>,
    warnings: Vec<Mistake>,
    /// Keys of tables that were dropped because they were wrong: their absence is no second mistake.
    dropped: HashMap<Span, Dropped>,
    keys: HashMap<Span, String>,
    sources: Sources,
    /// What was put in place of references to the environment.
    pub(crate) references: Arc<References>,
    /// Those of them that have become numbers or booleans.
    pub(crate) retyped: HashSet<Span>,
}

/// What was left out of a table.
#[derive(Default)]
struct Dropped {
    all: bool,
    keys: HashSet<String>,
}

/// One mistake, before its key path is known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mistake {
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// Something is not there, in the table at `span`: no mistake when it was there and dropped.
    pub(crate) absence: bool,
}

impl Mistake {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            hint: None,
            absence: false,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Report {
    pub(crate) fn new(path: &Path, text: &str) -> Self {
        Self {
            mistakes: Vec::new(),
            warnings: Vec::new(),
            dropped: HashMap::new(),
            keys: HashMap::new(),
            sources: Sources::new(path, text),
            references: Arc::default(),
            retyped: HashSet::new(),
        }
    }

    /// Adds a text that belongs to the same configuration; where its offsets begin.
    pub(crate) fn add_source(&mut self, path: &Path, text: &str) -> usize {
        self.sources.add(path, text)
    }

    /// Adds what was put in place of references to the environment.
    pub(crate) fn add_references(&mut self, references: References) {
        Arc::make_mut(&mut self.references).extend(references);
    }

    pub(crate) fn add(&mut self, mistake: Mistake) {
        if !self.is_full() && !self.references.has_failed(&mistake.span) {
            self.mistakes.push(mistake);
        }
    }

    /// Adds what serves, and is probably not what was meant.
    pub(crate) fn warn(&mut self, warning: Mistake) {
        if self.warnings.len() < MOST {
            self.warnings.push(warning);
        }
    }

    /// Whether there is no mistake.
    pub(crate) fn is_good(&self) -> bool {
        self.mistakes.is_empty()
    }

    /// Whether there are so many mistakes that looking for more is idle.
    pub(crate) fn is_full(&self) -> bool {
        self.mistakes.len() >= MOST
    }

    /// The value of `key` in the table at `table` was wrong and is left out from here on.
    pub(crate) fn drop_key(&mut self, table: Span, key: &str) {
        self.dropped.entry(table).or_default().keys.insert(key.to_owned());
    }

    /// Nothing of the table at `table` could be read.
    pub(crate) fn drop_all(&mut self, table: Span) {
        self.dropped.entry(table).or_default().all = true;
    }

    /// Something inside the table at `table` was dropped.
    pub(crate) fn damage(&mut self, table: Span) {
        self.dropped.entry(table).or_default();
    }

    /// Whether anything was dropped from the table at `table`, at whatever depth.
    pub(crate) fn is_damaged(&self, table: &Span) -> bool {
        self.dropped.contains_key(table)
    }

    /// A key that must be there is not; silent when it was there and wrong.
    pub(crate) fn missing(&mut self, table: &Span, key: &str, example: &str) {
        // A key that was dropped for its name was probably meant to be this one.
        let near = |dropped: &Dropped| dropped.keys.iter().any(|other| distance(other, key).is_some());
        let known = self
            .dropped
            .get(table)
            .is_some_and(|dropped| dropped.all || near(dropped));
        if !known {
            let mistake = Mistake::new(table.clone(), format!("missing key `{key}`"));
            self.add(mistake.hint(format!("add `{key} = {example}`")));
        }
    }

    pub(crate) fn line(&self, span: &Span) -> usize {
        self.sources.position(span.start).line
    }

    /// Where `span` is, for a message about `from`: `line 3`, or `users.toml:3` when that is another file.
    pub(crate) fn seen_from(&self, span: &Span, from: &Span) -> String {
        let (position, from) = (self.sources.position(span.start), self.sources.position(from.start));
        match position.file == from.file {
            true => format!("line {}", position.line),
            false => format!("{}:{}", position.file.display(), position.line),
        }
    }

    /// Where `span` is, which has that key path.
    pub(crate) fn place(&self, span: &Span, key: String) -> Place {
        let Position { file, line, column } = self.sources.position(span.start);
        Place {
            file,
            line,
            column,
            key: key.into(),
        }
    }

    /// Which of the files `span` is in, by number.
    pub(crate) fn source(&self, span: &Span) -> usize {
        self.sources.index(span.start)
    }

    /// The folder of the file that `span` is in.
    pub(crate) fn directory(&self, span: &Span) -> PathBuf {
        self.sources.directory(span.start)
    }

    /// What is written at `span`.
    pub(crate) fn text(&self, span: &Span) -> Option<&str> {
        self.sources.text(span)
    }

    /// Finds the key path of every mistake.
    pub(crate) fn find_keys(&mut self, root: &DeTable<'_>) {
        let all = self.mistakes.iter().chain(&self.warnings);
        let mut walk = Walk {
            wanted: all.map(|mistake| mistake.span.clone()).collect(),
            sources: &self.sources,
            path: String::new(),
            found: HashMap::new(),
        };
        if !walk.wanted.is_empty() {
            walk.table(root);
        }
        self.keys = walk.found;
    }

    /// The value, or the mistakes if there are any.
    pub(crate) fn finish<T>(mut self, value: Option<T>) -> Result<T, ConfigErrors> {
        let mut mistakes = std::mem::take(&mut self.mistakes);
        match value {
            Some(value) if mistakes.is_empty() => return Ok(value),
            None if mistakes.is_empty() => mistakes.push(Mistake::new(0..0, "the file cannot be understood")),
            _ => {}
        }
        Err(ConfigErrors {
            errors: self.located(mistakes),
        })
    }

    /// The warnings, in the order of the files.
    pub(crate) fn take_warnings(&mut self) -> Vec<ConfigError> {
        let warnings = std::mem::take(&mut self.warnings);
        self.located(warnings)
    }

    fn located(&self, mut mistakes: Vec<Mistake>) -> Vec<ConfigError> {
        mistakes.sort_by_key(|mistake| mistake.span.start);
        mistakes.dedup();
        let located = mistakes.into_iter().map(|mistake| {
            let Mistake {
                span,
                message,
                hint,
                absence: _,
            } = self.references.explained(mistake);
            let Position { file, line, column } = self.sources.position(span.start);
            ConfigError {
                file: file.to_path_buf(),
                line,
                column,
                key: self.keys.get(&span).cloned().unwrap_or_default(),
                message,
                hint,
            }
        });
        located.collect()
    }
}

/// A hint for who wrote `name`: the nearest of those that are valid, or all of them when none is near.
pub fn suggestion<'n>(name: &str, valid: impl IntoIterator<Item = &'n str>, what: &str) -> String {
    let valid: Vec<&str> = valid.into_iter().collect();
    match nearest(name, valid.iter().copied()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None if valid.is_empty() => format!("there are no {what} in this file"),
        None => {
            let shown: Vec<String> = valid.iter().take(20).map(|name| format!("`{name}`")).collect();
            format!(
                "valid {what}: {}{}",
                shown.join(", "),
                if valid.len() > 20 { ", …" } else { "" }
            )
        }
    }
}

/// The name that was meant, probably; none when none is near.
pub fn nearest<'n>(name: &str, valid: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let near = valid
        .into_iter()
        .filter_map(|candidate| Some((distance(name, candidate)?, candidate)));
    near.min().map(|(_, candidate)| candidate)
}

/// How far two names are apart; nothing when nobody would write one for the other.
fn distance(name: &str, other: &str) -> Option<usize> {
    let length = name.chars().count();
    let distance = strsim::damerau_levenshtein(name, other);
    (distance <= 1.max(length / 3) && distance < length.max(1)).then_some(distance)
}

/// A walk of the tree that notes the key path of wanted ranges; the innermost wins.
struct Walk<'s> {
    wanted: HashSet<Span>,
    sources: &'s Sources,
    path: String,
    found: HashMap<Span, String>,
}

impl Walk<'_> {
    fn table(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            let length = self.path.len();
            if length > 0 {
                self.path.push('.');
            }
            self.path.push_str(&quoted(key.get_ref()));
            self.note(key.span());
            self.value(value.span(), value.get_ref());
            self.path.truncate(length);
        }
    }

    fn value(&mut self, span: Span, value: &DeValue<'_>) {
        self.note(span);
        match value {
            DeValue::Table(table) => self.table(table),
            DeValue::Array(array) => {
                let mut counted = (0, 0);
                for element in array.iter() {
                    // Elements of an array that several files continue are counted in each of them.
                    let source = self.sources.index(element.span().start);
                    counted = match counted {
                        (of, next) if of == source => (source, next + 1),
                        _ => (source, 1),
                    };
                    let length = self.path.len();
                    self.path.push_str(&format!("[{}]", counted.1 - 1));
                    self.value(element.span(), element.get_ref());
                    self.path.truncate(length);
                }
            }
            _ => {}
        }
    }

    fn note(&mut self, span: Span) {
        if self.wanted.contains(&span) {
            self.found.insert(span, self.path.clone());
        }
    }
}

/// A key as TOML would have it in a path.
pub(crate) fn quoted(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(bare) {
        key.to_owned()
    } else {
        toml::Value::from(key).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        assert_eq!(
            suggestion("throtle", ["api-key", "throttle"], "stages"),
            "did you mean `throttle`?"
        );
        assert_eq!(
            suggestion("xyz", ["api-key", "throttle"], "stages"),
            "valid stages: `api-key`, `throttle`"
        );
        assert_eq!(suggestion("xyz", [], "chains"), "there are no chains in this file");
    }

    #[test]
    fn columns_count_characters() {
        let mut sources = Sources::new(Path::new("a"), "a\né = 1\n");
        let second = sources.add(Path::new("b"), "\nb");
        let position = |offset: usize| {
            let position = sources.position(offset);
            (position.file.display().to_string(), position.line, position.column)
        };
        assert_eq!(position(0), ("a".to_owned(), 1, 1));
        assert_eq!(position(5), ("a".to_owned(), 2, 3));
        assert_eq!(position(second), ("b".to_owned(), 1, 1));
        assert_eq!(position(second + 1), ("b".to_owned(), 2, 1));
        assert_eq!(position(99), ("b".to_owned(), 2, 1));
    }
}
