//! One template: what it may do, and how far.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use gatewright_config::names::{right_name, variables};
use gatewright_config::{BodyTemplate, TemplateSource, nearest};
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::Value as Json;
use serde_json_path::JsonPath;

use super::formats;
use crate::json::Inexact;
use crate::words::{self, Unusable};

/// Steps that one rendering may take: a few hundredths of a second.
const FUEL: u64 = 1_000_000;
/// How deep macros may call each other.
const RECURSION: usize = 64;

/// A template that has been read.
pub(super) struct Template {
    environment: Environment<'static>,
    name: String,
    is_json: bool,
    output_bytes: u64,
    /// It wants to know the body of what it makes a body for.
    pub(super) reads_body: bool,
}

impl Template {
    /// Reads a template of the body of `part`, which is `request` or `response`.
    ///
    /// # Errors
    /// What is wrong with its language, or every name in it that stands for nothing.
    pub(super) fn new(config: &BodyTemplate, part: &str, output_bytes: u64) -> Result<Self, Vec<Unusable>> {
        const JINJA: &str =
            "templates are written in the language of Jinja: `{{ VALUE }}`, `{% if … %}`, `{% for … %}`";
        let source = Source::read(config, part).map_err(|unusable| vec![unusable])?;
        let name = source.name.clone();
        let escape = escape(&config.content_type);
        let is_json = matches!(escape, AutoEscape::Json);
        let mut environment = environment(escape);
        let wrong = |error: &Error| vec![source.unusable(error.range().map(|range| range.start), &what(error), JINJA)];
        environment
            .add_template_owned(name.clone(), source.text.clone())
            .map_err(|error| wrong(&error))?;
        let template = environment.get_template(&name).map_err(|error| wrong(&error))?;
        let needs = template.undeclared_variables(true);
        let is_function = |name: &str| environment.globals().any(|(known, _)| known == name);
        let unknown: BTreeMap<_, _> = needs
            .iter()
            .filter(|need| !is_function(need))
            .filter_map(|need| unknown(need))
            .collect();
        if !unknown.is_empty() {
            let unusable = unknown.into_iter().map(|(wrong, hint)| {
                let at = source.position(&wrong);
                source.unusable(at, &format!("nothing is called `{wrong}`"), hint)
            });
            return Err(unusable.collect());
        }
        let reads_body = needs.iter().any(|need| {
            let rest = need.strip_prefix(part);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(".body") || rest == ".text")
        });
        Ok(Self {
            reads_body,
            is_json,
            environment,
            name,
            output_bytes,
        })
    }

    /// The body for these values.
    pub(super) fn render(&self, values: Json) -> Result<Bytes, String> {
        let template = self
            .environment
            .get_template(&self.name)
            .map_err(|error| said(&self.name, &error))?;
        let mut output = Output {
            bytes: Vec::new(),
            left: self.output_bytes,
        };
        template
            .render_captured_to(value_of(values), &mut output)
            .map_err(|error| said(&self.name, &error))?;
        if self.is_json
            && let Err(error) = serde_json::from_slice::<IgnoredAny>(&output.bytes)
        {
            let (line, column) = (error.line(), error.column());
            return Err(format!(
                "`{}` has not made JSON: line {line}, column {column} of its output",
                self.name
            ));
        }
        Ok(output.bytes.into())
    }
}

/// The text of a template.
struct Source {
    /// What it is called in messages.
    name: String,
    text: String,
    /// The file that it is in, if it is not in the configuration.
    file: Option<PathBuf>,
}

impl Source {
    fn read(config: &BodyTemplate, part: &str) -> Result<Self, Unusable> {
        Ok(match &config.source {
            TemplateSource::Inline(text) => Self {
                name: format!("{part}.template"),
                text: text.clone(),
                file: None,
            },
            TemplateSource::File(file) => Self {
                name: file.path.display().to_string(),
                text: words::text_of(file)?,
                file: Some(file.path.clone()),
            },
        })
    }

    /// Where a name is, in bytes: in the first expression or statement that has it.
    fn position(&self, name: &str) -> Option<usize> {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let found = self.text.match_indices(name).map(|(at, _)| at);
        let mut apart = found.filter(|at| {
            let before = self.text.get(..*at).unwrap_or_default();
            let after = self.text.get(at + name.len()..).unwrap_or_default();
            let opened = before.rfind("{{").max(before.rfind("{%"));
            let closed = before.rfind("}}").max(before.rfind("%}"));
            opened > closed && !before.ends_with(is_word) && !after.starts_with(is_word)
        });
        apart.next()
    }

    /// What is wrong with the template, at this byte.
    fn unusable(&self, at: Option<usize>, what: &str, hint: impl Into<Cow<'static, str>>) -> Unusable {
        let before = at.and_then(|at| self.text.get(..at));
        let place = before.map(|before| {
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
            (line, column)
        });
        let (line, column) = place.unwrap_or((1, 1));
        match &self.file {
            Some(file) => Unusable::new(what, hint).at(words::inside(file, line, column)),
            None => Unusable::new(format!("`{}`, line {line}, column {column}: {what}", self.name), hint),
        }
    }
}

/// Attributes that a template names, without `attributes.` before them; none where it cannot be read, which is a mistake and
/// is said elsewhere.
pub(super) fn named_attributes(config: &BodyTemplate) -> Vec<String> {
    let text = match &config.source {
        TemplateSource::Inline(text) => text.clone(),
        TemplateSource::File(file) => std::fs::read_to_string(&file.path).unwrap_or_default(),
    };
    let environment = environment(escape(&config.content_type));
    let Ok(template) = environment.template_from_str(&text) else {
        return Vec::new();
    };
    let mut names: Vec<_> = template.undeclared_variables(true).into_iter().collect();
    names.sort();
    let names = names.iter().filter_map(|name| name.strip_prefix("attributes."));
    names.map(str::to_owned).collect()
}

/// What a template may name beside the names that all templates have.
const OF_BODIES: [(&str, &str); 10] = [
    ("request", "body"),
    ("request", "client"),
    ("request", "headers"),
    ("request", "text"),
    ("response", "body"),
    ("response", "headers"),
    ("response", "text"),
    ("attributes", ""),
    ("path", ""),
    ("variables", ""),
];

/// A name that stands for nothing in any exchange, and what to write instead. Which parameters and attributes there are, and
/// what is in a body, depends on the exchange.
fn unknown(name: &str) -> Option<(String, String)> {
    let known = || OF_BODIES.into_iter().chain(variables());
    let mut words = name.split('.');
    let (first, second) = (words.next().unwrap_or_default(), words.next());
    let is_known = known()
        .any(|(object, member)| object == first && (member.is_empty() || second.is_none_or(|second| second == member)));
    if is_known {
        return None;
    }
    let wrong = second.map_or_else(|| first.to_owned(), |second| format!("{first}.{second}"));
    let hint = match right_name(&wrong).or_else(|| right_name(first)) {
        Some(right) if right.starts_with("auth.") => format!("write `{{{{ attributes.{right} }}}}`"),
        Some(right) if right.starts_with("header.") => "write `{{ request.headers[\"NAME\"] }}`".to_owned(),
        Some(right) if right.starts_with("query.") => "write `{{ request.query.NAME }}`".to_owned(),
        Some(right) => format!("write `{{{{ {right} }}}}`"),
        None => {
            let objects: BTreeSet<_> = known().map(|(object, _)| object).collect();
            let names = || known().filter(|(_, member)| !member.is_empty());
            let names: Vec<_> = names().map(|(object, member)| format!("{object}.{member}")).collect();
            let all = names.iter().map(String::as_str).chain(objects.iter().copied());
            match nearest(&wrong, all.clone()).or_else(|| nearest(first, all)) {
                Some(right) => format!("write `{{{{ {right} }}}}`"),
                None => format!("there are {}", objects.into_iter().collect::<Vec<_>>().join(", ")),
            }
        }
    };
    Some((wrong, hint))
}

/// How values are written, so that none can become anything else than a value.
pub(super) fn escape(content_type: &str) -> AutoEscape {
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match essence.as_str() {
        json if json.ends_with("/json") || json.ends_with("+json") => AutoEscape::Json,
        xml if xml.ends_with("/xml") || xml.ends_with("+xml") || xml.ends_with("/html") => AutoEscape::Html,
        _ => AutoEscape::None,
    }
}

pub(super) fn environment(escape: AutoEscape) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(RECURSION);
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_auto_escape_callback(move |_| escape.clone());
    // What is not there is `null` in JSON, and not nothing.
    environment.set_formatter(|output, state, value| match value.is_undefined() {
        true if matches!(state.auto_escape(), AutoEscape::Json) => {
            minijinja::escape_formatter(output, state, &Value::from(()))
        }
        _ => minijinja::escape_formatter(output, state, value),
    });
    environment.add_filter("jsonpath", |value: Value, path: String| -> Result<Value, Error> {
        let path = JsonPath::parse(&path).map_err(|error| invalid(format!("`{path}`: {error}")))?;
        let value = json(&value)?;
        Ok(value_of(path.query(&value).all()))
    });
    environment.add_filter("from_json", |text: String| -> Result<Value, Error> {
        let value = crate::json::read(text.as_bytes(), formats::DEPTH, Inexact::Refused);
        value.map(value_of).map_err(invalid)
    });
    environment.add_filter("from_form", |text: String| {
        value_of(formats::from_form(text.as_bytes()))
    });
    environment.add_filter("from_xml", |text: String| -> Result<Value, Error> {
        let value = formats::from_xml(&text);
        value.map(value_of).map_err(invalid)
    });
    environment.add_filter("form", |value: Value| -> Result<Value, Error> {
        formats::to_form(&json(&value)?)
            .map(Value::from_safe_string)
            .map_err(invalid)
    });
    environment.add_filter("xml", |value: Value, root: String| -> Result<Value, Error> {
        let text = formats::to_xml(&root, &json(&value)?);
        text.map(Value::from_safe_string).map_err(invalid)
    });
    environment
}

fn value_of(value: impl Serialize) -> Value {
    Value::from(Serde(value))
}

fn json(value: &Value) -> Result<Json, Error> {
    serde_json::to_value(value).map_err(|error| invalid(error.to_string()))
}

fn invalid(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason.into())
}

/// What is wrong with a template, and in which line. What an error says of values stays out.
fn said(name: &str, error: &Error) -> String {
    let line = error.line().map(|line| format!(", line {line}")).unwrap_or_default();
    format!("`{name}`{line}: {}", what(error))
}

fn what(error: &Error) -> String {
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("{}{detail}", error.kind())
}

/// What has been made so far, and how much more it may be.
struct Output {
    bytes: Vec<u8>,
    left: u64,
}

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or_else(|| io::Error::other("more than `output` bytes are made"))?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn template(text: &str, content_type: &str) -> Template {
        let config = BodyTemplate {
            source: TemplateSource::Inline(text.to_owned()),
            content_type: content_type.to_owned(),
        };
        Template::new(&config, "request", 1 << 10).unwrap_or_else(|error| panic!("{error:?}"))
    }

    /// With these values as variables, which a template knows by any name.
    fn rendered(text: &str, content_type: &str, values: &Json) -> Result<String, String> {
        let rendered = template(text, content_type).render(json!({ "variables": values }));
        rendered.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn a_value_stays_a_value_in_what_is_made() {
        let values = json!({ "a": "\"</x>&", "n": 1.5, "l": [1, null] });
        let made = rendered(
            "{\"a\":{{ variables.a }},\"n\":{{ variables.n }},\"l\":{{ variables.l }},\"m\":{{ variables.m.x }}}",
            "application/json",
            &values,
        );
        let made: Json = serde_json::from_str(&made.unwrap()).unwrap();
        assert_eq!(made, json!({ "a": "\"</x>&", "n": 1.5, "l": [1, null], "m": null }));
        let xml = rendered("<x>{{ variables.a }}</x>", "text/xml", &values).unwrap();
        assert!(!xml.contains("</x>&"), "{xml}");
        assert_eq!(rendered("{{ variables.a }}", "text/plain", &values).unwrap(), "\"</x>&");
    }

    #[test]
    fn a_template_that_fails_says_where_and_one_that_goes_on_is_stopped() {
        let fails = |text: &str| rendered(text, "text/plain", &json!({ "secret": "hunter2" })).unwrap_err();
        let unknown = fails("\n\n{{ variables.nosuch() }}");
        assert!(unknown.contains("line 3"), "{unknown}");
        let forever = "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}";
        assert!(fails(forever).contains("line 1"), "{}", fails(forever));
        let long = "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}";
        assert!(fails(long).contains("fuel"), "{}", fails(long));
        let much = "{% for a in range(2000) %}{{ variables.secret }}{% endfor %}";
        assert!(!fails(much).contains("hunter2"), "{}", fails(much));
        for text in [
            "{% include 'x' %}",
            "{{ open('/etc/passwd') }}",
            "{{ secret | nosuch }}",
        ] {
            let config = BodyTemplate {
                source: TemplateSource::Inline(text.to_owned()),
                content_type: "text/plain".to_owned(),
            };
            let fails = match Template::new(&config, "request", 10) {
                Ok(template) => template.render(json!({})).is_err(),
                Err(_) => true,
            };
            assert!(fails, "{text}");
        }
        assert!(
            rendered("{\"a\": {{ variables.a }}", "application/json", &json!({}))
                .unwrap_err()
                .contains("not made JSON")
        );
    }

    #[test]
    fn what_is_wrong_with_a_template_is_said_with_line_and_column() {
        let wrong = |text: &str| -> Vec<String> {
            let config = BodyTemplate {
                source: TemplateSource::Inline(text.to_owned()),
                content_type: "text/plain".to_owned(),
            };
            let wrong = Template::new(&config, "request", 1 << 10).err().unwrap_or_default();
            wrong.into_iter().map(|unusable| unusable.reason).collect()
        };
        for (text, said) in [
            (
                "one\n{{ two three }}",
                &["line 2, column 8: syntax error: unexpected identifier, expected end of variable block"][..],
            ),
            (
                "{% for %}",
                &["line 1, column 8: syntax error: unexpected end of block, expected in"],
            ),
            (
                "nosuch\né {{ nosuch }} {{ request.hots }}{{ variables.nosuch }}",
                &[
                    "line 2, column 6: nothing is called `nosuch`",
                    "line 2, column 19: nothing is called `request.hots`",
                ],
            ),
            (
                "{% if nosuch.a %}{% endif %}",
                &["line 1, column 7: nothing is called `nosuch.a`"],
            ),
        ] {
            let said: Vec<_> = said.iter().map(|said| format!("`request.template`, {said}")).collect();
            assert_eq!(wrong(text), said, "{text}");
        }
    }

    #[test]
    fn the_body_is_read_only_where_a_template_wants_to_know_it() {
        for (text, reads) in [
            ("{{ request.path }}{{ path.id }}", false),
            ("{{ request.body.a.b }}", true),
            ("{{ request.text }}", true),
            ("{{ request }}", true),
            ("{% set r = request %}{{ r.body }}", true),
            ("{% for x in request.body %}{{ x }}{% endfor %}", true),
            ("{{ response.body }}", false),
        ] {
            assert_eq!(template(text, "text/plain").reads_body, reads, "{text}");
        }
    }

    #[test]
    fn values_are_found_by_path_and_converted() {
        let values = json!({ "b": { "items": [{ "p": 1 }, { "p": 20 }], "name": "a b&c" } });
        let text = |text: &str| rendered(text, "text/plain", &values);
        assert_eq!(
            text("{{ (variables.b | jsonpath('$.items[?@.p > 5].p'))[0] }}").unwrap(),
            "20"
        );
        assert_eq!(text("{{ {'n': variables.b.name} | form }}").unwrap(), "n=a+b%26c");
        assert_eq!(
            text("{{ {'n': variables.b.name} | xml('r') }}").unwrap(),
            "<r><n>a b&amp;c</n></r>"
        );
        assert_eq!(text("{{ ('x=1&y=%41' | from_form).y }}").unwrap(), "A");
        assert_eq!(
            text("{{ ('<a k=\"v\"><b>1</b><b>2</b></a>' | from_xml).a.b[1] }}").unwrap(),
            "2"
        );
        assert_eq!(text("{{ ('{\"a\":[1]}' | from_json).a[0] }}").unwrap(), "1");
        assert!(text("{{ variables.b | jsonpath('$..[') }}").is_err());
        assert!(text("{{ '{\"a\":1,\"a\":2}' | from_json }}").is_err());
        assert!(text("{{ '<!DOCTYPE a><a/>' | from_xml }}").is_err());
    }
}
