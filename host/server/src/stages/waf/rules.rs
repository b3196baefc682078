//! Rules in SecLang: the gateway's own, and those of files such as the OWASP Core Rule Set.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use gatewright_config::{WafConfig, WafPart, WafRule, WafRules};
use gatewright_core::Exchange;
use gatewright_seclang::{Detect, List, LoadError, Options, Request, RuleSet};
use http::header;
use percent_encoding::percent_decode_str;
use tracing::warn;

use super::inspection::{Carried, Finding, is_harmless, is_out};
use super::shapes::Shapes;
use super::{markup, sql};
use crate::words::Unusable;

/// The gateway's own rules.
const BUILTIN: &str = include_str!("rules/builtin.conf");
/// Tags of these rules begin so; the family follows.
const FAMILY: &str = "gatewright/";
/// Rules that are told of one request.
const MOST_TOLD: usize = 8;

/// Rule sets of a generation: stages with the same files share one.
#[derive(Debug, Default)]
pub struct RuleSets(Mutex<HashMap<Key, Arc<RuleSet>>>);

/// Which rules, at which paranoia level and threshold.
type Key = (Vec<WafRules>, Option<u8>, Option<u32>);

/// What was found, and which rules matched without refusing.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) findings: Vec<Finding>,
    pub(super) notes: Vec<Finding>,
}

/// What is wrong with rules, and what to do.
pub fn unusable(error: &LoadError) -> Unusable {
    const FILES: &str =
        "`rules` names files of SecLang, or folders of files that end in `.conf`; this user must be able to read them";
    let what = match error {
        LoadError::Unreadable { path, error } => {
            format!("cannot read {}: {}", path.display(), gatewright_config::reason(error))
        }
        other => other.to_string(),
    };
    Unusable::new(format!("rules of stage `waf`: {what}"), FILES)
}

impl RuleSets {
    /// The rules of a stage; none where it has none. What of them is not run is logged once.
    ///
    /// # Errors
    ///
    /// When files cannot be read.
    pub fn of(&self, config: &WafConfig) -> Result<Option<Arc<RuleSet>>, LoadError> {
        if config.rules.is_empty() {
            return Ok(None);
        }
        let key = (config.rules.clone(), config.paranoia, config.threshold);
        let mut sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = sets.get(&key) {
            return Ok(Some(Arc::clone(known)));
        }
        let set = Arc::new(load(config)?);
        for reason in set.unsupported() {
            warn!("waf: not run: {reason}");
        }
        if let Some((id, message)) = set.denies_all() {
            warn!("waf: rule {id} denies every request: {message}");
        }
        if set.beyond_requests() > 0 {
            warn!(
                "waf: {} rules about responses and logs are not run",
                set.beyond_requests()
            );
        }
        sets.insert(key, Arc::clone(&set));
        Ok(Some(set))
    }
}

/// Reads the rules of a stage.
///
/// # Errors
///
/// When files cannot be read.
pub fn load(config: &WafConfig) -> Result<RuleSet, LoadError> {
    let options = Options {
        paranoia: config.paranoia,
        threshold: config.threshold,
        work: gatewright_seclang::WORK,
    };
    let mut sources = Vec::new();
    for rules in &config.rules {
        sources.push(match rules {
            WafRules::Builtin => gatewright_seclang::Source::Text("builtin.conf".into(), BUILTIN),
            WafRules::Path(path) => gatewright_seclang::Source::Path(path.clone()),
        });
    }
    RuleSet::load(&sources, options)
}

/// Files and folders that the rules of a stage are read from, with all that they include.
pub fn files(config: &WafConfig) -> BTreeSet<PathBuf> {
    let paths = config.rules.iter().filter_map(|rules| match rules {
        WafRules::Builtin => None,
        WafRules::Path(path) => Some(path),
    });
    paths.flat_map(|path| gatewright_seclang::rule_files(path)).collect()
}

/// The gateway's own judgement, for `@detectSQLi` and `@detectXSS`.
struct Judgement<'c>(&'c Shapes);

impl Detect for Judgement<'_> {
    fn sqli(&self, value: &[u8]) -> bool {
        let shape = (!is_harmless(value)).then(|| self.0.again(value)).flatten();
        shape.is_some_and(|shape| sql::points(&shape, WafPart::Query, b"", value) >= sql::VERDICT)
    }

    fn xss(&self, value: &[u8]) -> bool {
        markup::is_injection(value)
    }
}

/// What the head of a request says. What is decoded comes from the inspection.
pub(super) fn request(exchange: &Exchange) -> Request<'static> {
    let asked = &exchange.request;
    let mut request = Request::default();
    let path = asked.path();
    let target = match asked.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let protocol = format!("{:?}", asked.version);
    request.set(List::Method, asked.method.as_str().as_bytes().to_vec());
    request.set(List::Line, format!("{} {target} {protocol}", asked.method).into_bytes());
    request.set(List::Protocol, protocol.into_bytes());
    request.set(List::Uri, target.into_bytes());
    let filename: Vec<u8> = percent_decode_str(path).collect();
    let basename = filename
        .rsplit(|byte| *byte == b'/')
        .next()
        .unwrap_or_default()
        .to_vec();
    request.set(List::Basename, basename);
    request.set(List::Filename, filename);
    if let Some(query) = asked.query() {
        request.set(List::QueryString, query.as_bytes().to_vec());
    }
    if let Some(client) = exchange.client.address.known() {
        request.set(List::RemoteAddr, client.to_string().into_bytes());
    }
    for (name, value) in &asked.headers {
        request.add(
            List::Headers,
            name.as_str().as_bytes().to_vec(),
            value.as_bytes().to_vec(),
        );
    }
    if !asked.headers.contains_key(header::HOST) {
        request.add(List::Headers, b"host".to_vec(), asked.authority.as_bytes().to_vec());
    }
    request
}

/// Holds a request against rules.
pub(super) fn run(rules: Option<&RuleSet>, config: &WafConfig, path: &str, carried: &Carried, seen: &mut Seen) {
    let (Some(rules), Some(request)) = (rules, &carried.request) else {
        return;
    };
    let outcome = rules.run(request, &Judgement(&carried.shapes), |id, tags, list, name| {
        let rule = (family(tags.iter().map(|tag| &**tag)), Some(id));
        is_out(config, path, rule, (part(list), plain(name)))
    });
    let told = outcome
        .matches
        .iter()
        .filter(|found| Some(found.id) != outcome.denied_by)
        .take(MOST_TOLD);
    let told = told.map(|found| {
        let part = found.list.map_or(WafPart::Path, part);
        let detail = format!("{} +{}", found.id, found.score);
        Finding::of_rule(
            family(found.tags.iter().map(|tag| &**tag)),
            part,
            plain(&found.name),
            detail,
        )
    });
    let mut told: Vec<_> = told.collect();
    if outcome.is_exhausted {
        told.push(Finding::of_rule(
            WafRule::Rules,
            WafPart::Path,
            b"",
            "work used up".to_owned(),
        ));
    }
    match outcome.denied_by {
        Some(id) if told.is_empty() => {
            seen.findings
                .push(Finding::of_rule(WafRule::Rules, WafPart::Path, b"", id.to_string()))
        }
        Some(_) => seen.findings.extend(told),
        None if outcome.is_exhausted => seen.findings.extend(told),
        None => seen.notes.extend(told),
    }
}

/// The family of a rule, by its tags.
fn family<'t>(mut tags: impl Iterator<Item = &'t str>) -> WafRule {
    let named = tags.find_map(|tag| tag.strip_prefix(FAMILY));
    let known = named.and_then(|name| WafRule::ALL.into_iter().find(|rule| rule.id() == name));
    known.unwrap_or(WafRule::Rules)
}

fn part(list: List) -> WafPart {
    match list {
        List::ArgsGet | List::QueryString | List::ArgsSize => WafPart::Query,
        List::ArgsPost
        | List::Files
        | List::PartHeaders
        | List::XmlText
        | List::XmlAttributes
        | List::Body
        | List::BodyProcessor
        | List::FilesSize
        | List::BodyError => WafPart::Body,
        List::Cookies => WafPart::Cookie,
        List::Headers => WafPart::Header,
        List::Uri | List::Filename | List::Basename | List::Method | List::Protocol | List::Line | List::RemoteAddr => {
            WafPart::Path
        }
    }
}

/// A name as the configuration writes it: fields of JSON without what rules put before them.
fn plain(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"json.").unwrap_or(name)
}

#[cfg(test)]
mod tests;
