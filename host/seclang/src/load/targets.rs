//! Targets: what a rule looks at.

use regex::bytes::{Regex, RegexBuilder};

use super::{Loading, Refused};
use crate::request::List;
use crate::rule::{self, Key, Target};
use crate::syntax;

impl Loading {
    /// What a target stands for, and whether it is left out.
    pub(super) fn target(&mut self, target: &syntax::Target) -> Refused<Vec<(bool, Target)>> {
        let key = match &target.key {
            None => Key::Any,
            Some(syntax::Key::Name(name)) => Key::Name(name.clone()),
            Some(syntax::Key::Expression(expression)) => Key::Matches(key_expression(expression)?),
        };
        let sources: Vec<rule::Source> = match target.name.as_str() {
            "ARGS" => vec![
                rule::Source::Values(List::ArgsGet),
                rule::Source::Values(List::ArgsPost),
            ],
            "ARGS_NAMES" => vec![rule::Source::Names(List::ArgsGet), rule::Source::Names(List::ArgsPost)],
            "ARGS_GET_NAMES" => vec![rule::Source::Names(List::ArgsGet)],
            "ARGS_POST_NAMES" => vec![rule::Source::Names(List::ArgsPost)],
            "REQUEST_COOKIES_NAMES" => vec![rule::Source::Names(List::Cookies)],
            "REQUEST_HEADERS_NAMES" => vec![rule::Source::Names(List::Headers)],
            "FILES_NAMES" => vec![rule::Source::Names(List::Files)],
            "REQUEST_URI_RAW" => vec![rule::Source::Values(List::Uri)],
            "REQUEST_BODY_LENGTH" => return Err("`REQUEST_BODY_LENGTH` is not known here".to_owned()),
            "MULTIPART_STRICT_ERROR" | "MULTIPART_UNMATCHED_BOUNDARY" => vec![rule::Source::Values(List::BodyError)],
            "TX" => vec![rule::Source::Tx],
            "MATCHED_VAR" => vec![rule::Source::MatchedVar],
            "MATCHED_VAR_NAME" => vec![rule::Source::MatchedVarName],
            "MATCHED_VARS" => vec![rule::Source::MatchedVars],
            "MATCHED_VARS_NAMES" => vec![rule::Source::MatchedVarsNames],
            "XML" => {
                let is_attribute = matches!(&target.key, Some(syntax::Key::Name(path)) if path.contains('@'));
                vec![rule::Source::Values(if is_attribute {
                    List::XmlAttributes
                } else {
                    List::XmlText
                })]
            }
            "IP" | "GLOBAL" | "SESSION" | "USER" | "RESOURCE" => {
                return Err(format!(
                    "`{}` is kept between requests, which nothing here is",
                    target.name
                ));
            }
            name => match List::ALL.iter().find(|list| list.name() == name) {
                Some(list) => vec![rule::Source::Values(*list)],
                None => return Err(format!("the variable `{name}` is not known here")),
            },
        };
        let key = match (target.name.as_str(), key) {
            ("XML", _) => Key::Any,
            ("TX", Key::Name(name)) => Key::Tx(self.names.id(&name)),
            (_, key) => key,
        };
        let made = sources.into_iter().map(|source| Target {
            source,
            key: key.clone(),
            counts: target.sign == Some('&'),
            variables: Vec::new(),
        });
        Ok(made.map(|made| (target.sign == Some('!'), made)).collect())
    }
}

fn key_expression(text: &str) -> Refused<Regex> {
    RegexBuilder::new(text)
        .unicode(false)
        .case_insensitive(true)
        .build()
        .map_err(|_| format!("`/{text}/` is no expression"))
}
