//! The configuration language of Gatewright: TOML in, one checked [`GatewayConfig`] out.
//!
//! [`mod@file`] is what the file says, [`gateway`] what it means; everything between finds all mistakes of a file at
//! once, each with its line, column, key and a hint. Nothing is opened or bound here except the file itself and
//! what it includes.
#![warn(missing_docs)]

pub mod cases;
pub mod condition;
mod credentials;
mod document;
mod environment;
mod error;
pub mod file;
pub mod gateway;
mod include;
mod keys;
pub mod lock;
pub mod names;
mod place;
mod public_key;
mod report;
mod resolve;
mod schema;
mod show;
mod source;
pub mod units;
mod users;
mod web_url;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use credentials::{CredentialEntry, load_credentials, parse_credentials};
pub use environment::looks_secret;
pub use error::{ConfigError, ConfigErrors};
pub use gateway::*;
pub use include::folder_files;
pub use keys::{ApiKeyEntry, PreviousKeyEntry, load_keys, parse_keys};
pub use lock::{Lock, load_lock, parse_lock};
pub use place::{FileReference, Place};
pub use public_key::{PublicKey, WrongKey};
pub use report::{nearest, suggestion};
pub use schema::schema;
pub use show::HIDDEN;
pub use units::{ByteSize, Rate};
pub use users::{PasswordHash, UserEntry, load_users, parse_users};
pub use web_url::WebUrl;

use include::{Gathered, Wrong};
use report::{Mistake, Report};
use toml::de::DeTable;

/// A configuration that has been read, and what is to be known of it besides.
pub struct Loaded {
    /// What it means, or every mistake in it.
    pub config: Result<GatewayConfig, ConfigErrors>,
    /// What serves, and is probably not what was meant; none where there are mistakes.
    pub warnings: Vec<ConfigError>,
    /// The files and folders that it consists of, whether they are there or not.
    pub files: BTreeSet<PathBuf>,
}

/// Reads and checks a configuration file and all that it includes. A folder is its files `*.toml`.
///
/// # Errors
/// When a file cannot be read or is not UTF-8, and for every mistake.
pub fn load(path: &Path) -> Result<GatewayConfig, ConfigErrors> {
    load_all(path).config
}

/// [`load`], with warnings and the names of the files.
pub fn load_all(path: &Path) -> Loaded {
    match include::gather(path, &environment) {
        Ok(gathered) => understand(gathered),
        Err(errors) => Loaded {
            config: Err(errors),
            warnings: Vec::new(),
            files: [path.to_owned()].into(),
        },
    }
}

/// Checks the text of a configuration file and all that it includes. `path` names it in messages, and relative paths in
/// the text are resolved against its directory.
///
/// # Errors
/// For every mistake in the text.
pub fn parse(text: &str, path: &Path) -> Result<GatewayConfig, ConfigErrors> {
    understand(include::gather_text(text, path, &environment)).config
}

/// The configuration that a file results in, as TOML: with what it includes, with what references to the environment
/// stand for, and without secrets.
///
/// # Errors
/// As [`load`].
pub fn shown(path: &Path) -> Result<String, ConfigErrors> {
    let gathered = include::gather(path, &environment)?;
    let (mut report, root) = tree(&gathered);
    let shown = root.and_then(|root| {
        let config = meaning(&root, &mut report);
        config.map(|_| show::show(&root, &report))
    });
    report.finish(shown)
}

fn meaning(root: &DeTable<'_>, report: &mut Report) -> Option<GatewayConfig> {
    let file = document::gateway(root, report);
    let config = resolve::resolve(&file, report);
    report.find_keys(root);
    config
}

fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

fn understand(gathered: Gathered) -> Loaded {
    let (mut report, root) = tree(&gathered);
    let config = root.and_then(|root| meaning(&root, &mut report));
    let mut warnings = match report.is_good() {
        true => report.take_warnings(),
        false => Vec::new(),
    };
    let config = report.finish(config);
    warnings.extend(config.iter().flat_map(|config| config.unset_attributes(&NoFacts)));
    Loaded {
        config,
        warnings,
        files: gathered.files,
    }
}

/// All texts as one tree; nothing where one of them is not TOML.
fn tree(gathered: &Gathered) -> (Report, Option<DeTable<'_>>) {
    let mut texts = gathered.texts.iter();
    let Some((path, text)) = texts.next() else {
        return (Report::new(Path::new(""), ""), None);
    };
    let mut report = Report::new(path, text);
    let mut starts = vec![0];
    let mut whole = document::parse(text, 0, &mut report);
    for (path, text) in texts {
        let start = report.add_source(path, text);
        starts.push(start);
        let part = document::parse(text, start, &mut report);
        whole = match (whole, part) {
            (Some(mut whole), Some(mut part)) => {
                // They have been followed.
                part.remove("include");
                document::merge(&mut whole, part, &mut report);
                Some(whole)
            }
            _ => None,
        };
    }
    for Wrong {
        text,
        span,
        message,
        hint,
    } in &gathered.mistakes
    {
        let start = starts.get(*text).copied().unwrap_or_default();
        report.add(Mistake::new(span.start + start..span.end + start, message).hint(hint));
    }
    if let Some(whole) = &mut whole
        && gathered.texts.iter().any(|(_, text)| text.contains("${"))
    {
        environment::substitute(whole, &environment, &mut report);
    }
    (report, whole)
}

fn read(path: &Path) -> Result<String, ConfigErrors> {
    let bytes = std::fs::read(path).map_err(|error| {
        ConfigError::of_file(path, format_args!("cannot read the file: {}", reason(&error))).with_hint(advice(&error))
    })?;
    utf8(bytes).map_err(|NotText { line, column, message }| {
        let mistake = ConfigError {
            line,
            column,
            ..ConfigError::of_file(path, message)
        };
        ConfigErrors::from(mistake.with_hint(UTF8))
    })
}

/// What to do about a file that is not UTF-8 text.
pub const UTF8: &str = "save it as UTF-8 text";

/// Why the bytes of a file are no text.
#[derive(Debug)]
pub struct NotText {
    /// The line of the first byte that is wrong, from 1.
    pub line: usize,
    /// Its column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// The bytes of a file as text.
///
/// # Errors
/// When they are not UTF-8.
pub fn utf8(bytes: Vec<u8>) -> Result<String, NotText> {
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let before = String::from_utf8_lossy(bytes.get(..good).unwrap_or_default());
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        let message = match bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "the file is UTF-16: save it as UTF-8".to_owned(),
            _ => {
                let byte = bytes.get(good).copied().unwrap_or_default();
                format!("the file is not UTF-8 text: line {line} has the byte 0x{byte:02X} at column {column}")
            }
        };
        NotText { line, column, message }
    })
}

/// What to do about a file or folder that cannot be read.
pub fn advice(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            "check the path; in a configuration it is from the folder of that file"
        }
        ErrorKind::PermissionDenied => "let the user that runs this read it",
        ErrorKind::IsADirectory => "name a file, not a folder",
        ErrorKind::InvalidData => UTF8,
        _ => "name a file that this user can read",
    }
}

/// What the system says, in its words and without its number.
pub fn reason(error: &std::io::Error) -> String {
    if error.kind() == std::io::ErrorKind::InvalidData {
        return "it is not UTF-8 text".to_owned();
    }
    without_number(&error.to_string())
}

/// The text of an error without the system's numbers: `Connection refused (os error 111)`.
pub fn without_number(text: &str) -> String {
    match text.split_once(" (os error ") {
        Some((words, rest)) => {
            let rest = rest.split_once(')').map_or("", |(_, rest)| rest);
            format!("{words}{rest}")
        }
        None => text.to_owned(),
    }
}
