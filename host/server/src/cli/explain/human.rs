//! An explanation for people: the same that `--format json` says.

use std::fmt;

use serde_json::Value as Json;

/// An explanation.
pub(super) struct Human<'a>(pub(super) &'a Json);

impl fmt::Display for Human<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(explained) = self;
        let of = |value: &'_ Json, name: &str| text(value.get(name).unwrap_or(&Json::Null));
        if let Some(request) = explained.get("request") {
            let (method, scheme) = (of(request, "method"), of(request, "scheme"));
            let (authority, path) = (of(request, "authority"), of(request, "path"));
            let query = request.get("query").and_then(Json::as_str);
            let query = query.map(|query| format!("?{query}")).unwrap_or_default();
            writeln!(
                f,
                "{method} {scheme}://{authority}{path}{query}, from {}",
                of(request, "client")
            )?;
            for (name, values) in object(request.get("headers")) {
                writeln!(f, "    {name}: {}", text(values))?;
            }
        }
        writeln!(f, "\nroutes of listener {}, nearest first", of(explained, "listener"))?;
        for candidate in list(explained.get("candidates")) {
            let route = of(candidate, "route");
            match list(candidate.get("does_not_match")) {
                [] => writeln!(f, "  + {route}: matches")?,
                missing => writeln!(f, "  - {route}: does not match in {}", joined(missing))?,
            }
        }
        let outcome = explained.get("outcome").unwrap_or(&Json::Null);
        match outcome.get("route").and_then(Json::as_str) {
            Some(route) => writeln!(f, "  = {route} is the most specific that matches")?,
            None => writeln!(f, "  = none")?,
        }
        for step in list(explained.get("steps")) {
            writeln!(
                f,
                "\n{} {}: {} ({} µs)",
                of(step, "step"),
                of(step, "name"),
                of(step, "outcome"),
                micros(step.get("took_us"))
            )?;
            for (name, change) in object(step.get("changes")) {
                let (before, after) = match list(Some(change)) {
                    [before, after] => (text(before), text(after)),
                    _ => continue,
                };
                writeln!(f, "    {name}: {before} -> {after}")?;
            }
            for detail in list(step.get("details")) {
                let facts = object(Some(detail)).filter(|(name, _)| *name != "step");
                let facts: Vec<_> = facts
                    .map(|(name, value)| format!("{name}={}", fact(name, value)))
                    .collect();
                writeln!(f, "    {}: {}", of(detail, "step"), facts.join(" "))?;
            }
        }
        writeln!(
            f,
            "\nanswer {} after {} µs",
            of(outcome, "status"),
            micros(outcome.get("took_us"))
        )?;
        let shown = object(Some(outcome)).filter(|(name, value)| {
            !matches!(*name, "status" | "took_us" | "route" | "headers")
                && !value.is_null()
                && value.as_object().is_none_or(|value| !value.is_empty())
        });
        for (name, value) in shown {
            writeln!(f, "    {name}: {}", fact(name, value))?;
        }
        for (name, values) in object(outcome.get("headers")) {
            writeln!(f, "    {name}: {}", text(values))?;
        }
        Ok(())
    }
}

fn object(value: Option<&Json>) -> impl Iterator<Item = (&str, &Json)> {
    let entries = value.and_then(Json::as_object).into_iter().flatten();
    entries.map(|(name, value)| (name.as_str(), value))
}

fn list(value: Option<&Json>) -> &[Json] {
    value.and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

fn joined(values: &[Json]) -> String {
    values.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.escape_debug().to_string(),
        Json::Array(values) => joined(values),
        Json::Null => "-".to_owned(),
        Json::Object(map) => {
            let entries = map.iter().map(|(name, value)| format!("{name} {}", text(value)));
            entries.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn fact(name: &str, value: &Json) -> String {
    match name.ends_with("_us") {
        true => micros(Some(value)),
        false => text(value),
    }
}

fn micros(value: Option<&Json>) -> String {
    value
        .and_then(Json::as_f64)
        .map_or_else(|| "-".to_owned(), |micros| format!("{micros:.1}"))
}
