//! `gatewright keys`

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use gatewright_config::ApiKeyEntry;

use super::output::{mistake, print};
use super::toml_string;
use crate::stages::api_key::digest;

/// Bytes of a file of keys that is imported.
const LONGEST: u64 = 64 << 20;
/// Characters of a key: what a key of Amazon API Gateway has.
const KEY_LENGTHS: std::ops::RangeInclusive<usize> = 20..=128;

/// Take files of API keys over from Amazon API Gateway, or write them for it.
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    Import(Import),
    Export(Export),
}

/// Read API keys in the CSV format of Amazon API Gateway, and print entries for the file of keys.
///
/// Columns are found by their names, in any order: `Name` and `Key`, and if they are there `Description`, `Enabled` and
/// `UsagePlanIds`, several of them separated by commas. What is printed has digests of the keys, and no keys.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// The CSV file.
    file: PathBuf,
}

/// Print a file of keys in the CSV format of Amazon API Gateway.
///
/// The column `Key` is empty: the file of keys has digests, from which nobody can tell the keys.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// The TOML file of keys.
    file: PathBuf,
}

impl Keys {
    /// Does it.
    pub(super) fn execute(self) -> ExitCode {
        let text = match self {
            Self::Import(import) => import.text(),
            Self::Export(export) => export.text(),
        };
        match text {
            Ok(text) => {
                print(format_args!("{text}"));
                ExitCode::SUCCESS
            }
            Err(error) => mistake(error),
        }
    }
}

/// The columns of a file.
struct Columns {
    name: usize,
    key: usize,
    description: Option<usize>,
    enabled: Option<usize>,
    plans: Option<usize>,
}

impl Import {
    fn text(&self) -> Result<String, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("cannot import {}: {error}", self.file.display());
        let mut bytes = Vec::new();
        let unreadable = |error: std::io::Error| wrong(&gatewright_config::reason(&error));
        let file = File::open(&self.file).map_err(unreadable)?;
        file.take(LONGEST).read_to_end(&mut bytes).map_err(unreadable)?;
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(bytes.as_slice());
        let columns = columns(reader.headers().map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
        let mut text = String::new();
        for record in reader.records() {
            let record = record.map_err(|error| wrong(&error))?;
            let line = record.position().map_or(0, csv::Position::line);
            let entry = entry(&record, &columns).map_err(|error| wrong(&format_args!("line {line}: {error}")))?;
            text += &entry;
        }
        // Two of one name or key, for example.
        gatewright_config::parse_keys(&text, &self.file).map_err(|errors| {
            let errors = errors.errors.iter().map(|error| error.message.as_str());
            wrong(&errors.collect::<Vec<_>>().join("; "))
        })?;
        Ok(text)
    }
}

fn columns(head: &csv::StringRecord) -> Result<Columns, String> {
    let find = |wanted: &str| {
        let name = |name: &str| name.trim_start_matches('\u{feff}').eq_ignore_ascii_case(wanted);
        head.iter().position(name)
    };
    let required = |name: &str| find(name).ok_or_else(|| format!("there is no column `{name}`"));
    Ok(Columns {
        name: required("Name")?,
        key: required("Key")?,
        description: find("Description"),
        enabled: find("Enabled"),
        plans: find("UsagePlanIds"),
    })
}

/// The key is not repeated in messages.
fn entry(record: &csv::StringRecord, columns: &Columns) -> Result<String, String> {
    let cell = |column: usize| record.get(column).unwrap_or_default();
    let optional = |column: Option<usize>| column.map(cell).filter(|text| !text.is_empty());
    let (name, key) = (cell(columns.name), cell(columns.key));
    if !KEY_LENGTHS.contains(&key.len()) {
        return Err(format!("the key of `{name}` does not have 20 to 128 characters"));
    }
    let digest: String = digest(key.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut text = format!("[[key]]\nname = {}\nsha256 = \"{digest}\"\n", toml_string(name));
    match optional(columns.enabled).map(str::to_ascii_lowercase).as_deref() {
        None | Some("true") => {}
        Some("false") => text += "enabled = false\n",
        Some(other) => return Err(format!("`{other}` is neither true nor false")),
    }
    if let Some(description) = optional(columns.description) {
        text += &format!("description = {}\n", toml_string(description));
    }
    if let Some(plans) = optional(columns.plans) {
        let plans = plans.split(',').map(str::trim).filter(|plan| !plan.is_empty());
        let plans: Vec<String> = plans.map(toml_string).collect();
        text += &format!("usage_plans = [{}]\n", plans.join(", "));
    }
    Ok(text + "\n")
}

impl Export {
    fn text(&self) -> Result<String, String> {
        let keys = gatewright_config::load_keys(&self.file).map_err(|errors| errors.to_string())?;
        let written = rows(&keys).map_err(|error| error.to_string())?;
        let _ = writeln!(
            std::io::stderr(),
            "note: the column `Key` is empty, because nobody can tell a key from its digest"
        );
        String::from_utf8(written).map_err(|error| error.to_string())
    }
}

fn rows(keys: &[ApiKeyEntry]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["Name", "Key", "Description", "Enabled", "UsagePlanIds"])?;
    for key in keys {
        let enabled = if key.enabled { "TRUE" } else { "FALSE" };
        let description = key.description.as_deref().unwrap_or_default();
        writer.write_record([&key.name, "", description, enabled, &key.usage_plans.join(",")])?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}
