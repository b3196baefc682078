//! Path templates, in the normal form that request paths are brought to before they are matched.

use gatewright_core::path;

use super::Resolver;
use crate::file::Located;
use crate::gateway::{PathSegment, PathTemplate};

impl Resolver<'_> {
    pub(super) fn path_template(&mut self, path: &Located<String>) -> Option<PathTemplate> {
        match template(&path.value) {
            Ok(template) => Some(template),
            Err(reason) => {
                let hint = "write a path such as \"/users/{id}\" or \"/files/{rest+}\"";
                self.error(
                    &path.span,
                    format!("`{}` is not a path of a route: {reason}", path.value),
                    hint,
                );
                None
            }
        }
    }
}

/// Parameters that a path may have; the router takes no more.
const MAX_PARAMETERS: usize = 25;

/// Names of the parameters of a path.
pub(super) fn parameters(template: &PathTemplate) -> impl Iterator<Item = &str> {
    template.0.iter().filter_map(|segment| match segment {
        PathSegment::Static(_) => None,
        PathSegment::Parameter(name) | PathSegment::Greedy(name) => Some(name.as_str()),
    })
}

/// Whether a path in normal form is one of a template's.
pub(super) fn matches(template: &PathTemplate, path: &str) -> bool {
    let mut segments = path.trim_start_matches('/').split('/');
    for segment in &template.0 {
        match (segment, segments.next()) {
            (PathSegment::Greedy(_), Some(rest)) => return !rest.is_empty(),
            (PathSegment::Static(text), Some(given)) if text == given => {}
            (PathSegment::Parameter(_), Some(given)) if !given.is_empty() => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

fn template(path: &str) -> Result<PathTemplate, String> {
    let path = path.strip_prefix('/').ok_or("it does not begin with `/`")?;
    let texts: Vec<&str> = path.split('/').collect();
    let mut template = PathTemplate(Vec::with_capacity(texts.len()));
    for (index, text) in texts.iter().enumerate() {
        let last = index + 1 == texts.len();
        let segment = segment(text)?;
        match &segment {
            PathSegment::Static(text) if text.is_empty() && !last => return Err("it has an empty segment".to_owned()),
            PathSegment::Greedy(name) if !last => return Err(format!("`{{{name}+}}` is not its last segment")),
            PathSegment::Parameter(name) | PathSegment::Greedy(name) if parameters(&template).any(|it| it == name) => {
                return Err(format!("it has two parameters `{name}`"));
            }
            _ => template.0.push(segment),
        }
    }
    if parameters(&template).count() > MAX_PARAMETERS {
        return Err(format!("it has more than {MAX_PARAMETERS} parameters"));
    }
    Ok(template)
}

fn segment(text: &str) -> Result<PathSegment, String> {
    if let Some(end) = text.chars().find(|c| matches!(c, '?' | '#')) {
        return Err(format!("it has a `{end}`, which ends a path"));
    }
    if !text.contains(['{', '}']) {
        return normal_segment(text).map(PathSegment::Static);
    }
    let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let inner = inner.ok_or_else(|| format!("a parameter is a whole segment, and `{text}` is not"))?;
    let name = inner.strip_suffix('+').unwrap_or(inner);
    if !is_parameter_name(name) {
        return Err(format!(
            "`{name}` is not the name of a parameter (letters, digits, `-` and `_`)"
        ));
    }
    let name = name.to_owned();
    Ok(if inner.ends_with('+') {
        PathSegment::Greedy(name)
    } else {
        PathSegment::Parameter(name)
    })
}

/// Whether a parameter may have this name.
pub(super) fn is_parameter_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// One segment in the normal form of request paths, which the core has the rules of. What could be read as another
/// path is refused.
pub(super) fn normal_segment(text: &str) -> Result<String, String> {
    if text == "." || text == ".." {
        return Err("it has a dot segment".to_owned());
    }
    // Written as it stands, it would be taken for a character to be encoded.
    if text.contains('\\') {
        return Err("it has a backslash".to_owned());
    }
    path::normal_segment(text).map_err(|error| error.to_string())
}

/// Text within segments in normal form; a `/` stays.
pub(super) fn normal_text(text: &str) -> Result<String, String> {
    if let Some(end) = text.chars().find(|c| matches!(c, '?' | '#')) {
        return Err(format!("it has a `{end}`, which ends a path"));
    }
    let segments = text.split('/').map(normal_segment);
    Ok(segments.collect::<Result<Vec<_>, _>>()?.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &str) -> String {
        let segments = template(path).unwrap().0.into_iter().map(|segment| match segment {
            PathSegment::Static(text) => format!("/{text}"),
            PathSegment::Parameter(name) => format!("/<{name}>"),
            PathSegment::Greedy(name) => format!("/<{name}+>"),
        });
        segments.collect()
    }

    #[test]
    fn paths_are_brought_to_normal_form() {
        assert_eq!(text("/"), "/");
        assert_eq!(text("/users/{id}/"), "/users/<id>/");
        assert_eq!(text("/files/{rest+}"), "/files/<rest+>");
        assert_eq!(text("/%7e%2dé%c3%a9/a b"), "/~-%C3%A9%C3%A9/a%20b");
    }

    #[test]
    fn what_could_be_another_path_is_refused() {
        let paths = "|users|//a|/a//b|/.|/a/../b|/%2e%2E/a|/a%2fb|/a%5Cb|/a\\b|/a%0|/%zz|/%|/a%00|/a\n|/a?b|/a#b|/{}|/{a|/a{b}|\
                     /{a}{b}|/{a+}/b|/{a}/{a}|/{a b}|/{+}|/%+1|/a%2541|/%ff|/..;x/b";
        for path in paths.split('|') {
            assert!(template(path).is_err(), "{path}");
        }
    }
}
