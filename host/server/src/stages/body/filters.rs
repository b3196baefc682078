//! Names of filters and tests in a template that there are not. The library finds them out only when it comes to them,
//! which may be in a branch that is seldom taken.

use gatewright_config::{BodyConfig, BodyTemplate, TemplateSource, nearest};
use minijinja::{Environment, ErrorKind};

use super::template::{environment, escape};

/// What `nearest` chooses from; the library has no list.
const NAMES: [&str; 58] = [
    "abs",
    "attr",
    "batch",
    "bool",
    "boolean",
    "capitalize",
    "chain",
    "count",
    "default",
    "defined",
    "dictsort",
    "escape",
    "even",
    "first",
    "float",
    "form",
    "from_form",
    "from_json",
    "from_xml",
    "groupby",
    "indent",
    "int",
    "integer",
    "items",
    "iterable",
    "join",
    "jsonpath",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "mapping",
    "max",
    "min",
    "none",
    "number",
    "odd",
    "pprint",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "sequence",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "undefined",
];

/// What a name is used as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Filter,
    Test,
}

/// What is said of each unknown name, and what to do.
pub fn unknown_filters(config: &BodyConfig) -> Vec<(String, String)> {
    let templates = [("request", &config.request), ("response", &config.response)];
    let templates = templates
        .into_iter()
        .filter_map(|(part, template)| Some((part, template.as_ref()?)));
    templates.flat_map(|(part, template)| unknown(part, template)).collect()
}

fn unknown(part: &str, template: &BodyTemplate) -> Vec<(String, String)> {
    let (name, text) = match &template.source {
        TemplateSource::Inline(text) => (format!("{part}.template"), text.clone()),
        TemplateSource::File(file) => match std::fs::read_to_string(&file.path) {
            Ok(text) => (file.path.display().to_string(), text),
            // A mistake, which is said elsewhere.
            Err(_) => return Vec::new(),
        },
    };
    let environment = environment(escape(&template.content_type));
    let mut unknown = Vec::new();
    for (line, used, word) in names(&text) {
        if is_known(&environment, used, word) {
            continue;
        }
        let what = match used {
            Use::Filter => "filter",
            Use::Test => "test",
        };
        let known = NAMES.iter().copied().filter(|name| is_known(&environment, used, name));
        let hint = match nearest(word, known) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("the documentation of the stage `body` says which {what}s there are"),
        };
        unknown.push((
            format!("`{name}`, line {line}: there is no {what} `{word}`, so the template fails where it comes to it"),
            hint,
        ));
    }
    unknown.dedup();
    unknown
}

fn is_known(environment: &Environment<'_>, used: Use, name: &str) -> bool {
    let (text, missing) = match used {
        Use::Filter => (format!("{{{{ 0|{name} }}}}"), ErrorKind::UnknownFilter),
        Use::Test => (format!("{{{{ 0 is {name} }}}}"), ErrorKind::UnknownTest),
    };
    !matches!(environment.render_str(&text, ()), Err(error) if error.kind() == missing)
}

/// Names of filters and tests with the lines in which they are.
fn names(text: &str) -> Vec<(usize, Use, &str)> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(at) = rest
        .find("{{")
        .into_iter()
        .chain(rest.find("{%"))
        .chain(rest.find("{#"))
        .min()
    {
        let Some(inner) = rest.get(at + 2..) else { break };
        let open = rest.get(at..at + 2).unwrap_or_default();
        let close = match open {
            "{{" => "}}",
            "{%" => "%}",
            _ => "#}",
        };
        let end = inner.find(close).unwrap_or(inner.len());
        let code = inner.get(..end).unwrap_or_default();
        let line = |within: usize| {
            let before = text.len() - inner.len() + within;
            text.get(..before).map_or(1, |text| text.matches('\n').count() + 1)
        };
        if open != "{#" {
            in_code(code, |at, used, name| names.push((line(at), used, name)));
        }
        rest = inner
            .get(end..)
            .and_then(|rest| rest.strip_prefix(close))
            .unwrap_or_default();
        // What is raw is text.
        if open == "{%" && code.trim_matches(['-', '+', ' ']) == "raw" {
            rest = rest.find("endraw").and_then(|end| rest.get(end..)).unwrap_or_default();
        }
    }
    names
}

/// Names in what stands between braces: after `|`, and after `is` or `is not`. What is in quotes is none.
fn in_code<'c>(code: &'c str, mut found: impl FnMut(usize, Use, &'c str)) {
    let mut expected = None;
    let mut quote = None;
    let mut characters = code.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match (quote, character) {
            (Some(open), character) => {
                if character == '\\' {
                    characters.next();
                } else if character == open {
                    quote = None;
                }
            }
            (None, '"' | '\'') => {
                quote = Some(character);
                expected = None;
            }
            (None, '|') => expected = Some(Use::Filter),
            (None, character) if character.is_alphabetic() || character == '_' => {
                let mut end = at + character.len_utf8();
                while let Some((next, following)) =
                    characters.next_if(|(_, following)| following.is_alphanumeric() || *following == '_')
                {
                    end = next + following.len_utf8();
                }
                let word = code.get(at..end).unwrap_or_default();
                expected = match (expected, word) {
                    (Some(Use::Test), "not") => Some(Use::Test),
                    (Some(used), word) => {
                        found(at, used, word);
                        None
                    }
                    (None, "is") => Some(Use::Test),
                    (None, _) => None,
                };
            }
            (None, character) if character.is_whitespace() => {}
            (None, _) => expected = None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(text: &str) -> Vec<(usize, &str)> {
        names(text).into_iter().map(|(line, _, name)| (line, name)).collect()
    }

    #[test]
    fn names_of_filters_and_tests_are_found_where_they_are() {
        let text = "{{ a | upcase }} | text\n{% if b is not defnied %}{{ 'x|y' ~ c|trim|tojsn(1) }}{# d|e #}{% endif %}\n\
                    {% raw %}{{ f|g }}{% endraw %}{{ h|i }}";
        assert_eq!(
            used(text),
            [(1, "upcase"), (2, "defnied"), (2, "trim"), (2, "tojsn"), (3, "i")]
        );
        assert_eq!(used("{{ a.is }} {{ a"), []);
    }

    #[test]
    fn only_names_that_there_are_not_are_unknown() {
        let template = BodyTemplate {
            source: TemplateSource::Inline(
                "{{ body|tojson }}{{ x|jsonpath('$') }}{{ y|uper }}{{ z is defnied }}".to_owned(),
            ),
            content_type: "application/json".to_owned(),
        };
        let said: Vec<_> = unknown("request", &template);
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].0.contains("no filter `uper`"), "{said:?}");
        assert_eq!(said[1].1, "did you mean `defined`?");
    }
}
