//! Actions: what a rule does when it matches.

use std::sync::Arc;

use regex::bytes::Regex;

use super::{Loading, Refused};
use crate::expand::Expansion;
use crate::pattern;
use crate::rule::{Change, Control, Rule, Selection, Set, Verdict};
use crate::syntax;
use crate::transform::Transform;

impl Loading {
    pub(super) fn default_action(&mut self, actions: &str) {
        let actions = syntax::actions(actions);
        let phase = actions
            .iter()
            .find(|(name, _)| name == "phase")
            .map_or(2, |(_, value)| phase(value));
        let denies = actions
            .iter()
            .any(|(name, _)| matches!(name.as_str(), "deny" | "drop" | "redirect"));
        if let Some(block) = self.blocks.get_mut(usize::from(phase)) {
            *block = if denies { Verdict::Deny } else { Verdict::Pass };
        }
    }

    pub(super) fn action(
        &mut self,
        rule: &mut Rule,
        steps: &mut Vec<Transform>,
        name: &str,
        value: &str,
    ) -> Refused<()> {
        match name {
            "t" if value.eq_ignore_ascii_case("none") => steps.clear(),
            "t" => match Transform::named(value) {
                Some(step) => steps.push(step),
                None => return Err(format!("the transformation `{value}` is not supported")),
            },
            "block" => rule.verdict = self.blocks.get(usize::from(rule.phase)).copied().unwrap_or_default(),
            "deny" | "drop" | "redirect" | "proxy" => rule.verdict = Verdict::Deny,
            "pass" => rule.verdict = Verdict::Pass,
            "allow" => {
                rule.verdict = Verdict::Allow {
                    phase: value.eq_ignore_ascii_case("phase"),
                }
            }
            "capture" => rule.captures = true,
            "skipafter" => rule.skip_after = Some(value.to_owned()),
            "skip" => rule.skip = value.parse().unwrap_or_default(),
            "nolog" => rule.is_logged = false,
            "log" => rule.is_logged = true,
            "msg" => rule.message = Arc::from(value),
            "tag" => rule.tags.push(Arc::from(value)),
            "setvar" => rule.sets.extend(self.set(value)),
            "ctl" => rule.controls.extend(self.control(value)?),
            "exec" => return Err(format!("the action `{name}` is not supported")),
            // About logs, and what is kept between requests.
            _ => {}
        }
        Ok(())
    }

    /// `tx.name=value`; nothing for what would be kept between requests.
    pub(super) fn set(&mut self, text: &str) -> Option<Set> {
        let (is_unset, text) = match text.strip_prefix('!') {
            Some(text) => (true, text),
            None => (false, text),
        };
        let (name, value) = text.split_once('=').unwrap_or((text, "1"));
        let (collection, name) = name.split_once('.')?;
        if !collection.trim().eq_ignore_ascii_case("tx") {
            return None;
        }
        let name = Expansion::parse(name.trim(), &mut self.names);
        let id = name.literal().map(|name| self.names.id(name));
        let change = match value.chars().next() {
            _ if is_unset => Change::Unset,
            Some('+') => Change::Add(Expansion::parse(value.get(1..).unwrap_or_default(), &mut self.names)),
            Some('-') => Change::Subtract(Expansion::parse(value.get(1..).unwrap_or_default(), &mut self.names)),
            _ => Change::To(Expansion::parse(value, &mut self.names)),
        };
        Some(Set { name, id, change })
    }

    pub(super) fn control(&mut self, text: &str) -> Refused<Vec<Control>> {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        Ok(match name.to_ascii_lowercase().as_str() {
            "ruleremovebyid" => selections(value).into_iter().map(Control::Remove).collect(),
            "ruleremovebytag" => vec![Control::Remove(Selection::Tag(tag_expression(value)?))],
            "ruleremovetargetbyid" | "ruleremovetargetbytag" => {
                let (rules, targets) = value.split_once(';').unwrap_or((value, ""));
                let rules = match name.to_ascii_lowercase().ends_with("id") {
                    true => selections(rules),
                    false => vec![Selection::Tag(tag_expression(rules)?)],
                };
                let mut controls = Vec::new();
                for target in syntax::targets(targets) {
                    for (_, target) in self.target(&target)? {
                        controls.extend(
                            rules
                                .iter()
                                .map(|rules| Control::RemoveTarget(rules.clone(), target.clone())),
                        );
                    }
                }
                controls
            }
            "ruleengine" => vec![Control::Engine {
                denies: value.eq_ignore_ascii_case("on"),
                runs: !value.eq_ignore_ascii_case("off"),
            }],
            "ruleremovebymsg" | "ruleremovetargetbymsg" => return Err(format!("`ctl:{name}` is not supported")),
            // How bodies are read and what is logged is the gateway's to decide.
            _ => Vec::new(),
        })
    }
}

/// `request` is phase 2, as rules may write it.
pub(super) fn phase(text: &str) -> u8 {
    match text.to_ascii_lowercase().as_str() {
        "request" => 2,
        "response" => 4,
        "logging" => 5,
        number => number.parse().unwrap_or(2),
    }
}

/// `1,2-5 7`
pub(super) fn selections(text: &str) -> Vec<Selection> {
    let parts = text.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty());
    let selection = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(Selection::Ids(first.parse().ok()?..=last.parse().ok()?))
    };
    parts.filter_map(selection).collect()
}

pub(super) fn tag_expression(text: &str) -> Refused<Regex> {
    pattern::compile(text)
        .map(|(regex, _)| regex)
        .map_err(|error| format!("the tag `{text}` is no expression: {error}"))
}
