//! The texts that a configuration consists of, one after the other: an offset is in one of them, and has a line there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::report::Span;

/// The texts in the order in which they were read; at least one.
pub(crate) struct Sources(Vec<Source>);

/// One text.
struct Source {
    path: Arc<PathBuf>,
    /// Where offsets of this text begin.
    start: usize,
    text: String,
    /// Where its lines begin, in the text.
    lines: Vec<usize>,
}

/// Where an offset is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) file: Arc<PathBuf>,
    /// From 1.
    pub(crate) line: usize,
    /// In characters, from 1.
    pub(crate) column: usize,
}

impl Sources {
    pub(crate) fn new(path: &Path, text: &str) -> Self {
        let mut sources = Self(Vec::new());
        sources.add(path, text);
        sources
    }

    /// Adds a text; where its offsets begin.
    pub(crate) fn add(&mut self, path: &Path, text: &str) -> usize {
        let start = self.0.last().map_or(0, |last| last.start + last.text.len() + 1);
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
        self.0.push(Source {
            path: Arc::new(path.to_owned()),
            start,
            text: text.to_owned(),
            lines: lines.collect(),
        });
        start
    }

    /// Which of the texts an offset is in.
    pub(crate) fn index(&self, offset: usize) -> usize {
        self.0
            .partition_point(|source| source.start <= offset)
            .saturating_sub(1)
    }

    pub(crate) fn position(&self, offset: usize) -> Position {
        match self.0.get(self.index(offset)) {
            Some(source) => source.position(offset - source.start),
            None => Position {
                file: Arc::default(),
                line: 1,
                column: 1,
            },
        }
    }

    /// The folder of the file that an offset is in.
    pub(crate) fn directory(&self, offset: usize) -> PathBuf {
        let source = self.0.get(self.index(offset));
        let parent = source.and_then(|source| source.path.parent());
        parent.unwrap_or(Path::new("")).to_owned()
    }

    /// What is written there.
    pub(crate) fn text(&self, span: &Span) -> Option<&str> {
        let source = self.0.get(self.index(span.start))?;
        source
            .text
            .get(span.start - source.start..span.end.checked_sub(source.start)?)
    }
}

impl Source {
    fn position(&self, offset: usize) -> Position {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count());
        Position {
            file: Arc::clone(&self.path),
            line,
            column: column + 1,
        }
    }
}
