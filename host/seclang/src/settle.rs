//! What does not depend on requests is done once.
//!
//! A rule set begins with rules that give variables their defaults, and between its files are rules that leave out what is
//! above the paranoia level. When it is loaded, the first are run and their result is kept, and what can never be reached
//! with it is left off.

use std::collections::HashSet;
use std::sync::Arc;

use crate::expand::{Expansion, Piece, TxId};
use crate::operator::{Detect, Operator};
use crate::request::Request;
use crate::rule::{Change, Key, Rule, Set, Source, Verdict};
use crate::run::{Beginning, Run};
use crate::set::{RuleSet, Step};

/// Rules that ask a detector are not settled: there is none yet.
struct Blind;

impl Detect for Blind {
    fn sqli(&self, _value: &[u8]) -> bool {
        false
    }

    fn xss(&self, _value: &[u8]) -> bool {
        false
    }
}

impl RuleSet {
    /// Runs the rules at the beginning that are the same for all requests, and leaves off what is then never run. Where one of
    /// them denies the request, it denies every request, and they stay.
    pub(crate) fn settle(&mut self) {
        let request = Request::default();
        let run = Run::new(self, &request, &Blind, &|_, _, _, _| false);
        match run.beginning(|rule| self.is_fixed(rule)) {
            Beginning::Fixed(done, tx) => {
                self.presets = tx;
                if let Some(first) = self.phases.get_mut(1) {
                    leave_off(first, 0, done);
                }
            }
            Beginning::Denied(rule) => self.denies_all = Some((rule.id, Arc::clone(&rule.message))),
            Beginning::Varied => {}
        }
        let constants = self.constants();
        for phase in 1..self.phases.len() {
            self.prune(phase, &constants);
        }
    }

    /// Whether a rule, and all that are chained to it, says the same for all requests.
    fn is_fixed(&self, rule: &Rule) -> bool {
        let sets = rule.sets.iter().all(|set| set.id.is_some() && is_of_tx(change(set)));
        let targets = rule
            .targets
            .iter()
            .all(|target| target.source == Source::Tx && matches!(target.key, Key::Tx(_)));
        let operator = match &rule.operator {
            Operator::Number(_, argument) | Operator::Text(_, argument) => is_of_tx(Some(argument)),
            Operator::Sqli | Operator::Xss => false,
            _ => true,
        };
        let next = rule.chained.and_then(|next| self.rules.get(next));
        let is_silent = !matches!(rule.verdict, Verdict::Allow { .. }) && rule.controls.is_empty() && !rule.captures;
        sets && targets && operator && is_silent && next.is_none_or(|next| self.is_fixed(next))
    }

    /// Variables that no rule changes.
    fn constants(&self) -> HashSet<TxId> {
        let mut constants: HashSet<TxId> = (0..self.names.names().len()).collect();
        for group in &self.groups {
            constants.remove(group);
        }
        let mut rules: Vec<&Rule> = self
            .phases
            .iter()
            .flatten()
            .filter_map(|step| self.rules.get(step.rule))
            .collect();
        while let Some(rule) = rules.pop() {
            rules.extend(rule.chained.and_then(|next| self.rules.get(next)));
            for set in &rule.sets {
                match (set.id, set.name.0.first()) {
                    (Some(id), _) => {
                        constants.remove(&id);
                    }
                    (None, Some(Piece::Text(prefix))) => {
                        let prefix = prefix.to_ascii_lowercase();
                        constants.retain(|id| {
                            self.names
                                .names()
                                .get(*id)
                                .is_some_and(|name| !name.starts_with(&prefix))
                        });
                    }
                    (None, _) => constants.clear(),
                }
            }
        }
        constants.extend(&self.pinned);
        constants
    }

    /// Leaves off rules that never match, and those that are always jumped over.
    fn prune(&mut self, phase: usize, constants: &HashSet<TxId>) {
        let mut at = 0;
        while let Some(step) = self.phases.get(phase).and_then(|steps| steps.get(at)).copied() {
            let rule = self
                .rules
                .get(step.rule)
                .filter(|rule| self.is_condition(rule, constants));
            let Some(rule) = rule else {
                at += 1;
                continue;
            };
            let request = Request::default();
            let matches = Run::new(self, &request, &Blind, &|_, _, _, _| false).matches(rule);
            if matches && rule.verdict == Verdict::Deny {
                at += 1;
                continue;
            }
            let end = if matches { step.jump.unwrap_or(at + 1) } else { at + 1 };
            let Some(steps) = self.phases.get_mut(phase) else {
                return;
            };
            let jumps_inside = steps
                .iter()
                .filter_map(|step| step.jump)
                .any(|jump| jump > at && jump < end);
            if jumps_inside {
                at += 1;
            } else {
                leave_off(steps, at, end);
            }
        }
    }

    /// Whether all that a rule does is to go on elsewhere, by variables that no rule changes.
    fn is_condition(&self, rule: &Rule, constants: &HashSet<TxId>) -> bool {
        let is_constant = |argument: &Expansion| {
            argument.0.iter().all(|piece| {
                matches!(piece, Piece::Tx(id) if constants.contains(id)) || matches!(piece, Piece::Text(_))
            })
        };
        let operator = match &rule.operator {
            Operator::Number(_, argument) | Operator::Text(_, argument) => is_constant(argument),
            _ => false,
        };
        let targets = rule
            .targets
            .iter()
            .all(|target| target.source == Source::Tx && matches!(target.key, Key::Tx(id) if constants.contains(&id)));
        let goes_on = rule.chained.is_none() && rule.sets.is_empty() && rule.skip == 0 && !rule.targets.is_empty();
        self.is_fixed(rule) && goes_on && operator && targets
    }
}

fn change(set: &Set) -> Option<&Expansion> {
    match &set.change {
        Change::To(text) | Change::Add(text) | Change::Subtract(text) => Some(text),
        Change::Unset => None,
    }
}

fn is_of_tx(text: Option<&Expansion>) -> bool {
    text.is_none_or(|text| {
        text.0
            .iter()
            .all(|piece| matches!(piece, Piece::Text(_) | Piece::Tx(_)))
    })
}

/// Takes steps out; jumps go on to where they went.
fn leave_off(steps: &mut Vec<Step>, start: usize, end: usize) {
    let end = end.min(steps.len());
    steps.drain(start..end);
    for step in steps {
        if let Some(jump) = step.jump.as_mut().filter(|jump| **jump > start) {
            *jump = (*jump).max(end) - (end - start);
        }
    }
}
