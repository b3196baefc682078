//! Directives of a file, and the lists inside them, as written.

use std::path::PathBuf;
use std::sync::Arc;

/// `Name argument "argument"`
#[derive(Clone, Debug)]
pub(crate) struct Directive {
    pub(crate) name: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) place: Place,
}

/// Where something is written.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) file: Arc<PathBuf>,
    /// From one.
    pub(crate) line: usize,
}

/// The directives of a text. A line that ends with a backslash goes on in the next one.
pub(crate) fn directives(file: &Arc<PathBuf>, text: &str) -> Vec<Directive> {
    let mut directives = Vec::new();
    let mut logical = String::new();
    let mut start = 0;
    for (number, line) in text.lines().enumerate() {
        if logical.is_empty() {
            start = number + 1;
            if line.trim_start().starts_with('#') {
                continue;
            }
        }
        let line = if logical.is_empty() { line } else { line.trim_start() };
        match line.trim_end().strip_suffix('\\') {
            Some(part) => logical.push_str(part),
            None => {
                logical.push_str(line);
                directives.extend(directive(file, start, &logical));
                logical.clear();
            }
        }
    }
    directives.extend(directive(file, start, &logical));
    directives
}

fn directive(file: &Arc<PathBuf>, line: usize, text: &str) -> Option<Directive> {
    let mut words = words(text).into_iter();
    Some(Directive {
        name: words.next()?,
        arguments: words.collect(),
        place: Place {
            file: Arc::clone(file),
            line,
        },
    })
}

/// Words between spaces. In quotes there may be spaces, and quotes behind a backslash; every other backslash stays.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim();
    while let Some(first) = rest.chars().next() {
        let quote = matches!(first, '"' | '\'').then_some(first);
        let mut word = String::new();
        let mut end = rest.len();
        let mut escaped = false;
        for (at, character) in rest.char_indices().skip(usize::from(quote.is_some())) {
            if escaped {
                if Some(character) != quote {
                    word.push('\\');
                }
                word.push(character);
                escaped = false;
                continue;
            }
            let is_end = match quote {
                Some(quote) => character == quote,
                None => character.is_whitespace(),
            };
            if is_end {
                end = at + character.len_utf8();
                break;
            }
            match character {
                '\\' if quote.is_some() => escaped = true,
                other => word.push(other),
            }
        }
        words.push(word);
        rest = rest.get(end..).unwrap_or_default().trim_start();
    }
    words
}

/// `name:value,name:'value, with a comma'`
pub(crate) fn actions(text: &str) -> Vec<(String, String)> {
    let mut actions = Vec::new();
    let mut current = String::new();
    let mut quoted = false;
    let mut escaped = false;
    let mut push = |text: &mut String| {
        let (name, value) = text.split_once(':').unwrap_or((text.as_str(), ""));
        let value = value.trim();
        let value = value
            .strip_prefix('\'')
            .map_or(value, |value| value.strip_suffix('\'').unwrap_or(value));
        if !name.trim().is_empty() {
            actions.push((name.trim().to_ascii_lowercase(), value.replace("\\'", "'")));
        }
        text.clear();
    };
    for character in text.chars() {
        match character {
            ',' if !quoted => {
                push(&mut current);
                continue;
            }
            '\'' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = character == '\\' && !escaped;
        current.push(character);
    }
    push(&mut current);
    actions
}

/// A target of a rule: `!ARGS:/expression/`, `&TX:name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) sign: Option<char>,
    /// In upper case.
    pub(crate) name: String,
    pub(crate) key: Option<Key>,
}

/// Which values of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Name(String),
    Expression(String),
}

/// `ARGS|!ARGS:name`, also with commas.
pub(crate) fn targets(text: &str) -> Vec<Target> {
    let mut targets = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = target_end(rest);
        targets.extend(target(rest.get(..end).unwrap_or_default().trim()));
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    targets
}

/// Where a target ends: not inside an expression. `XML:/*` is a path of XML, which has no end of its own.
fn target_end(text: &str) -> usize {
    let name = text.trim_start_matches(['!', '&']).get(..4).unwrap_or_default();
    let is_path = name.eq_ignore_ascii_case("XML:");
    let mut inside = None;
    let mut before = ' ';
    for (at, character) in text.char_indices() {
        match (inside, character) {
            (None, '|' | ',') => return at,
            (None, '/' | '\'') if before == ':' && !is_path => inside = Some(character),
            (Some(end), character) if character == end && before != '\\' => inside = None,
            _ => {}
        }
        before = character;
    }
    text.len()
}

fn target(text: &str) -> Option<Target> {
    let sign = text.chars().next().filter(|first| matches!(first, '!' | '&'));
    let text = text.trim_start_matches(['!', '&']);
    let (name, key) = match text.split_once(':') {
        Some((name, key)) => (name, Some(key)),
        None => (text, None),
    };
    if name.is_empty() {
        return None;
    }
    let key = key.map(|key| {
        let key = key
            .strip_prefix('\'')
            .and_then(|key| key.strip_suffix('\''))
            .unwrap_or(key);
        let expression = key.strip_prefix('/').and_then(|key| key.strip_suffix('/'));
        match expression {
            Some(expression) if !expression.is_empty() => Key::Expression(expression.replace("\\/", "/")),
            _ => Key::Name(key.to_ascii_lowercase()),
        }
    });
    Some(Target {
        sign,
        name: name.to_ascii_uppercase(),
        key,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(usize, String, Vec<String>)> {
        let read = directives(&Arc::new(PathBuf::from("a.conf")), text).into_iter();
        read.map(|directive| (directive.place.line, directive.name, directive.arguments))
            .collect()
    }

    #[test]
    fn lines_go_on_behind_a_backslash_and_quotes_keep_every_other_one() {
        let text = "# no rule\n\nSecMarker END\nSecRule ARGS \"@rx \\\"a\\d\\\\\" \\\n    \"id:1,\\\n    t:none\"\n";
        let expected = vec![
            (3, "SecMarker".to_owned(), vec!["END".to_owned()]),
            (
                4,
                "SecRule".to_owned(),
                vec!["ARGS".to_owned(), "@rx \"a\\d\\\\".to_owned(), "id:1,t:none".to_owned()],
            ),
        ];
        assert_eq!(read(text), expected);
    }

    #[test]
    fn actions_have_values_with_commas_in_quotes() {
        let actions = actions("id:1,msg:'a, b:c',t:none,setvar:'tx.a=%{tx.b}',deny");
        let expected = [
            ("id", "1"),
            ("msg", "a, b:c"),
            ("t", "none"),
            ("setvar", "tx.a=%{tx.b}"),
            ("deny", ""),
        ];
        assert_eq!(
            actions,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn targets_are_lists_names_and_expressions() {
        let read = targets("ARGS|!REQUEST_COOKIES:/a|b/|XML:/*|XML://@*|&TX:Name|XML:/*");
        let names: Vec<_> = read.iter().map(|target| (target.sign, target.name.as_str())).collect();
        let expected = [
            (None, "ARGS"),
            (Some('!'), "REQUEST_COOKIES"),
            (None, "XML"),
            (None, "XML"),
            (Some('&'), "TX"),
            (None, "XML"),
        ];
        assert_eq!(names, expected);
        let keys: Vec<_> = read.into_iter().map(|target| target.key).collect();
        let expected = [
            None,
            Some(Key::Expression("a|b".to_owned())),
            Some(Key::Name("/*".to_owned())),
            Some(Key::Name("//@*".to_owned())),
            Some(Key::Name("name".to_owned())),
            Some(Key::Name("/*".to_owned())),
        ];
        assert_eq!(keys, expected);
    }
}
