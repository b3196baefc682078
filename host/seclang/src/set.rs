//! A set of rules that can be run.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::expand::{TxId, TxNames, TxValue};
use crate::operator::ByteSet;
use crate::prefilter::{Bits, Need, Prefilter, set_bit};
use crate::request::List;
use crate::rule::{self, Key, Rule};
use crate::transform::Transform;

/// Rules, ready to run.
#[derive(Debug)]
pub struct RuleSet {
    pub(crate) rules: Vec<Rule>,
    /// What is run in each phase, in order.
    pub(crate) phases: [Vec<Step>; 3],
    pub(crate) pipelines: Vec<Pipeline>,
    /// Of each pipeline, the one through which the prefilter looks.
    pub(crate) seen_through: Vec<usize>,
    pub(crate) names: TxNames,
    /// `TX.0` to `TX.9`.
    pub(crate) groups: Vec<TxId>,
    /// Variables that no rule changes.
    pub(crate) pinned: HashSet<TxId>,
    /// Variables that are points of a request.
    pub(crate) scores: HashSet<TxId>,
    pub(crate) presets: Vec<Option<TxValue>>,
    pub(crate) prefilter: Prefilter,
    pub(crate) looks: Vec<Look>,
    pub(crate) work: usize,
    /// A rule that denies every request, and what it says.
    pub(crate) denies_all: Option<(u32, Arc<str>)>,
    pub(crate) unsupported: Vec<Unsupported>,
    pub(crate) beyond_requests: usize,
    pub(crate) files: Vec<PathBuf>,
}

/// A rule of a phase.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) rule: usize,
    /// Where to go on when it matches.
    pub(crate) jump: Option<usize>,
}

/// Transformations, one after another.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    /// Each with the bytes that it changes.
    pub(crate) steps: Vec<(Transform, ByteSet)>,
    /// A value without any of these bytes stays as it is.
    pub(crate) changes: ByteSet,
}

/// How the prefilter looks at a list: for each pipeline, the rules that look through it.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) list: List,
    pub(crate) is_name: bool,
    /// Only at the values with this name, in lower case.
    pub(crate) name: Option<String>,
    pub(crate) pipelines: Vec<Seen>,
    /// The rules of all of them, and the bytes that some of them change.
    pub(crate) rules: Bits,
    pub(crate) changes: ByteSet,
}

/// A rule or directive that is not run.
#[derive(Clone, Debug)]
pub struct Unsupported {
    /// The rule's id; none for other directives.
    pub id: Option<u32>,
    /// The file.
    pub file: Arc<PathBuf>,
    /// The line in it, from one.
    pub line: usize,
    /// Why not.
    pub reason: String,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file.display(), self.line)?;
        if let Some(id) = self.id {
            write!(f, "rule {id}: ")?;
        }
        f.write_str(&self.reason)
    }
}

/// The rules that look at a list through a pipeline.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) pipeline: usize,
    /// The bytes that it changes.
    pub(crate) changes: ByteSet,
    pub(crate) rules: Bits,
}

impl RuleSet {
    /// How many rules of requests there are.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.phases.iter().map(Vec::len).sum()
    }

    /// Rules that are about responses or logging, which are not run.
    #[must_use]
    pub fn beyond_requests(&self) -> usize {
        self.beyond_requests
    }

    /// A rule that denies every request before it has looked at it, and its message: the Core Rule Set has one for the case
    /// that its setup is missing.
    #[must_use]
    pub fn denies_all(&self) -> Option<(u32, &str)> {
        self.denies_all.as_ref().map(|(id, message)| (*id, &**message))
    }

    /// What is not run, and why.
    #[must_use]
    pub fn unsupported(&self) -> &[Unsupported] {
        &self.unsupported
    }

    /// All files that have been read, those of phrases included.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// How the prefilter has to look for these rules.
    pub(crate) fn looks(&self, filtered: &[(usize, Need)]) -> Vec<Look> {
        let mut looks: Vec<Look> = Vec::new();
        for (index, rule) in filtered
            .iter()
            .filter_map(|(index, _)| Some((*index, self.rules.get(*index)?)))
        {
            for target in &rule.targets {
                let (list, is_name) = match target.source {
                    rule::Source::Values(list) => (list, false),
                    rule::Source::Names(list) => (list, true),
                    _ => continue,
                };
                let name = match &target.key {
                    Key::Name(name) => Some(name.clone()),
                    _ => None,
                };
                let is_same = |look: &Look| look.list == list && look.is_name == is_name && look.name == name;
                let at = looks.iter().position(is_same);
                let at = at.unwrap_or_else(|| {
                    looks.push(Look {
                        list,
                        is_name,
                        name,
                        pipelines: Vec::new(),
                        rules: self.no_rules(),
                        changes: ByteSet::default(),
                    });
                    looks.len() - 1
                });
                let Some(look) = looks.get_mut(at) else { continue };
                for pipeline in &rule.pipelines {
                    let Some(pipeline) = self.seen_through.get(*pipeline).copied() else {
                        continue;
                    };
                    let known = look.pipelines.iter().position(|seen| seen.pipeline == pipeline);
                    let known = known.unwrap_or_else(|| {
                        let changes = self.pipelines.get(pipeline).map(|pipeline| pipeline.changes);
                        look.pipelines.push(Seen {
                            pipeline,
                            changes: changes.unwrap_or_default(),
                            rules: self.no_rules(),
                        });
                        look.pipelines.len() - 1
                    });
                    if let Some(seen) = look.pipelines.get_mut(known) {
                        set_bit(&mut seen.rules, index);
                        set_bit(&mut look.rules, index);
                        look.changes = look.changes.union(seen.changes);
                    }
                }
            }
        }
        looks
    }

    /// A set of rules with none in it.
    pub(crate) fn no_rules(&self) -> Bits {
        vec![0; self.rules.len().div_ceil(64)]
    }

    /// The pipeline through which the prefilter looks: case does not count for it, so a change of it at the end is left off
    /// where there is a pipeline without.
    pub(crate) fn looked_through(&self, pipeline: usize) -> usize {
        let Some([steps @ .., (Transform::Lowercase, _)]) =
            self.pipelines.get(pipeline).map(|pipeline| pipeline.steps.as_slice())
        else {
            return pipeline;
        };
        self.pipelines
            .iter()
            .position(|known| known.steps == steps)
            .unwrap_or(pipeline)
    }

    /// Runs every rule, wanted or not: for tests of what the prefilter leaves out.
    pub fn without_prefilter(&mut self) {
        for rule in &mut self.rules {
            rule.needed = None;
        }
    }
}
