//! `{ use = "waf", … }`

use crate::file::{self, Count, Located, WafStage};
use crate::gateway::{WafConfig, WafExclusion, WafPart, WafPlace, WafRules};
use crate::resolve::Resolver;
use crate::resolve::path::normal_text;

impl Resolver<'_> {
    pub(super) fn waf(&mut self, stage: &WafStage) -> Option<WafConfig> {
        let WafStage {
            stage: _,
            mode,
            headers,
            body,
            larger,
            parameters,
            value,
            depth,
            rules,
            paranoia,
            threshold,
            exclude,
        } = stage;
        let names: Vec<_> = headers
            .iter()
            .map(|name| self.header_name(&name.value, &name.span))
            .collect();
        let exclusions: Vec<_> = exclude.iter().map(|exclusion| self.waf_exclusion(exclusion)).collect();
        let rules: Vec<_> = rules.iter().map(|rules| self.waf_rules(rules)).collect();
        let paranoia = paranoia.as_ref().map(|level| self.waf_paranoia(level));
        Some(WafConfig {
            mode: *mode,
            headers: names.into_iter().collect::<Option<_>>()?,
            body_bytes: *body,
            larger: *larger,
            parameters: parameters.as_usize(),
            value_bytes: *value,
            depth: depth.as_usize(),
            rules: rules.into_iter().collect::<Option<_>>()?,
            paranoia: match paranoia {
                Some(level) => Some(level?),
                None => None,
            },
            threshold: threshold.map(|threshold| threshold.0),
            exclude: exclusions.into_iter().collect::<Option<_>>()?,
        })
    }

    fn waf_rules(&mut self, rules: &Located<String>) -> Option<WafRules> {
        match rules.value.as_str() {
            "builtin" => Some(WafRules::Builtin),
            _ => self.path(rules).map(WafRules::Path),
        }
    }

    fn waf_paranoia(&mut self, level: &Located<Count>) -> Option<u8> {
        match level.value.0 {
            1..=4 => u8::try_from(level.value.0).ok(),
            other => {
                let message = format!("there is no paranoia level {other}");
                self.error(&level.span, message, "write 1, 2, 3 or 4");
                None
            }
        }
    }

    fn waf_exclusion(&mut self, exclusion: &Located<file::WafExclusion>) -> Option<WafExclusion> {
        let file::WafExclusion { rule, id, at, path } = &exclusion.value;
        let rule = self
            .required(rule.as_ref(), &exclusion.span, "rule", "\"sqli\"")
            .copied();
        let places: Vec<_> = at.iter().map(|place| self.waf_place(place)).collect();
        let path = path.as_ref().map(|path| self.waf_path(path));
        Some(WafExclusion {
            rule: rule?,
            id: id.map(|id| id.0),
            at: places.into_iter().collect::<Option<_>>()?,
            path: match path {
                Some(path) => Some(path?),
                None => None,
            },
        })
    }

    fn waf_place(&mut self, place: &Located<String>) -> Option<WafPlace> {
        let (part, name) = match place.value.split_once(':') {
            Some((part, name)) => (part, Some(name)),
            None => (place.value.as_str(), None),
        };
        let part = match part {
            "path" if name.is_none() => Some(WafPart::Path),
            "query" => Some(WafPart::Query),
            "cookie" => Some(WafPart::Cookie),
            "header" => Some(WafPart::Header),
            "body" => Some(WafPart::Body),
            _ => None,
        };
        let Some(part) = part.filter(|_| name != Some("")) else {
            let hint = "write \"path\", \"query\", \"cookie\", \"header\" or \"body\", all but the first with a name or without, such as \
                        \"query:q\"";
            self.error(
                &place.span,
                format!("`{}` is not a part of a request", place.value),
                hint,
            );
            return None;
        };
        let name = match (part, name) {
            (WafPart::Header, Some(name)) => Some(self.header_name(name, &place.span)?),
            (_, name) => name.map(str::to_owned),
        };
        Some(WafPlace { part, name })
    }

    /// A path without parameters, in the normal form of requests.
    fn waf_path(&mut self, path: &Located<String>) -> Option<String> {
        let normal = match path.value.starts_with('/') {
            true => normal_text(&path.value),
            false => Err("it does not begin with `/`".to_owned()),
        };
        match normal {
            Ok(path) => Some(path.trim_end_matches('/').to_owned()),
            Err(reason) => {
                let message = format!("`{}` is not a path: {reason}", path.value);
                self.error(&path.span, message, "write a path such as \"/search\"");
                None
            }
        }
    }
}
