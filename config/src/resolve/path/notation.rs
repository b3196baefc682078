//! How others write parameters in paths: `*`, `:id`, `<id>`, `{id:pattern}`. None of it is taken as it stands, because a
//! route that matches only the star itself would be found out in service.

use super::{Wrong, is_parameter_name};

/// What is wrong with a segment in the notation of others, with what to write instead; nothing for any other segment.
pub(super) fn of_others(segment: &str, last: bool) -> Option<Wrong> {
    let write = |reason: String, hint: String| {
        Some(Wrong {
            reason,
            hint: Some(hint),
        })
    };
    if let Some((name, many)) = parameter(segment) {
        let suffix = many.map(String::from).unwrap_or_default();
        return write(
            format!("`{segment}` is not how a parameter is written"),
            format!("write `{{{name}{suffix}}}`{}", meaning(many)),
        );
    }
    // What stands in braces has been judged above, or is the business of whoever reads parameters.
    if segment.starts_with('{') || !segment.contains('*') {
        return None;
    }
    let reason = "a `*` in it would match nothing but itself".to_owned();
    match (segment.trim_matches(['*', '.', '(', ')', '^', '$']), last) {
        ("", true) => write(
            reason,
            "write `{rest*}` for everything under it and itself, or `{rest+}` for everything under it".to_owned(),
        ),
        ("", false) => write(reason, "write `{name}` for one segment".to_owned()),
        (prefix, true) if segment.starts_with(prefix) => write(
            reason,
            format!("write `{prefix}/{{rest*}}` for `{prefix}` and everything under it: paths match by whole segments"),
        ),
        _ => write(
            reason,
            "a parameter is a whole segment, such as `{name}`; a star itself is written `%2A`".to_owned(),
        ),
    }
}

fn meaning(many: Option<char>) -> &'static str {
    match many {
        Some('*') => ", which is zero or more segments",
        Some(_) => ", which is one or more segments",
        None => ", which is one segment; what it may be is for the stage `validate`",
    }
}

/// The name of a parameter in the notation of others, and whether it is several segments: `*` or `+`.
fn parameter(segment: &str) -> Option<(&str, Option<char>)> {
    let inner = |open: &str, close: &str| segment.strip_prefix(open)?.strip_suffix(close);
    if let Some(name) = inner("${", "}") {
        return named(name, None);
    }
    if let Some(inner) = inner("{", "}") {
        if let Some(name) = inner.strip_prefix('*') {
            return named(name.trim_start_matches('*'), Some('*'));
        }
        if let Some(name) = inner.strip_suffix("...") {
            return named(name, Some('*'));
        }
        if let Some(name) = inner.strip_suffix('?') {
            return named(name, None);
        }
        let (name, pattern) = inner.split_once(':')?;
        let many = matches!(pattern, "path" | ".*" | "(.*)" | ".+" | "*").then_some('*');
        return named(name, many);
    }
    if let Some(inner) = inner("<", ">") {
        let (kind, name) = inner.split_once(':').unwrap_or(("", inner));
        return named(name, (kind == "path").then_some('*'));
    }
    if let Some(name) = segment.strip_prefix(':') {
        let many = name.chars().last().filter(|last| matches!(last, '*' | '+'));
        return named(name.trim_end_matches(['*', '+', '?']), many);
    }
    segment.strip_prefix('*').and_then(|name| named(name, Some('*')))
}

fn named(name: &str, many: Option<char>) -> Option<(&str, Option<char>)> {
    is_parameter_name(name).then_some((name, many))
}
