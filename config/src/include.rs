//! The files of a configuration in their order: the main file, then each entry of its `include`, directly followed by the
//! files that this entry includes. A folder stands for its `*.toml` files, sorted by name.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::environment::{self, Environment};
use crate::error::ConfigErrors;
use crate::report::Report;

/// Largest number of files in one configuration.
const MOST_FILES: usize = 1024;
/// Size limit of an included file, in bytes.
const MOST_BYTES: u64 = 64 << 20;

/// The texts of a configuration.
#[derive(Default)]
pub(crate) struct Gathered {
    /// Each text with the path of its file.
    pub(crate) texts: Vec<(PathBuf, String)>,
    /// Every file and folder that was looked up, existing or not: a reload watches them.
    pub(crate) files: BTreeSet<PathBuf>,
    /// Mistakes in entries of `include`.
    pub(crate) mistakes: Vec<Wrong>,
}

/// A mistake in an entry of `include`.
pub(crate) struct Wrong {
    /// Index of the text that has the entry.
    pub(crate) text: usize,
    /// The bytes of the entry in that text.
    pub(crate) span: Range<usize>,
    /// The mistake.
    pub(crate) message: String,
    /// The remedy.
    pub(crate) hint: String,
}

/// A file that is still to be read, and the entry of `include` that names it: index of its text, and bytes in it.
struct Named {
    path: PathBuf,
    by: Option<(usize, Range<usize>)>,
}

/// The files of a folder that belong to the configuration, in their order: `*.toml`, hidden files left out.
///
/// # Errors
/// When the folder cannot be read.
pub fn folder_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_hidden = path
            .file_name()
            .is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if !is_hidden && path.extension().is_some_and(|extension| extension == "toml") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a configuration file and everything it includes. A folder counts as a file that includes that folder.
///
/// # Errors
/// When the first file cannot be read.
pub(crate) fn gather(path: &Path, environment: Environment<'_>) -> Result<Gathered, ConfigErrors> {
    let mut gathering = Gathering::new(environment);
    gathering.gathered.files.insert(path.to_owned());
    if path.is_dir() {
        gathering.gathered.texts.push((path.to_owned(), String::new()));
        gathering.name(path, 0, &(0..0));
    } else {
        let text = crate::read(path)?;
        gathering.text(path, text);
    }
    Ok(gathering.all())
}

/// Reads everything that a text includes. Relative paths in the text are from the folder of `path`.
pub(crate) fn gather_text(text: &str, path: &Path, environment: Environment<'_>) -> Gathered {
    let mut gathering = Gathering::new(environment);
    gathering.text(path, text.to_owned());
    gathering.all()
}

struct Gathering<'e> {
    environment: Environment<'e>,
    gathered: Gathered,
    /// Paths of the files read so far, with links resolved: a file is read once.
    read: BTreeSet<PathBuf>,
    /// Files still to be read, the next one last.
    named: Vec<Named>,
}

impl<'e> Gathering<'e> {
    fn new(environment: Environment<'e>) -> Self {
        Self {
            environment,
            gathered: Gathered::default(),
            read: BTreeSet::new(),
            named: Vec::new(),
        }
    }

    fn all(mut self) -> Gathered {
        while let Some(Named { path, by }) = self.named.pop() {
            let (by, span) = by.unwrap_or((0, 0..0));
            if self.gathered.texts.len() >= MOST_FILES {
                let message = format!("the configuration has more than {MOST_FILES} files");
                self.wrong(by, &span, message, "put several of them into one");
                break;
            }
            match read(&path) {
                Ok(text) => self.text(&path, text),
                Err((reason, hint)) => {
                    let message = format!("cannot include {}: {reason}", path.display());
                    self.wrong(by, &span, message, hint);
                }
            }
        }
        self.gathered
    }

    /// Adds a text, and queues the files it includes.
    fn text(&mut self, path: &Path, text: String) {
        self.gathered.files.insert(path.to_owned());
        self.read
            .insert(path.canonicalize().unwrap_or_else(|_| path.to_owned()));
        let number = self.gathered.texts.len();
        let included = included(&text, path, self.environment);
        self.gathered.texts.push((path.to_owned(), text));
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let already = self.named.len();
        for (entry, span) in included {
            self.name(&folder.join(entry), number, &span);
        }
        // The queue is read from its end.
        if let Some(new) = self.named.get_mut(already..) {
            new.reverse();
        }
    }

    /// Queues the file, or the files of the folder, that an entry of `include` names.
    fn name(&mut self, path: &Path, by: usize, span: &Range<usize>) {
        if path.to_string_lossy().contains(['*', '?', '[']) && !path.exists() {
            let hint = "name the folder: all its files `*.toml` are included, by name";
            self.wrong(by, span, "patterns are not understood here".to_owned(), hint);
            return;
        }
        self.gathered.files.insert(path.to_owned());
        let files = match path.is_dir() {
            true => folder_files(path),
            false => Ok(vec![path.to_owned()]),
        };
        match files {
            Ok(files) => {
                for path in files {
                    let real = path.canonicalize().unwrap_or_else(|_| path.clone());
                    if !self.read.insert(real) {
                        let message = format!("{} is included twice, or includes itself", path.display());
                        self.wrong(by, span, message, "include it once");
                        continue;
                    }
                    self.named.push(Named {
                        path,
                        by: Some((by, span.clone())),
                    });
                }
            }
            Err(error) => {
                let message = format!(
                    "cannot include the folder {}: {}",
                    path.display(),
                    crate::reason(&error)
                );
                self.wrong(by, span, message, crate::advice(&error));
            }
        }
    }

    fn wrong(&mut self, text: usize, span: &Range<usize>, message: String, hint: &str) {
        self.gathered.mistakes.push(Wrong {
            text,
            span: span.clone(),
            message,
            hint: hint.to_owned(),
        });
    }
}

/// The entries of `include` with their places. Entries that are no TOML or of the wrong type are left out: reading the whole
/// text reports them.
fn included(text: &str, path: &Path, environment: Environment<'_>) -> Vec<(String, Range<usize>)> {
    if !text.contains("include") {
        return Vec::new();
    }
    let (root, _) = DeTable::parse_recoverable(text);
    let mut root = root.into_inner();
    let Some((key, include)) = root.remove_entry("include") else {
        return Vec::new();
    };
    let mut only = DeTable::new();
    only.insert(key, include);
    // The same holds for mistakes in references.
    environment::substitute(&mut only, environment, &mut Report::new(path, text));
    let entries = only.into_iter().flat_map(|(_, include)| match include.into_inner() {
        DeValue::Array(entries) => entries.into_iter().collect(),
        _ => Vec::new(),
    });
    let entry = |entry: toml::Spanned<DeValue<'_>>| {
        let span = entry.span();
        match entry.into_inner() {
            DeValue::String(text) if !text.contains("${") && !text.is_empty() => Some((text.into_owned(), span)),
            _ => None,
        }
    };
    entries.filter_map(entry).collect()
}

/// The text of a file; or why there is none, and the remedy.
fn read(path: &Path) -> Result<String, (String, &'static str)> {
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => (
            crate::reason(&error),
            "paths are from the folder of the file that includes",
        ),
        _ => (crate::reason(&error), crate::advice(&error)),
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(("it is not a file".to_owned(), "name a file, or a folder of files"));
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MOST_BYTES {
        let message = format!("it has more than {} MiB", MOST_BYTES >> 20);
        return Err((message, "put a part of it into another file"));
    }
    crate::utf8(bytes).map_err(|wrong| (wrong.message, crate::UTF8))
}
