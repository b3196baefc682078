//! Collects mistakes by where they are in the text, and turns them into [`ConfigErrors`] at the end.
//!
//! Only byte ranges are kept while a file is read and resolved; key paths of all mistakes are found in one walk
//! of the tree, so that a file of 100 000 routes with one mistake costs no more than one without.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::error::{ConfigError, ConfigErrors};
use crate::place::Place;

/// A range of bytes in the file.
pub(crate) type Span = Range<usize>;

/// Nobody reads more, and each costs another attempt at its section.
const MOST: usize = 100;

/// The mistakes found so far.
pub(crate) struct Report {
    mistakes: Vec<Mistake>,
    /// Keys of tables that were dropped because they were wrong: their absence is no second mistake.
    dropped: HashMap<Span, Dropped>,
    keys: HashMap<Span, String>,
    lines: Lines,
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
    pub(crate) fn new(text: &str) -> Self {
        Self {
            mistakes: Vec::new(),
            dropped: HashMap::new(),
            keys: HashMap::new(),
            lines: Lines::new(text),
        }
    }

    pub(crate) fn add(&mut self, mistake: Mistake) {
        if !self.is_full() {
            self.mistakes.push(mistake);
        }
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
        self.lines.position(span.start).0
    }

    /// Where `span` is, which has that key path.
    pub(crate) fn place(&self, span: &Span, key: String) -> Place {
        let (line, column) = self.lines.position(span.start);
        Place { line, column, key }
    }

    /// Finds the key path of every mistake.
    pub(crate) fn find_keys(&mut self, root: &DeTable<'_>) {
        let wanted = self.mistakes.iter().map(|mistake| mistake.span.clone()).collect();
        let mut walk = Walk {
            wanted,
            path: String::new(),
            found: HashMap::new(),
        };
        if !walk.wanted.is_empty() {
            walk.table(root);
        }
        self.keys = walk.found;
    }

    /// The value, or the mistakes if there are any.
    pub(crate) fn finish<T>(self, path: &Path, value: Option<T>) -> Result<T, ConfigErrors> {
        let Self {
            mut mistakes,
            dropped: _,
            keys,
            lines,
        } = self;
        match value {
            Some(value) if mistakes.is_empty() => return Ok(value),
            None if mistakes.is_empty() => mistakes.push(Mistake::new(0..0, "the file cannot be understood")),
            _ => {}
        }
        mistakes.sort_by_key(|mistake| mistake.span.start);
        mistakes.dedup();
        let errors = mistakes.into_iter().map(
            |Mistake {
                 span,
                 message,
                 hint,
                 absence: _,
             }| {
                let (line, column) = lines.position(span.start);
                let key = keys.get(&span).cloned().unwrap_or_default();
                ConfigError {
                    line,
                    column,
                    key,
                    message,
                    hint,
                }
            },
        );
        Err(ConfigErrors {
            file: path.to_owned(),
            errors: errors.collect(),
        })
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

/// Where lines begin.
struct Lines {
    text: String,
    starts: Vec<usize>,
}

impl Lines {
    fn new(text: &str) -> Self {
        let starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self {
            text: text.to_owned(),
            starts,
        }
    }

    /// Line and column in characters, both from 1.
    fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count());
        (line, column + 1)
    }
}

/// A walk of the tree that notes the key path of wanted ranges; the innermost wins.
struct Walk {
    wanted: HashSet<Span>,
    path: String,
    found: HashMap<Span, String>,
}

impl Walk {
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
                for (index, element) in array.iter().enumerate() {
                    let length = self.path.len();
                    self.path.push_str(&format!("[{index}]"));
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
        format!("{key:?}")
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
        let lines = Lines::new("a\né = 1\n");
        assert_eq!(lines.position(0), (1, 1));
        assert_eq!(lines.position(5), (2, 3));
        assert_eq!(lines.position(99), (3, 1));
    }
}
