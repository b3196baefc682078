//! Text with values of the exchange in it: `/v1/users/{id}`, `Bearer {auth.token}`.

use super::Resolver;
use super::path::{is_parameter_name, normal_text, parameters};
use crate::file::Located;
use crate::gateway::{PathTemplate, TemplatePart, ValueTemplate};
use crate::names::{self, Named, Variable};
use crate::report::{Mistake, suggestion};

impl Resolver<'_> {
    /// A template of a path sent to an upstream. `route` is the route's own path; nothing when that is wrong.
    pub(super) fn upstream_path(
        &mut self,
        path: &Located<String>,
        route: Option<&PathTemplate>,
    ) -> Option<ValueTemplate> {
        let result = path_parts(&path.value).and_then(|parts| known(parts, route));
        self.template(path, result)
    }

    /// A template of a value: of a header field, or of a query parameter.
    pub(super) fn value_template(
        &mut self,
        value: &Located<String>,
        route: Option<&PathTemplate>,
        place: Place,
    ) -> Option<ValueTemplate> {
        let result = value_parts(&value.value, place, route).and_then(|parts| known(parts, route));
        let template = self.template(value, result)?;
        let sendable = template.0.iter().all(|part| match part {
            TemplatePart::Text(text) => self.sendable(text, &value.span),
            _ => true,
        });
        sendable.then_some(template)
    }

    fn template(&mut self, text: &Located<String>, result: Result<Vec<TemplatePart>, Fault>) -> Option<ValueTemplate> {
        match result {
            Ok(parts) => Some(ValueTemplate(parts)),
            Err(Fault { message, hint }) => {
                self.report.add(Mistake {
                    hint,
                    ..Mistake::new(text.span.clone(), message)
                });
                None
            }
        }
    }
}

/// Why a template is none.
#[derive(Debug)]
struct Fault {
    message: String,
    hint: Option<String>,
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self { message, hint: None }
    }
}

fn unbalanced(message: String) -> Fault {
    Fault {
        message,
        hint: Some("a brace itself is written twice: `{{` and `}}`".to_owned()),
    }
}

/// In a path, `{id}` and `{path.id}` are the route's parameter, and nothing else can be captured: an attribute that
/// is absent would leave a hole that is another path.
fn path_parts(text: &str) -> Result<Vec<TemplatePart>, Fault> {
    if !text.starts_with('/') {
        return Err(format!("the path `{text}` does not begin with `/`").into());
    }
    if text.split('/').any(|segment| segment == "." || segment == "..") {
        return Err(format!("the path `{text}` has a dot segment").into());
    }
    let wrong = |reason: String| Fault {
        message: format!("`{text}` is not a path to send: {reason}"),
        hint: reason
            .contains('?')
            .then(|| "the query of the request is sent along as it is".to_owned()),
    };
    let pieces = pieces(text)?.into_iter().map(|piece| match piece {
        Piece::Text(text) => normal_text(&text).map(TemplatePart::Text).map_err(wrong),
        Piece::Reference(name) => {
            let parameter = name.strip_prefix("path.").unwrap_or(&name);
            if is_parameter_name(parameter) {
                return Ok(TemplatePart::Path(parameter.to_owned()));
            }
            let message = format!("`{{{name}}}` cannot be in a path");
            Err(Fault {
                message,
                hint: Some(
                    "only parameters of the route's path can, such as `{id}`: anything else could make it another path"
                        .to_owned(),
                ),
            })
        }
    });
    pieces.collect()
}

/// In a header field, everything can be that has a name.
fn value_parts(text: &str, place: Place, route: Option<&PathTemplate>) -> Result<Vec<TemplatePart>, Fault> {
    let pieces = pieces(text)?.into_iter().map(|piece| match piece {
        Piece::Text(text) => match names::dollar_name(&text) {
            Some(name) => Err(Fault {
                message: format!("`${name}` is no name here, but would be sent as it stands"),
                hint: Some(names::instead_of(name)),
            }),
            None => Ok(TemplatePart::Text(text)),
        },
        Piece::Reference(name) => match Named::read(&name) {
            Ok(Named::Path(name)) => Ok(TemplatePart::Path(name)),
            Ok(Named::Attribute(name)) => Ok(TemplatePart::Attribute(name)),
            Ok(Named::Variable(Variable::ResponseStatus)) if place == Place::Request => Err(Fault {
                message: "`{response.status}` is not known before there is a response".to_owned(),
                hint: Some("use it in `response` of the stage `headers`".to_owned()),
            }),
            Ok(Named::Variable(variable)) => Ok(TemplatePart::Variable(variable)),
            Err(hint) => Err(Fault {
                message: format!("`{{{name}}}` is nothing that a value can have in it"),
                hint: Some(match route {
                    Some(route) if parameters(route).any(|parameter| parameter == name) => {
                        format!("write `{{path.{name}}}`")
                    }
                    // Which parameters there are depends on the route that uses the chain.
                    None if is_parameter_name(&name) => {
                        format!("{hint}, or `{{path.{name}}}` if it is a parameter of the route's path")
                    }
                    _ => hint,
                }),
            }),
        },
    });
    pieces.collect()
}

/// What a value is of, and so when it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A request.
    Request,
    /// A response.
    Response,
}

enum Piece {
    Text(String),
    Reference(String),
}

/// Cuts at braces; `{{` and `}}` are braces themselves.
fn pieces(text: &str) -> Result<Vec<Piece>, Fault> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '{' | '}' if characters.next_if_eq(&character).is_some() => plain.push(character),
            '{' => {
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                let name: String = std::iter::from_fn(|| characters.next_if(|c| *c != '{' && *c != '}')).collect();
                if characters.next() != Some('}') {
                    return Err(unbalanced(format!("`{text}` has a `{{` that is not closed")));
                }
                pieces.push(Piece::Reference(name));
            }
            '}' => return Err(unbalanced(format!("`{text}` has a `}}` that was not opened"))),
            _ => plain.push(character),
        }
    }
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    Ok(pieces)
}

/// Checks that captured parameters are there.
fn known(parts: Vec<TemplatePart>, route: Option<&PathTemplate>) -> Result<Vec<TemplatePart>, Fault> {
    let Some(route) = route else { return Ok(parts) };
    let unknown = parts.iter().find_map(|part| match part {
        TemplatePart::Path(name) if !parameters(route).any(|parameter| parameter == name) => Some(name),
        _ => None,
    });
    match unknown {
        Some(name) => {
            let hint = match parameters(route).next() {
                Some(_) => suggestion(name, parameters(route), "parameters"),
                None => "the route's path has no parameters".to_owned(),
            };
            Err(Fault {
                message: format!("the route's path has no parameter `{name}`"),
                hint: Some(hint),
            })
        }
        None => Ok(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_captures_parameters_only() {
        let parts = path_parts("/v1/{id}/é{path.rest}").unwrap();
        let text = |text: &str| TemplatePart::Text(text.to_owned());
        let path = |name: &str| TemplatePart::Path(name.to_owned());
        assert_eq!(parts, [text("/v1/"), path("id"), text("/%C3%A9"), path("rest")]);
        for wrong in [
            "",
            "v1",
            "/{auth.principal}",
            "/{",
            "/}",
            "/{a",
            "/{}",
            "/a?b",
            "/../a",
            "/a%2fb",
        ] {
            assert!(path_parts(wrong).is_err(), "{wrong}");
        }
    }

    fn header_parts(text: &str) -> Result<Vec<TemplatePart>, Fault> {
        value_parts(text, Place::Request, None)
    }

    #[test]
    fn a_value_names_what_every_exchange_has_by_the_same_names() {
        let variable = |name: &str| match header_parts(&format!("{{{name}}}")).unwrap().remove(0) {
            TemplatePart::Variable(variable) => variable,
            other => panic!("{other:?}"),
        };
        assert_eq!(variable("client.address"), Variable::ClientAddress);
        assert_eq!(variable("header.X-Tenant"), Variable::Header("x-tenant".to_owned()));
        assert_eq!(variable("query.page"), Variable::Query("page".to_owned()));
        for (wrong, right) in [
            ("{client}", "{client.address}"),
            ("$remote_addr", "{client.address}"),
            ("id=$request_id", "{request.id}"),
            ("${host}", "{request.host}"),
            ("{http.request.scheme}", "{request.scheme}"),
        ] {
            let fault = header_parts(wrong).unwrap_err();
            assert!(fault.hint.unwrap().contains(right), "{wrong}");
        }
        assert!(header_parts("{response.status}").is_err());
        assert!(value_parts("{response.status}", Place::Response, None).is_ok());
    }

    #[test]
    fn a_header_captures_attributes_and_may_hold_braces() {
        let parts = header_parts("{{{auth.principal}}} {path.id}").unwrap();
        let text = |text: &str| TemplatePart::Text(text.to_owned());
        let attribute = TemplatePart::Attribute("auth.principal".to_owned());
        assert_eq!(
            parts,
            [text("{"), attribute, text("} "), TemplatePart::Path("id".to_owned())]
        );
        assert!(header_parts("{id}").is_err());
        for name in ["cognito:groups", "https://example.com/roles", "a b", "$x"] {
            let name = format!("auth.claims.{name}");
            assert_eq!(
                header_parts(&format!("{{{name}}}")).unwrap(),
                [TemplatePart::Attribute(name)]
            );
        }
        for wrong in ["{auth.claims.}", "{auth.cognito:groups}", "{auth.claims.a\nb}"] {
            assert!(header_parts(wrong).is_err(), "{wrong}");
        }
    }
}
