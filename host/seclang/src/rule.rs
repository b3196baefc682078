//! Rules as they are run.

use std::ops::RangeInclusive;
use std::sync::Arc;

use regex::bytes::Regex;

use crate::expand::{Expansion, TxId};
use crate::operator::Operator;
use crate::request::List;

/// A rule, or a rule of a chain.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Zero for the rules of a chain behind the first.
    pub(crate) id: u32,
    pub(crate) phase: u8,
    /// None for an action without conditions.
    pub(crate) targets: Vec<Target>,
    pub(crate) without: Vec<Target>,
    pub(crate) operator: Operator,
    pub(crate) is_negated: bool,
    /// Indexes of its transformations; more than one where it looks at a value after each of them.
    pub(crate) pipelines: Vec<usize>,
    pub(crate) captures: bool,
    pub(crate) sets: Vec<Set>,
    pub(crate) controls: Vec<Control>,
    pub(crate) verdict: Verdict,
    /// Which marker it goes on behind.
    pub(crate) skip_after: Option<String>,
    /// How many rules it leaves out.
    pub(crate) skip: usize,
    /// The next rule of the chain.
    pub(crate) chained: Option<usize>,
    /// Its number, where it is held only against values that meet its needs.
    pub(crate) needed: Option<usize>,
    pub(crate) tags: Vec<Arc<str>>,
    pub(crate) message: Arc<str>,
    /// Whether anybody wants to know that it has matched.
    pub(crate) is_logged: bool,
}

impl Rule {
    /// Whether nobody asks what it has matched.
    pub(crate) fn is_quiet(&self) -> bool {
        self.sets.is_empty() && !self.captures && self.chained.is_none()
    }
}

/// What a rule that matches does with the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Verdict {
    #[default]
    Pass,
    Deny,
    /// The rules of this phase that follow are left out, or all.
    Allow {
        phase: bool,
    },
}

/// Where a rule looks.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) source: Source,
    pub(crate) key: Key,
    /// Not the values: how many there are.
    pub(crate) counts: bool,
    /// Of variables of the transaction without one name: those that rules name and that are meant.
    pub(crate) variables: Vec<TxId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Values(List),
    /// Names instead of values.
    Names(List),
    Tx,
    MatchedVar,
    MatchedVarName,
    MatchedVars,
    MatchedVarsNames,
}

#[derive(Clone, Debug)]
pub(crate) enum Key {
    Any,
    /// In lower case.
    Name(String),
    Tx(TxId),
    Matches(Regex),
}

impl Key {
    pub(crate) fn is_for(&self, name: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Name(known) => known.as_bytes().eq_ignore_ascii_case(name),
            Self::Matches(expression) => expression.is_match(name),
            Self::Tx(_) => false,
        }
    }
}

/// `setvar:tx.name=value`
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) name: Expansion,
    /// Where the name has no variables.
    pub(crate) id: Option<TxId>,
    pub(crate) change: Change,
}

#[derive(Clone, Debug)]
pub(crate) enum Change {
    To(Expansion),
    Add(Expansion),
    Subtract(Expansion),
    Unset,
}

/// `ctl:…`
#[derive(Clone, Debug)]
pub(crate) enum Control {
    Remove(Selection),
    RemoveTarget(Selection, Target),
    /// `ctl:ruleEngine=…`: whether rules still deny, and whether they run.
    Engine {
        denies: bool,
        runs: bool,
    },
}

/// Rules by id or tag.
#[derive(Clone, Debug)]
pub(crate) enum Selection {
    Ids(RangeInclusive<u32>),
    Tag(Regex),
}

impl Selection {
    pub(crate) fn is_for(&self, rule: &Rule) -> bool {
        match self {
            Self::Ids(ids) => ids.contains(&rule.id),
            Self::Tag(tag) => rule.tags.iter().any(|known| tag.is_match(known.as_bytes())),
        }
    }
}
