//! Which bodies a plugin is given, and in which state: by its own rules, which stand in the schema of its configuration,
//! and by those of its use. A body that is not given streams past the plugin untouched.
//!
//! The rules are looked at in [`crate::stage`]; how a body is collected is there too.

use std::fmt;
use std::sync::Arc;

use gatewright_config::ByteSize;
use gatewright_config::gateway::{BodyRule, TypePattern};
use http::header::{ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::configuration::Schema;
use crate::{PluginError, PluginFile};

/// The member of a schema that has the rules.
const KEYWORD: &str = "x-gatewright-bodies";
/// Rules of one plugin.
const RULES: usize = 32;
/// Fields by which a client asks for a part of a response: RFC 9110, sections 13.1.5 and 14.2, the name that Apache httpd and
/// others still know `Range` by, and deltas (RFC 3229).
const ASK_FOR_PARTS: [HeaderName; 4] = [
    RANGE,
    IF_RANGE,
    HeaderName::from_static("request-range"),
    HeaderName::from_static("a-im"),
];

/// Of a message that goes to the upstream, or of one that comes from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Request,
    Response,
}

/// A rule as a schema has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    direction: Direction,
    /// Schema of the configurations in which it counts.
    when: Option<Value>,
    types: Option<Vec<String>>,
    /// Bytes.
    longest: Option<u64>,
    #[serde(default)]
    whole: bool,
    #[serde(default)]
    plain: bool,
}

/// The rules of a plugin.
#[derive(Clone, Default)]
pub struct BodyRules(Option<Arc<Rules>>);

struct Rules {
    /// As they are written.
    text: Value,
    rules: Vec<(Direction, Option<Schema>, BodyRule)>,
    /// What a configuration has where it says nothing.
    defaults: Map<String, Value>,
}

impl BodyRules {
    /// Reads the rules in the schema of a plugin's configuration.
    ///
    /// # Errors
    /// When they are not rules.
    pub(crate) fn of(plugin: &PluginFile, schema: Option<&Value>) -> Result<Self, PluginError> {
        let Some((schema, text)) = schema.and_then(|schema| Some((schema, schema.get(KEYWORD)?))) else {
            return Ok(Self::default());
        };
        let wrong = |reason: String| PluginError::Schema {
            plugin: plugin.clone(),
            reason: format!("`{KEYWORD}`: {reason}"),
        };
        let written: Vec<Written> = serde_json::from_value(text.clone()).map_err(|error| wrong(error.to_string()))?;
        if written.len() > RULES {
            return Err(wrong(format!("there are more than {RULES} rules")));
        }
        let rules = written.into_iter().map(|rule| {
            let Written {
                direction,
                when,
                types,
                longest,
                whole,
                plain,
            } = rule;
            let when = when.map(|when| Schema::compile(plugin, &when)).transpose()?;
            let rule = BodyRule {
                types: types.map(patterns).transpose().map_err(wrong)?,
                longest: longest.map(ByteSize),
                whole,
                plain,
            };
            Ok((direction, when, rule))
        });
        Ok(Self(Some(Arc::new(Rules {
            text: text.clone(),
            rules: rules.collect::<Result<_, _>>()?,
            defaults: defaults(schema),
        }))))
    }

    /// Which bodies of requests a plugin is given with this configuration where its use has this rule.
    #[must_use]
    pub fn requests(&self, config: &Value, of_use: &BodyRule) -> GivenBodies {
        self.given(Direction::Request, config, of_use)
    }

    /// Which bodies of responses.
    #[must_use]
    pub fn responses(&self, config: &Value, of_use: &BodyRule) -> GivenBodies {
        self.given(Direction::Response, config, of_use)
    }

    fn given(&self, direction: Direction, config: &Value, of_use: &BodyRule) -> GivenBodies {
        match self.0.as_ref().and_then(|rules| rules.of(direction, config)) {
            Some(own) => GivenBodies::of([own, of_use.clone()]),
            None => GivenBodies::of([of_use.clone()]),
        }
    }
}

impl Rules {
    /// The first rule of the direction that counts for this configuration. Where there are some and none of them counts, no
    /// body is given; none: there is no rule for the direction.
    fn of(&self, direction: Direction, config: &Value) -> Option<BodyRule> {
        let mut of_direction = self.rules.iter().filter(|(of, ..)| *of == direction).peekable();
        of_direction.peek()?;
        let mut whole = self.defaults.clone();
        whole.extend(config.as_object().cloned().unwrap_or_default());
        let whole = Value::Object(whole);
        // A rule of which nobody can say whether it counts does: what it keeps from the plugin would go by unseen.
        let counts = of_direction.find(|(_, when, _)| when.as_ref().is_none_or(|when| when.accepts(&whole)));
        let nothing = BodyRule {
            types: Some(Vec::new()),
            ..BodyRule::default()
        };
        Some(counts.map_or(nothing, |(_, _, rule)| rule.clone()))
    }
}

/// `default` of the members of a configuration.
fn defaults(schema: &Value) -> Map<String, Value> {
    let members = schema.get("properties").and_then(Value::as_object);
    let members = members.into_iter().flatten();
    members
        .filter_map(|(name, member)| Some((name.clone(), member.get("default")?.clone())))
        .collect()
}

fn patterns(types: Vec<String>) -> Result<Vec<TypePattern>, String> {
    let pattern = |text: String| {
        TypePattern::parse(&text).ok_or_else(|| {
            let text = crate::text::escaped(&text, 64);
            format!("`{text}` is not a content type; write \"text/html\", \"text/*\" or \"*+json\", without parameters")
        })
    };
    types.into_iter().map(pattern).collect()
}

impl fmt::Debug for BodyRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BodyRules")
            .field(&self.0.as_ref().map(|rules| &rules.text))
            .finish()
    }
}

impl Serialize for BodyRules {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().map(|rules| &rules.text).serialize(serializer)
    }
}

/// The bodies of one direction that a use of a plugin is given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GivenBodies {
    /// Lists of content types; a body's is in each of them.
    types: Vec<Vec<TypePattern>>,
    longest: Option<u64>,
    /// Parts of a representation are kept from the plugin.
    pub(crate) whole: bool,
    /// Bodies with a content coding are.
    pub(crate) plain: bool,
}

impl GivenBodies {
    fn of(rules: impl IntoIterator<Item = BodyRule>) -> Self {
        let mut given = Self::default();
        for rule in rules {
            let longest = rule.longest.map(|longest| longest.0);
            given.types.extend(rule.types);
            given.longest = given.longest.into_iter().chain(longest).min();
            given.whole |= rule.whole;
            given.plain |= rule.plain;
        }
        given
    }

    /// Whether it is given no body whatever comes.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.types.iter().any(Vec::is_empty)
    }

    /// Whether some bodies are given and others are not.
    #[must_use]
    pub fn is_selective(&self) -> bool {
        !self.types.is_empty() || self.longest.is_some()
    }

    /// The content types, for people; none: any.
    #[must_use]
    pub fn types(&self) -> Option<String> {
        let lists = self.types.iter().map(|types| {
            let types: Vec<_> = types.iter().map(ToString::to_string).collect();
            types.join(", ")
        });
        (!self.types.is_empty()).then(|| lists.collect::<Vec<_>>().join(" that are also "))
    }

    /// Longest body that is given, in bytes, where longer ones stream past.
    #[must_use]
    pub fn longest(&self) -> Option<u64> {
        self.longest
    }

    /// Whether the body of a message with these fields is given, as far as its head says. `announced` is its length.
    pub(crate) fn gives(&self, headers: &HeaderMap, announced: Option<u64>) -> bool {
        if self
            .longest
            .is_some_and(|longest| announced.is_some_and(|length| length > longest))
        {
            return false;
        }
        self.types.is_empty() || {
            // Two content types are read by somebody as the one, and by somebody else as the other.
            let mut essences = headers.get_all(CONTENT_TYPE).iter().map(essence);
            essences.any(|essence| {
                let mut lists = self.types.iter();
                lists.all(|types| types.iter().any(|pattern| pattern.matches(&essence)))
            })
        }
    }
}

fn essence(value: &HeaderValue) -> String {
    let value = String::from_utf8_lossy(value.as_bytes());
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// Sees to it that a request asks for no part of a response.
pub(crate) fn ask_for_the_whole(headers: &mut HeaderMap) {
    for name in &ASK_FOR_PARTS {
        headers.remove(name);
    }
}

/// Sees to it that a request asks for no coding of a response.
pub(crate) fn ask_for_plain(headers: &mut HeaderMap) {
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

/// A response that is no longer what the upstream has parts of offers none.
pub(crate) fn offer_no_parts(headers: &mut HeaderMap) {
    headers.remove(ACCEPT_RANGES);
}

/// Whether a response is a part of a representation: RFC 9110, sections 14.4 and 15.3.7, and RFC 3229 for deltas. One
/// that says that there is no such part (416) is none.
pub(crate) fn is_part_of_response(status: StatusCode, headers: &HeaderMap) -> bool {
    matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::IM_USED)
        || status != StatusCode::RANGE_NOT_SATISFIABLE && is_part(headers)
}

/// Whether a message carries a part, or parts, of a representation.
pub(crate) fn is_part(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter().map(essence);
    headers.contains_key(CONTENT_RANGE) || types.any(|essence| essence == "multipart/byteranges")
}

/// Whether a body has a content coding.
pub(crate) fn is_coded(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(CONTENT_ENCODING).iter();
    let mut codings = codings.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    codings.any(|coding| {
        let coding = coding.trim_ascii();
        !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rules(rules: &Value) -> Result<BodyRules, String> {
        let plugin = PluginFile {
            name: "p".to_owned(),
            file: "p.wasm".into(),
        };
        let schema = json!({
            "properties": { "apply_to": { "default": ["response"] } },
            KEYWORD: rules,
        });
        BodyRules::of(&plugin, Some(&schema)).map_err(|error| error.to_string())
    }

    fn fields(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_first_rule_of_a_direction_counts_that_fits_the_configuration() {
        let on = |direction: &str| {
            json!({ "direction": direction, "types": ["application/json"], "whole": true,
                    "when": { "properties": { "apply_to": { "contains": { "const": direction } } } } })
        };
        let rules = rules(&json!([on("request"), on("response")])).unwrap();
        let of_use = BodyRule::default();
        for (config, request, response) in [
            (json!({}), false, true),
            (Value::Null, false, true),
            (json!({ "apply_to": ["request"] }), true, false),
            (json!({ "apply_to": ["request", "response"] }), true, true),
        ] {
            let (requests, responses) = (rules.requests(&config, &of_use), rules.responses(&config, &of_use));
            assert_eq!(
                (requests.is_nothing(), responses.is_nothing()),
                (!request, !response),
                "{config}"
            );
            assert_eq!((requests.whole, responses.whole), (request, response), "{config}");
        }
    }

    #[test]
    fn without_rules_every_body_is_given_and_rules_of_a_use_narrow_those_of_the_plugin() {
        let json = fields(&[("content-type", "application/problem+JSON; charset=utf-8")]);
        let none = BodyRules::default();
        assert!(
            none.requests(&json!({}), &BodyRule::default())
                .gives(&HeaderMap::new(), Some(u64::MAX))
        );
        let of_use = BodyRule {
            types: Some(vec![TypePattern::parse("application/*").unwrap()]),
            longest: Some(ByteSize(10)),
            ..BodyRule::default()
        };
        let own = rules(&json!([{ "direction": "response", "types": ["*+json", "text/html"] }])).unwrap();
        let given = own.responses(&json!({}), &of_use);
        assert!(given.gives(&json, None) && given.gives(&json, Some(10)));
        assert!(!given.gives(&json, Some(11)));
        assert!(!given.gives(&fields(&[("content-type", "text/html")]), None));
        assert!(!given.gives(&fields(&[("content-type", "application/octet-stream")]), None));
        assert!(!given.gives(&HeaderMap::new(), None), "no content type");
        let two = fields(&[("content-type", "image/png"), ("content-type", "application/a+json")]);
        assert!(given.gives(&two, None), "whoever reads the second one reads JSON");
        assert!(
            own.requests(&json!({}), &of_use)
                .gives(&fields(&[("content-type", "application/x")]), None)
        );
    }

    #[test]
    fn what_is_no_rule_is_refused_with_its_reason() {
        for (wrong, words) in [
            (json!({}), "invalid type"),
            (json!([{ "direction": "both" }]), "both"),
            (json!([{ "direction": "request", "hole": true }]), "hole"),
            (
                json!([{ "direction": "request", "types": ["json"] }]),
                "`json` is not a content type",
            ),
            (
                json!([{ "direction": "request", "when": { "type": 1 } }]),
                "`/type`: there is no such type",
            ),
        ] {
            let error = rules(&wrong).unwrap_err();
            assert!(error.contains(words), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_part_is_known_by_status_and_fields() {
        let part = |status: u16, headers: &[(&'static str, &'static str)]| {
            is_part_of_response(StatusCode::from_u16(status).unwrap(), &fields(headers))
        };
        assert!(part(206, &[]) && part(226, &[]));
        assert!(part(200, &[("content-range", "bytes 0-1/9")]));
        assert!(part(200, &[("content-type", "Multipart/ByteRanges; boundary=x")]));
        assert!(!part(416, &[("content-range", "bytes */9")]));
        assert!(!part(200, &[("content-type", "application/json")]));
    }

    #[test]
    fn a_coding_is_known_wherever_it_stands() {
        let coded = |values: &[(&'static str, &'static str)]| is_coded(&fields(values));
        assert!(!coded(&[]) && !coded(&[("content-encoding", "Identity, ,identity")]));
        assert!(coded(&[("content-encoding", "identity, gzip")]));
        assert!(coded(&[("content-encoding", "identity"), ("content-encoding", "br")]));
    }
}
