//! serde's messages in the words of the configuration language.

use crate::report::{Mistake, Span, suggestion};

/// The mistake that an error of serde stands for; `section` is where it is when the error does not say.
pub(super) fn mistake(error: &toml::de::Error, section: Span) -> Mistake {
    let span = error.span().unwrap_or(section);
    let (message, hint) = error.message().split_once('\n').unwrap_or((error.message(), ""));
    let mistake = if let Some(rest) = message.strip_prefix("unknown field ") {
        unknown("key", "keys", rest, span)
    } else if let Some(rest) = message.strip_prefix("unknown variant ") {
        unknown("value", "values", rest, span)
    } else if let Some(rest) = message
        .strip_prefix("invalid type: ")
        .or(message.strip_prefix("invalid value: "))
    {
        let mistake = Mistake::new(span, unexpected(rest));
        match rest
            .strip_prefix("string ")
            .and_then(|rest| rest.strip_suffix(", expected a sequence"))
        {
            Some(text) => mistake.hint(format!("write [{text}]")),
            None => mistake,
        }
    } else if let Some(rest) = message.strip_prefix("wanted exactly 1 element, ") {
        // What was in it may have been wrong, and is gone.
        let absence = rest == "found 0 elements";
        Mistake {
            absence,
            ..Mistake::new(span, "expected a table with one key")
        }
    } else if message == "wanted string or table" {
        Mistake::new(span, "expected a string or a table")
    } else {
        Mistake::new(span, message)
    };
    if hint.is_empty() { mistake } else { mistake.hint(hint) }
}

/// "`pth`, expected one of `name`, `path`"
fn unknown(what: &str, plural: &str, rest: &str, span: Span) -> Mistake {
    let (name, valid) = rest.rsplit_once(", expected ").unwrap_or((rest, ""));
    let name = name.trim_matches('`');
    // Names stand between backticks: every second piece.
    let valid = valid.split('`').skip(1).step_by(2);
    Mistake::new(span, format!("unknown {what} `{name}`")).hint(suggestion(name, valid, plural))
}

/// "integer `5`, expected a string"
fn unexpected(rest: &str) -> String {
    let (found, expected) = rest.rsplit_once(", expected ").unwrap_or((rest, "something else"));
    // A number that is too large comes with the type that it was tried as.
    let found = found.trim_end_matches(" as i128").trim_end_matches(" as u128");
    let found = match found {
        "map" => "a table",
        "sequence" => "an array",
        found => found,
    };
    let expected = match expected {
        "a map" => "a table",
        "a sequence" => "an array",
        "a boolean" => "true or false",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number, 0 or more",
        table if table.starts_with("struct ") => "a table",
        expected => expected,
    };
    format!("expected {expected}, found {found}")
}
