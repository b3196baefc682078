//! As much of Markdown as the pages use: headings, tables, blocks of code, links.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gatewright_tests::guests::root;

/// One page, taken apart.
pub(super) struct Page {
    /// Its file, from the root of the repository.
    pub(super) file: String,
    /// Texts of headings, as written.
    pub(super) headings: Vec<String>,
    /// Tables in order.
    pub(super) tables: Vec<Table>,
    /// Blocks of code in order.
    pub(super) blocks: Vec<Block>,
    /// Targets of links, each with its line.
    pub(super) links: Vec<(usize, String)>,
    /// What stands in backticks, each with its line.
    pub(super) codes: Vec<(usize, String)>,
}

/// A table.
#[derive(Clone)]
pub(super) struct Table {
    /// The comment on the line before it.
    pub(super) mark: Option<String>,
    /// Titles of its columns.
    pub(super) header: Vec<String>,
    /// Its rows.
    pub(super) rows: Vec<Vec<String>>,
}

/// A block of code.
pub(super) struct Block {
    /// File and line.
    pub(super) place: String,
    /// What follows the opening fence.
    pub(super) language: String,
    /// What is between the fences.
    pub(super) text: String,
}

/// Files below `folder` with this ending, without what is built and what is hidden.
pub(super) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(files(&path, ending));
        } else if path.is_file() && name.ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

impl Page {
    /// Reads a page of the repository.
    pub(super) fn read(file: &str) -> Self {
        let text = std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut page = Self {
            file: file.to_owned(),
            headings: Vec::new(),
            tables: Vec::new(),
            blocks: Vec::new(),
            links: Vec::new(),
            codes: Vec::new(),
        };
        let mut lines = (1..).zip(text.lines()).peekable();
        let mut mark = None;
        while let Some((number, line)) = lines.next() {
            if let Some(language) = line.trim_start().strip_prefix("```") {
                let body = lines
                    .by_ref()
                    .map(|(_, line)| line)
                    .take_while(|line| !line.trim_start().starts_with("```"));
                let text = body.map(|line| format!("{line}\n")).collect();
                page.blocks.push(Block {
                    place: format!("{file}:{number}"),
                    language: language.to_owned(),
                    text,
                });
                continue;
            }
            page.links.extend(links(line).map(|target| (number, target)));
            page.codes.extend(codes(line).into_iter().map(|code| (number, code)));
            if let Some(heading) = line.strip_prefix('#') {
                page.headings.push(heading.trim_start_matches('#').trim().to_owned());
            } else if line.starts_with('|') && lines.peek().is_some_and(|(_, next)| next.starts_with("| ---")) {
                let mut rows = Vec::new();
                lines.next();
                while let Some((number, line)) = lines.next_if(|(_, line)| line.starts_with('|')) {
                    page.links.extend(links(line).map(|target| (number, target)));
                    rows.push(cells(line));
                }
                let header = cells(line);
                assert!(
                    rows.iter().all(|row| row.len() == header.len()),
                    "{file}:{number}: rows of different length"
                );
                page.tables.push(Table {
                    mark: mark.take(),
                    header,
                    rows,
                });
            }
            mark = line
                .strip_prefix("<!-- ")
                .and_then(|line| line.strip_suffix(" -->"))
                .map(str::to_owned);
        }
        page
    }

    /// Every page that is written for readers of the repository.
    pub(super) fn all() -> Vec<Self> {
        let root = root();
        let files = files(&root, ".md").into_iter();
        files
            .map(|file| Self::read(file.strip_prefix(&root).unwrap().to_str().unwrap()))
            .collect()
    }

    /// Tables that are marked with a comment, by what follows `prefix` in it.
    pub(super) fn marked_tables(&self, prefix: &str) -> BTreeMap<String, Table> {
        let named = |table: &Table| Some((table.mark.as_deref()?.strip_prefix(prefix)?.to_owned(), table.clone()));
        self.tables.iter().filter_map(named).collect()
    }

    /// What links to a heading of this page may say after `#`.
    pub(super) fn anchors(&self) -> Vec<String> {
        let slug = |heading: &String| {
            let kept = heading.to_lowercase();
            let kept = kept
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        };
        self.headings.iter().map(slug).collect()
    }
}

/// The cells of a row; `\|` is a bar within one.
fn cells(line: &str) -> Vec<String> {
    let line = line.trim().trim_start_matches('|').replace("\\|", "\u{0}");
    let line = line.strip_suffix('|').unwrap_or(&line);
    line.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect()
}

/// Targets of the links in a line, those in code excepted.
fn links(line: &str) -> impl Iterator<Item = String> {
    let text: String = line.split('`').step_by(2).collect();
    let after: Vec<_> = text.split("](").skip(1).map(str::to_owned).collect();
    after
        .into_iter()
        .filter_map(|rest| rest.split(')').next().map(str::to_owned))
}

/// The only thing in backticks in a cell.
pub(super) fn code(cell: &str) -> String {
    let codes = codes(cell);
    assert_eq!(codes.len(), 1, "{cell:?}");
    codes.into_iter().next().unwrap()
}

/// Everything in backticks in a cell.
pub(super) fn codes(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
