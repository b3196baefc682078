//! One request, held against the rules.

use std::borrow::Cow;

use crate::expand::{TxId, TxValue, Variables, number};
use crate::operator::{ByteSet, Detect, Operator};
use crate::prefilter::{Bits, has_bit, set_bit};
use crate::request::{List, Request, Value};
use crate::rule::{Change, Control, Key, Rule, Selection, Set, Source, Target, Verdict};
use crate::set::RuleSet;

/// Matches that are told.
const MOST_MATCHES: usize = 32;
/// Variables that rules make while they run.
const MOST_VARIABLES: usize = 1024;
/// Values that one rule is told to have matched, for the next of its chain.
const MOST_MATCHED: usize = 64;
/// Groups of an expression that rules can refer to.
const GROUPS: usize = 10;
/// What looking at a value costs besides its bytes.
const LOOK_WORK: usize = 32;

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Rules that matched and say so, in order.
    pub matches: Vec<Match>,
    /// The rule that denies the request.
    pub denied_by: Option<u32>,
    /// The points of all matches.
    pub score: i64,
    /// The work that one request may cost was used up, and the rest of the rules has not been run.
    pub is_exhausted: bool,
}

/// A rule that matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The rule's id.
    pub id: u32,
    /// What the rule says of itself.
    pub message: std::sync::Arc<str>,
    /// Its tags.
    pub tags: Vec<std::sync::Arc<str>>,
    /// Where: none for variables of the rules themselves.
    pub list: Option<List>,
    /// The name of the value.
    pub name: Vec<u8>,
    /// What it adds to the anomaly score.
    pub score: i64,
}

impl RuleSet {
    /// Holds a request against the rules. Where `is_excluded` says so of a rule (its id, its tags, list and name of a
    /// value), a match is none.
    pub fn run(
        &self,
        request: &Request<'_>,
        detectors: &dyn Detect,
        is_excluded: impl Fn(u32, &[std::sync::Arc<str>], List, &[u8]) -> bool,
    ) -> Outcome {
        let mut run = Run::new(self, request, detectors, &is_excluded);
        for phase in [1, 2] {
            run.phase(phase);
            if run.is_over {
                break;
            }
        }
        run.outcome
    }
}

type IsExcluded<'a> = &'a dyn Fn(u32, &[std::sync::Arc<str>], List, &[u8]) -> bool;

pub(crate) struct Run<'a> {
    set: &'a RuleSet,
    request: &'a Request<'a>,
    detectors: &'a dyn Detect,
    is_excluded: IsExcluded<'a>,
    texts: Texts<'a>,
    /// Of each list, the texts of names and values.
    entries: Vec<Vec<Entry>>,
    /// Rules that may match.
    candidates: Bits,
    state: State<'a>,
    removed: Vec<&'a Selection>,
    removed_targets: Vec<(&'a Selection, &'a Target)>,
    denies: bool,
    is_over: bool,
    /// Points of the chain that is running.
    score: i64,
    /// Where the chain that is running has matched first.
    place: Option<(List, usize)>,
    outcome: Outcome,
}

/// What the first rules of a set do before any of them looks at a request.
pub(crate) enum Beginning<'a> {
    /// So many of them have set these variables.
    Fixed(usize, Vec<Option<TxValue>>),
    /// One of them denies the request.
    Denied(&'a Rule),
    /// They do more than to set variables that rules name.
    Varied,
}

#[derive(Clone, Copy)]
struct Entry {
    name: usize,
    value: usize,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        set: &'a RuleSet,
        request: &'a Request<'a>,
        detectors: &'a dyn Detect,
        is_excluded: IsExcluded<'a>,
    ) -> Self {
        let mut texts = Texts::new(set);
        let entries = request.lists.iter().map(|values| {
            let entry = |value: &'a Value<'a>| Entry {
                name: texts.add(&value.name),
                value: texts.add(&value.value),
            };
            values.iter().map(entry).collect()
        });
        let entries: Vec<Vec<Entry>> = entries.collect();
        texts.seal();
        let mut run = Self {
            set,
            request,
            detectors,
            is_excluded,
            texts,
            entries,
            candidates: Bits::new(),
            state: State {
                request,
                presets: &set.presets,
                tx: vec![None; set.presets.len()],
                changed: vec![0; set.presets.len().div_ceil(64)],
                more: Vec::new(),
                matched: Matched::default(),
                all: Vec::new(),
                before: Vec::new(),
            },
            removed: Vec::new(),
            removed_targets: Vec::new(),
            denies: true,
            is_over: false,
            score: 0,
            place: None,
            outcome: Outcome::default(),
        };
        run.candidates = run.candidates();
        run
    }

    /// The rules whose needs some value meets, in the form in which they look at it.
    fn candidates(&mut self) -> Bits {
        let mut candidates = self.set.no_rules();
        for look in &self.set.looks {
            let count = self.entries.get(look.list.index()).map_or(0, Vec::len);
            for at in 0..count {
                let Some(entry) = self.entries.get(look.list.index()).and_then(|entries| entries.get(at)) else {
                    continue;
                };
                let is_other = |known: &String| {
                    self.texts
                        .texts
                        .get(entry.name)
                        .is_none_or(|name| !known.as_bytes().eq_ignore_ascii_case(&name.bytes))
                };
                if look.name.as_ref().is_some_and(is_other) {
                    continue;
                }
                let original = if look.is_name { entry.name } else { entry.value };
                let Some(set) = self.texts.texts.get(original).map(|text| text.set) else {
                    continue;
                };
                if !look.changes.meets(&set) {
                    self.texts.add_candidates(&mut candidates, original, &look.rules);
                    continue;
                }
                for seen in &look.pipelines {
                    let text = match seen.changes.meets(&set) {
                        true => self.texts.transformed(original, seen.pipeline),
                        false => Some(original),
                    };
                    let Some(text) = text else {
                        return candidates;
                    };
                    self.texts.add_candidates(&mut candidates, text, &seen.rules);
                }
            }
        }
        candidates
    }

    /// Runs the first rules of phase 1 as long as they are of this kind.
    pub(crate) fn beginning(mut self, is_wanted: impl Fn(&Rule) -> bool) -> Beginning<'a> {
        let order = self.set.phases.get(1).map_or([].as_slice(), Vec::as_slice);
        let mut at = 0;
        while let Some((step, rule)) = order
            .get(at)
            .and_then(|step| Some((step, self.set.rules.get(step.rule)?)))
        {
            if !is_wanted(rule) {
                break;
            }
            at += 1;
            if self.chain(rule) {
                if rule.verdict == Verdict::Deny {
                    return Beginning::Denied(rule);
                }
                at = step.jump.unwrap_or(at + rule.skip);
            }
        }
        if !self.state.more.is_empty() || !self.outcome.matches.is_empty() {
            return Beginning::Varied;
        }
        let all = 0..self.state.tx.len();
        Beginning::Fixed(at, all.map(|id| self.state.variable(id).cloned()).collect())
    }

    /// Whether a rule matches.
    pub(crate) fn matches(mut self, rule: &'a Rule) -> bool {
        self.chain(rule)
    }

    fn phase(&mut self, phase: u8) {
        let Some(order) = self.set.phases.get(usize::from(phase)) else {
            return;
        };
        let mut at = 0;
        while let Some(step) = order.get(at) {
            at += 1;
            let Some(rule) = self.set.rules.get(step.rule) else {
                continue;
            };
            if rule.needed.is_some_and(|number| !has_bit(&self.candidates, number)) {
                continue;
            }
            if !self.removed.is_empty() && self.removed.iter().any(|removed| removed.is_for(rule)) {
                continue;
            }
            if self.chain(rule) {
                match rule.verdict {
                    Verdict::Deny if self.denies => {
                        self.outcome.denied_by = Some(rule.id);
                        self.is_over = true;
                    }
                    Verdict::Allow { phase: true } => return,
                    Verdict::Allow { phase: false } => self.is_over = true,
                    Verdict::Pass | Verdict::Deny => {}
                }
                at = step.jump.unwrap_or(at + rule.skip);
            }
            if self.texts.work == 0 {
                self.outcome.is_exhausted = true;
                self.is_over = true;
            }
            if self.is_over {
                return;
            }
        }
    }

    /// Whether a rule and all that are chained to it match.
    fn chain(&mut self, first: &'a Rule) -> bool {
        self.score = 0;
        self.place = None;
        self.state.before.clear();
        let mut next = Some(first);
        while let Some(rule) = next {
            if !self.rule(rule, first) {
                return false;
            }
            self.state.before = std::mem::take(&mut self.state.all);
            next = rule.chained.and_then(|index| self.set.rules.get(index));
        }
        self.outcome.score += self.score;
        if first.is_logged
            && (self.score > 0 || first.verdict == Verdict::Deny)
            && self.outcome.matches.len() < MOST_MATCHES
        {
            let name = self
                .place
                .and_then(|(list, at)| self.request.lists.get(list.index())?.get(at));
            self.outcome.matches.push(Match {
                id: first.id,
                message: first.message.clone(),
                tags: first.tags.clone(),
                list: self.place.map(|(list, _)| list),
                name: name.map(|value| value.name.to_vec()).unwrap_or_default(),
                score: self.score,
            });
        }
        true
    }

    fn rule(&mut self, rule: &'a Rule, first: &'a Rule) -> bool {
        if rule.targets.is_empty() {
            self.act(rule);
            return true;
        }
        let mut is_match = false;
        for target in &rule.targets {
            is_match |= self.target(rule, first, target);
        }
        if is_match {
            self.control(rule);
        }
        is_match
    }

    fn target(&mut self, rule: &'a Rule, first: &'a Rule, target: &'a Target) -> bool {
        match target.source {
            Source::Values(list) => self.list(rule, first, target, list, false),
            Source::Names(list) => self.list(rule, first, target, list, true),
            Source::Tx => self.tx(rule, target),
            Source::MatchedVar => {
                let value = self.state.matched.value.clone();
                self.free(rule, &value, "MATCHED_VAR")
            }
            Source::MatchedVarName => {
                let value = self.state.matched.name.clone();
                self.free(rule, &value, "MATCHED_VAR_NAME")
            }
            Source::MatchedVars | Source::MatchedVarsNames => {
                let before = self.state.before.clone();
                let of_names = target.source == Source::MatchedVarsNames;
                let matches = before.iter().filter(|matched| {
                    let value = if of_names { &matched.name } else { &matched.value };
                    self.free(rule, value, "MATCHED_VARS")
                });
                matches.count() > 0
            }
        }
    }

    /// Values or names of a list.
    fn list(&mut self, rule: &'a Rule, first: &'a Rule, target: &'a Target, list: List, of_names: bool) -> bool {
        let count = self.entries.get(list.index()).map_or(0, Vec::len);
        let mut is_match = false;
        let mut counted = 0_usize;
        for at in 0..count {
            let Some(value) = self.request.lists.get(list.index()).and_then(|values| values.get(at)) else {
                continue;
            };
            if !target.key.is_for(&value.name) || self.is_left_out(rule, first, list, of_names, &value.name) {
                continue;
            }
            if target.counts {
                counted += 1;
                continue;
            }
            let Some(entry) = self.entries.get(list.index()).and_then(|entries| entries.get(at)) else {
                continue;
            };
            let original = if of_names { entry.name } else { entry.value };
            let Some(bytes) = self.form(rule, original) else {
                continue;
            };
            if (self.is_excluded)(first.id, &first.tags, list, &value.name) {
                continue;
            }
            is_match = true;
            self.place.get_or_insert((list, at));
            let name = [list.name().as_bytes(), b":", &value.name].concat();
            self.matched(rule, bytes, if of_names { value.name.to_vec() } else { name });
        }
        match target.counts {
            true => self.free(rule, counted.to_string().as_bytes(), list.name()),
            false => is_match,
        }
    }

    /// The form of an original that a rule matches.
    fn form(&mut self, rule: &Rule, original: usize) -> Option<Vec<u8>> {
        let mut before = None;
        for pipeline in &rule.pipelines {
            if rule
                .needed
                .is_some_and(|number| !self.texts.is_candidate(original, *pipeline, number))
            {
                continue;
            }
            let text = self.texts.transformed(original, *pipeline)?;
            if before.replace(text) == Some(text) {
                continue;
            }
            let bytes = self.texts.looked_at(text)?;
            if rule.operator.matches(bytes, &self.state, self.detectors) != rule.is_negated {
                return Some(bytes.to_vec());
            }
        }
        None
    }

    /// Whether a rule, or what another rule did to it, leaves a value out.
    fn is_left_out(&self, rule: &Rule, first: &Rule, list: List, of_names: bool, name: &[u8]) -> bool {
        let source = if of_names {
            Source::Names(list)
        } else {
            Source::Values(list)
        };
        let leaves_out = |target: &Target| target.source == source && target.key.is_for(name);
        rule.without.iter().any(leaves_out)
            || self
                .removed_targets
                .iter()
                .any(|(rules, target)| leaves_out(target) && rules.is_for(first))
    }

    /// Variables of the transaction.
    fn tx(&mut self, rule: &'a Rule, target: &'a Target) -> bool {
        match (&target.key, target.counts) {
            (Key::Tx(id), true) => {
                let is_there = self.state.tx(*id).is_some();
                self.free(rule, if is_there { b"1" } else { b"0" }, "TX")
            }
            (Key::Tx(id), false) => {
                let Some(value) = self.state.tx(*id).map(Cow::into_owned) else {
                    return false;
                };
                self.free(rule, &value, "TX")
            }
            (key, _) => {
                let names = self.set.names.names();
                let named = target.variables.iter().filter_map(|id| {
                    let value = self.state.tx(*id)?.into_owned();
                    Some((names.get(*id)?.clone(), value))
                });
                let more = self.state.more.iter().filter(|(name, _)| key.is_for(name.as_bytes()));
                let more = more.map(|(name, value)| (name.clone(), value.as_bytes().into_owned()));
                let all: Vec<_> = named.chain(more).collect();
                let mut is_match = false;
                for (name, value) in all {
                    is_match |= self.free(rule, &value, &format!("TX:{name}"));
                }
                is_match
            }
        }
    }

    /// A value that is in no list.
    fn free(&mut self, rule: &'a Rule, value: &[u8], name: &str) -> bool {
        let pipeline = rule.pipelines.last().copied().unwrap_or_default();
        let Some(transformed) = self.texts.transform(value, pipeline) else {
            return false;
        };
        if rule.operator.matches(&transformed, &self.state, self.detectors) == rule.is_negated {
            return false;
        }
        if rule.is_quiet() {
            return true;
        }
        let transformed = transformed.into_owned();
        self.matched(rule, transformed, name.as_bytes().to_vec());
        true
    }

    /// A value has matched: what the rule does for each of them.
    fn matched(&mut self, rule: &'a Rule, value: Vec<u8>, name: Vec<u8>) {
        if rule.captures {
            self.capture(rule, &value);
        }
        let matched = Matched { value, name };
        if self.state.all.len() < MOST_MATCHED {
            self.state.all.push(matched.clone());
        }
        self.state.matched = matched;
        self.act(rule);
    }

    /// `TX.0` and so on.
    fn capture(&mut self, rule: &Rule, value: &[u8]) {
        let groups: Vec<Option<Vec<u8>>> = match &rule.operator {
            Operator::Expression(expression) if !rule.is_negated => match expression.captures(value) {
                Some(captures) => captures
                    .iter()
                    .take(GROUPS)
                    .map(|group| group.map(|group| group.as_bytes().to_vec()))
                    .collect(),
                None => return,
            },
            _ => vec![Some(value.to_vec())],
        };
        for (group, id) in self.set.groups.iter().enumerate() {
            let text = groups.get(group).cloned().flatten();
            self.state.set(*id, text.map(TxValue::Text));
        }
    }

    fn act(&mut self, rule: &'a Rule) {
        for set in &rule.sets {
            self.set_variable(set);
        }
        if rule.targets.is_empty() {
            self.control(rule);
        }
    }

    fn control(&mut self, rule: &'a Rule) {
        for control in &rule.controls {
            match control {
                Control::Remove(rules) => self.removed.push(rules),
                Control::RemoveTarget(rules, target) => self.removed_targets.push((rules, target)),
                Control::Engine { denies, runs } => {
                    self.denies = *denies;
                    self.is_over |= !runs;
                }
            }
        }
    }

    fn set_variable(&mut self, set: &'a Set) {
        let name = match set.id {
            Some(_) => Cow::Borrowed(""),
            None => {
                let name = set.name.expand(&self.state);
                Cow::Owned(String::from_utf8_lossy(&name).to_ascii_lowercase())
            }
        };
        let id = set.id.or_else(|| self.set.names.find(&name));
        if id.is_some_and(|id| self.set.pinned.contains(&id)) {
            return;
        }
        let current = || match id {
            Some(id) => self.state.variable(id),
            None => self
                .state
                .more
                .iter()
                .find(|(known, _)| *known == *name)
                .map(|(_, value)| value),
        };
        let value = match &set.change {
            Change::Unset => None,
            Change::To(text) => Some(TxValue::Text(text.expand(&self.state).into_owned())),
            Change::Add(text) | Change::Subtract(text) => {
                let by = number(&text.expand(&self.state));
                let by = if matches!(set.change, Change::Subtract(_)) {
                    -by
                } else {
                    by
                };
                let before = current().map_or(0, TxValue::number);
                if id.is_some_and(|id| self.set.scores.contains(&id)) {
                    self.score += by;
                }
                Some(TxValue::Number(before.saturating_add(by)))
            }
        };
        match id {
            Some(id) => self.state.set(id, value),
            None => {
                let name = name.into_owned();
                self.state.more.retain(|(known, _)| *known != name);
                if let Some(value) = value.filter(|_| self.state.more.len() < MOST_VARIABLES) {
                    self.state.more.push((name, value));
                }
            }
        }
    }
}

/// What rules can refer to.
struct State<'a> {
    request: &'a Request<'a>,
    /// Variables before any rule has run, and those that rules have changed.
    presets: &'a [Option<TxValue>],
    tx: Vec<Option<TxValue>>,
    changed: Bits,
    /// Those that no rule names.
    more: Vec<(String, TxValue)>,
    matched: Matched,
    /// What the rule that is running has matched, and what the one before it in its chain.
    all: Vec<Matched>,
    before: Vec<Matched>,
}

#[derive(Clone, Debug, Default)]
struct Matched {
    value: Vec<u8>,
    name: Vec<u8>,
}

impl State<'_> {
    fn variable(&self, id: TxId) -> Option<&TxValue> {
        let values = if has_bit(&self.changed, id) {
            &self.tx
        } else {
            self.presets
        };
        values.get(id)?.as_ref()
    }

    fn set(&mut self, id: TxId, value: Option<TxValue>) {
        set_bit(&mut self.changed, id);
        if let Some(variable) = self.tx.get_mut(id) {
            *variable = value;
        }
    }
}

impl Variables for State<'_> {
    fn tx(&self, id: TxId) -> Option<Cow<'_, [u8]>> {
        self.variable(id).map(TxValue::as_bytes)
    }

    fn matched_var(&self) -> &[u8] {
        &self.matched.value
    }

    fn matched_var_name(&self) -> &[u8] {
        &self.matched.name
    }

    fn value(&self, list: List, name: Option<&str>) -> &[u8] {
        let values = self
            .request
            .lists
            .get(list.index())
            .map_or([].as_slice(), Vec::as_slice);
        let value = values
            .iter()
            .find(|value| name.is_none_or(|name| name.as_bytes().eq_ignore_ascii_case(&value.name)));
        value.map_or(b"", |value| &value.value)
    }
}

/// Names and values of a request, and what transformations make of them.
struct Texts<'a> {
    set: &'a RuleSet,
    texts: Vec<Text<'a>>,
    /// How many of them the request has.
    originals: usize,
    /// Of each original, what each pipeline makes of it.
    forms: Vec<u32>,
    /// Which rules' needs texts meet, one text after another.
    signatures: Bits,
    /// What is left of the work that a request may cost.
    work: usize,
}

struct Text<'a> {
    bytes: Cow<'a, [u8]>,
    set: ByteSet,
    /// Where its signature is, once somebody has asked.
    signature: Option<usize>,
}

const UNKNOWN: u32 = u32::MAX;

impl<'a> Texts<'a> {
    fn new(set: &'a RuleSet) -> Self {
        Self {
            set,
            texts: Vec::new(),
            originals: 0,
            forms: Vec::new(),
            signatures: Bits::new(),
            work: set.work,
        }
    }

    fn add(&mut self, bytes: &'a [u8]) -> usize {
        self.texts.push(Text {
            set: ByteSet::of(bytes),
            bytes: Cow::Borrowed(bytes),
            signature: None,
        });
        self.texts.len() - 1
    }

    /// All originals are there.
    fn seal(&mut self) {
        self.originals = self.texts.len();
        self.forms = vec![UNKNOWN; self.originals * self.set.pipelines.len()];
    }

    /// Takes the work of looking at a text.
    fn looked_at(&mut self, text: usize) -> Option<&[u8]> {
        let bytes = &self.texts.get(text)?.bytes;
        self.work = self.work.saturating_sub(LOOK_WORK + bytes.len());
        (self.work > 0).then_some(bytes)
    }

    /// What a pipeline makes of an original; none when the work is used up.
    fn transformed(&mut self, original: usize, pipeline: usize) -> Option<usize> {
        if pipeline == 0 {
            return Some(original);
        }
        let at = original * self.set.pipelines.len() + pipeline;
        let known = *self.forms.get(at)?;
        if known != UNKNOWN {
            return usize::try_from(known).ok();
        }
        let steps = self.set.pipelines.get(pipeline)?;
        let text = self.texts.get(original)?;
        let form = if !steps.changes.meets(&text.set) {
            original
        } else {
            let mut bytes = Cow::Borrowed(text.bytes.as_ref());
            let mut set = text.set;
            for (step, changes) in &steps.steps {
                if changes.meets(&set) {
                    self.work = self.work.saturating_sub(LOOK_WORK + bytes.len());
                    let made = step.apply(&bytes);
                    if *made != *bytes {
                        set = ByteSet::of(&made);
                        bytes = Cow::Owned(made);
                    }
                }
            }
            if self.work == 0 {
                return None;
            }
            let row = self
                .forms
                .get(original * self.set.pipelines.len()..(original + 1) * self.set.pipelines.len())?;
            let mut known = row
                .iter()
                .filter(|form| **form != UNKNOWN)
                .map(|form| *form as usize)
                .chain([original]);
            let same = known.find(|form| self.texts.get(*form).is_some_and(|text| text.bytes == bytes));
            match same {
                Some(form) => form,
                None => {
                    let bytes = Cow::Owned(bytes.into_owned());
                    self.texts.push(Text {
                        bytes,
                        set,
                        signature: None,
                    });
                    self.texts.len() - 1
                }
            }
        };
        if let Some(known) = self.forms.get_mut(at) {
            *known = u32::try_from(form).ok()?;
        }
        Some(form)
    }

    /// What a pipeline makes of a text that is none of the request's.
    fn transform<'v>(&mut self, value: &'v [u8], pipeline: usize) -> Option<Cow<'v, [u8]>> {
        let steps = self.set.pipelines.get(pipeline)?;
        self.work = self.work.saturating_sub(LOOK_WORK + value.len());
        let made = steps
            .steps
            .iter()
            .fold(Cow::Borrowed(value), |value, (step, _)| Cow::Owned(step.apply(&value)));
        (self.work > 0).then_some(made)
    }

    /// Whether an original meets the needs of a rule that looks at it through a pipeline.
    fn is_candidate(&mut self, original: usize, pipeline: usize, rule: usize) -> bool {
        let seen = self.set.seen_through.get(pipeline).copied();
        let seen = seen.and_then(|pipeline| self.transformed(original, pipeline));
        seen.and_then(|text| self.signature(text))
            .is_some_and(|found| has_bit(found, rule))
    }

    /// Adds those of the rules whose needs a text meets.
    fn add_candidates(&mut self, candidates: &mut Bits, text: usize, rules: &Bits) {
        let found = self.signature(text).into_iter().flatten();
        for ((candidate, found), rules) in candidates.iter_mut().zip(found).zip(rules) {
            *candidate |= found & rules;
        }
    }

    /// Which rules' needs a text meets.
    fn signature(&mut self, text: usize) -> Option<&[u64]> {
        let words = self.set.rules.len().div_ceil(64);
        let text = self.texts.get_mut(text)?;
        let start = match text.signature {
            Some(start) => start,
            None => {
                let start = self.signatures.len();
                self.signatures.resize(start + words, 0);
                self.work = self.work.saturating_sub(text.bytes.len());
                self.set
                    .prefilter
                    .look(&text.bytes, &text.set, self.signatures.get_mut(start..)?);
                *text.signature.insert(start)
            }
        };
        self.signatures.get(start..start + words)
    }
}
