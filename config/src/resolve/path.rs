//! Path templates, in the normal form that request paths are brought to before they are matched.

mod notation;

use gatewright_core::path;

use super::Resolver;
use crate::file::Located;
use crate::gateway::{PathSegment, PathTemplate};

impl Resolver<'_> {
    pub(super) fn path_template(&mut self, path: &Located<String>) -> Option<PathTemplate> {
        match template(&path.value) {
            Ok(template) => Some(template),
            Err(Wrong { reason, hint }) => {
                let hint =
                    hint.unwrap_or_else(|| "write a path such as \"/users/{id}\" or \"/api/{rest*}\"".to_owned());
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

/// Why a text is no path of a route.
#[derive(Debug)]
struct Wrong {
    reason: String,
    /// How to write what was probably meant.
    hint: Option<String>,
}

impl From<String> for Wrong {
    fn from(reason: String) -> Self {
        Self { reason, hint: None }
    }
}

impl From<&str> for Wrong {
    fn from(reason: &str) -> Self {
        reason.to_owned().into()
    }
}

/// Parameters that a path may have; the router takes no more.
const MAX_PARAMETERS: usize = 25;

/// Names of the parameters of a path.
pub(super) fn parameters(template: &PathTemplate) -> impl Iterator<Item = &str> {
    template.0.iter().filter_map(|segment| match segment {
        PathSegment::Static(_) => None,
        PathSegment::Parameter(name) | PathSegment::Greedy(name) | PathSegment::Rest(name) => Some(name.as_str()),
    })
}

/// Whether a path in normal form is one of a template's.
pub(super) fn matches(template: &PathTemplate, path: &str) -> bool {
    let mut segments = path.trim_start_matches('/').split('/');
    for segment in &template.0 {
        match (segment, segments.next()) {
            (PathSegment::Greedy(_), Some(rest)) => return !rest.is_empty(),
            (PathSegment::Rest(_), _) => return true,
            (PathSegment::Static(text), Some(given)) if text == given => {}
            (PathSegment::Parameter(_), Some(given)) if !given.is_empty() => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

fn template(path: &str) -> Result<PathTemplate, Wrong> {
    let path = path.strip_prefix('/').ok_or("it does not begin with `/`")?;
    let texts: Vec<&str> = path.split('/').collect();
    let mut template = PathTemplate(Vec::with_capacity(texts.len()));
    for (index, text) in texts.iter().enumerate() {
        let last = index + 1 == texts.len();
        let segment = segment(text, last)?;
        match &segment {
            PathSegment::Static(text) if text.is_empty() && !last => return Err("it has an empty segment".into()),
            PathSegment::Greedy(_) | PathSegment::Rest(_) if !last => {
                return Err(format!("`{text}` is not its last segment").into());
            }
            PathSegment::Parameter(name) | PathSegment::Greedy(name) | PathSegment::Rest(name)
                if parameters(&template).any(|it| it == name) =>
            {
                return Err(format!("it has two parameters `{name}`").into());
            }
            _ => template.0.push(segment),
        }
    }
    if parameters(&template).count() > MAX_PARAMETERS {
        return Err(format!("it has more than {MAX_PARAMETERS} parameters").into());
    }
    Ok(template)
}

fn segment(text: &str, last: bool) -> Result<PathSegment, Wrong> {
    if let Some(wrong) = notation::of_others(text, last) {
        return Err(wrong);
    }
    if let Some(end) = text.chars().find(|c| matches!(c, '?' | '#')) {
        return Err(format!("it has a `{end}`, which ends a path").into());
    }
    if !text.contains(['{', '}']) {
        return Ok(PathSegment::Static(normal_segment(text)?));
    }
    let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let inner = inner.ok_or_else(|| format!("a parameter is a whole segment, and `{text}` is not"))?;
    let name = inner.strip_suffix(['+', '*']).unwrap_or(inner);
    if !is_parameter_name(name) {
        let reason = format!("`{name}` is not the name of a parameter (letters, digits, `-` and `_`)");
        return Err(reason.into());
    }
    let name = name.to_owned();
    Ok(match inner.as_bytes().last() {
        Some(b'+') => PathSegment::Greedy(name),
        Some(b'*') => PathSegment::Rest(name),
        _ => PathSegment::Parameter(name),
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
            PathSegment::Rest(name) => format!("/<{name}*>"),
        });
        segments.collect()
    }

    #[test]
    fn paths_are_brought_to_normal_form() {
        assert_eq!(text("/"), "/");
        assert_eq!(text("/users/{id}/"), "/users/<id>/");
        assert_eq!(text("/files/{rest+}"), "/files/<rest+>");
        assert_eq!(text("/files/{rest*}"), "/files/<rest*>");
        assert_eq!(text("/{rest*}"), "/<rest*>");
        assert_eq!(text("/v1/jobs:run/%2A"), "/v1/jobs:run/%2A");
        assert_eq!(text("/%7e%2dé%c3%a9/a b"), "/~-%C3%A9%C3%A9/a%20b");
    }

    #[test]
    fn what_could_be_another_path_is_refused() {
        let paths = "|users|//a|/a//b|/.|/a/../b|/%2e%2E/a|/a%2fb|/a%5Cb|/a\\b|/a%0|/%zz|/%|/a%00|/a\n|/a?b|/a#b|/{}|/{a|/a{b}|\
                     /{a}{b}|/{a+}/b|/{a*}/b|/{a}/{a}|/{a}/{a*}|/{a b}|/{+}|/%+1|/a%2541|/%ff|/..;x/b";
        for path in paths.split('|') {
            assert!(template(path).is_err(), "{path}");
        }
    }

    #[test]
    fn the_notation_of_others_is_refused_with_what_to_write() {
        for (path, hint) in [
            ("/api/*", "`{rest*}`"),
            ("/api/**", "`{rest*}`"),
            ("/*", "`{rest*}`"),
            ("/*/a", "`{name}`"),
            ("/api*", "`api/{rest*}`"),
            ("/a*b/c", "`%2A`"),
            ("/api/*path", "`{path*}`"),
            ("/api/{*path}", "`{path*}`"),
            ("/api/{**path}", "`{path*}`"),
            ("/api/{path...}", "`{path*}`"),
            ("/api/(.*)", "`{rest*}`"),
            ("/users/:id", "`{id}`"),
            ("/users/:id/posts", "`{id}`"),
            ("/users/:id?", "`{id}`"),
            ("/users/:rest*", "`{rest*}`"),
            ("/users/:rest+", "`{rest+}`"),
            ("/users/<id>", "`{id}`"),
            ("/users/<int:id>", "`{id}`"),
            ("/users/{id:[0-9]+}", "`{id}`"),
            ("/users/{id:int}", "`{id}`"),
            ("/users/{id?}", "`{id}`"),
            ("/users/{rest:path}", "`{rest*}`"),
            ("/users/{rest:.*}", "`{rest*}`"),
            ("/users/${id}", "`{id}`"),
        ] {
            let wrong = template(path).unwrap_err();
            assert!(
                wrong.hint.as_ref().is_some_and(|it| it.contains(hint)),
                "{path}: {wrong:?}"
            );
        }
    }

    #[test]
    fn a_path_of_zero_or_more_segments_is_matched_with_and_without_them() {
        let template = template("/api/{rest*}").unwrap();
        for path in ["/api", "/api/", "/api/a", "/api/a/b/"] {
            assert!(matches(&template, path), "{path}");
        }
        for path in ["/", "/apis", "/ap"] {
            assert!(!matches(&template, path), "{path}");
        }
    }
}
