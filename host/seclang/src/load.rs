//! From files to a set of rules that can be run, and what cannot be.

mod actions;
mod files;
mod operators;
mod targets;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::actions::{phase, selections, tag_expression};
use self::files::{DEPTH, MOST_FILES, included, unreadable};
pub use self::files::{LoadError, rule_files, rules_of};
use self::operators::operator_parts;
use crate::expand::{TxNames, TxValue};
use crate::operator::{ByteSet, Operator};
use crate::prefilter::{Need, Prefilter};
use crate::rule::{self, Key, Rule, Selection, Verdict};
use crate::set::{Pipeline, RuleSet, Step, Unsupported};
use crate::syntax::{self, Directive, Place};
use crate::transform::Transform;

/// Rules of a set.
const MOST_RULES: usize = 16_384;
/// Bytes that are looked at for one request, all rules and transformations together.
pub const WORK: usize = 64 << 20;

/// What is said of a rule set besides its files.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The paranoia level, whatever the files say.
    pub paranoia: Option<u8>,
    /// The anomaly score at which a request is denied, whatever the files say.
    pub threshold: Option<u32>,
    /// Bytes that are looked at for one request, all rules and transformations together, such as [`WORK`].
    pub work: usize,
}

/// Where rules are written.
#[derive(Clone, Debug)]
pub enum Source<'s> {
    /// A file, or a folder: all of its files that end in `.conf`, by their names.
    Path(PathBuf),
    /// A text, and what it is called.
    Text(PathBuf, &'s str),
}

impl RuleSet {
    /// Reads rules, in this order.
    ///
    /// # Errors
    ///
    /// When something cannot be read. What can be read and not be run is in [`RuleSet::unsupported`].
    pub fn load(sources: &[Source<'_>], options: Options) -> Result<Self, LoadError> {
        let mut loading = Loading::new(options);
        for source in sources {
            match source {
                Source::Path(path) => loading.path(path, 0)?,
                Source::Text(name, text) => loading.text(&Arc::new(name.clone()), text, 0)?,
            }
        }
        loading.finish()
    }
}

struct Loading {
    options: Options,
    rules: Vec<Rule>,
    /// Where the rules are written, and what each needs to match.
    needs: Vec<Option<Need>>,
    markers: Vec<(String, usize)>,
    pipelines: Vec<Vec<Transform>>,
    names: TxNames,
    /// What `block` does, by phase.
    blocks: [Verdict; 6],
    unsupported: Vec<Unsupported>,
    beyond_requests: usize,
    files: Vec<PathBuf>,
    /// The chain that the next rule belongs to: its last rule, or none if that cannot be run.
    chain: Option<Chain>,
    phrases: HashMap<PathBuf, Arc<Vec<String>>>,
}

/// A chain that goes on.
struct Chain {
    first: usize,
    last: usize,
    id: u32,
    phase: u8,
    is_good: bool,
}

/// A directive or part of it that cannot be run.
type Refused<T> = Result<T, String>;

impl Loading {
    fn new(options: Options) -> Self {
        Self {
            options,
            rules: Vec::new(),
            needs: Vec::new(),
            markers: Vec::new(),
            pipelines: vec![Vec::new()],
            names: TxNames::default(),
            blocks: [Verdict::Pass; 6],
            unsupported: Vec::new(),
            beyond_requests: 0,
            files: Vec::new(),
            chain: None,
            phrases: HashMap::new(),
        }
    }

    fn path(&mut self, path: &Path, depth: usize) -> Result<(), LoadError> {
        if depth > DEPTH {
            return Err(LoadError::TooDeep(path.to_owned()));
        }
        if !path.is_dir() {
            let text = self.read(path)?;
            return self.text(&Arc::new(path.to_owned()), &text, depth);
        }
        let files = rules_of(path).map_err(|error| unreadable(path, error))?;
        if files.is_empty() {
            return Err(LoadError::Empty(path.to_owned()));
        }
        files.iter().try_for_each(|file| self.path(file, depth + 1))
    }

    fn read(&mut self, path: &Path) -> Result<String, LoadError> {
        if self.files.len() >= MOST_FILES {
            return Err(LoadError::TooManyFiles(path.to_owned()));
        }
        let text = files::read(path)?;
        self.files.push(path.to_owned());
        Ok(text)
    }

    fn text(&mut self, file: &Arc<PathBuf>, text: &str, depth: usize) -> Result<(), LoadError> {
        for directive in syntax::directives(file, text) {
            self.directive(&directive, depth)?;
            if self.rules.len() > MOST_RULES {
                return Err(LoadError::TooMany);
            }
        }
        Ok(())
    }

    fn directive(&mut self, directive: &Directive, depth: usize) -> Result<(), LoadError> {
        let arguments: Vec<&str> = directive.arguments.iter().map(String::as_str).collect();
        match (directive.name.to_ascii_lowercase().as_str(), arguments.as_slice()) {
            ("secrule", [targets, operator, rest @ ..]) => {
                self.rule(
                    directive,
                    Some((targets, operator)),
                    rest.first().copied().unwrap_or_default(),
                );
            }
            ("secaction", [actions, ..]) => self.rule(directive, None, actions),
            ("secmarker", [name, ..]) => self.markers.push(((*name).to_owned(), self.rules.len())),
            ("secdefaultaction", [actions, ..]) => self.default_action(actions),
            ("secruleremovebyid", ids) => {
                let selections: Vec<_> = ids.iter().flat_map(|ids| selections(ids)).collect();
                self.remove(&selections);
            }
            ("secruleremovebytag", [tag, ..]) => match tag_expression(tag) {
                Ok(tag) => self.remove(&[Selection::Tag(tag)]),
                Err(reason) => self.refuse(&directive.place, None, reason),
            },
            ("secruleupdatetargetbyid", [ids, targets, ..]) => self.update(directive, &selections(ids), targets),
            ("secruleupdatetargetbytag", [tag, targets, ..]) => match tag_expression(tag) {
                Ok(tag) => self.update(directive, &[Selection::Tag(tag)], targets),
                Err(reason) => self.refuse(&directive.place, None, reason),
            },
            ("include" | "includeoptional", [path, ..]) => {
                let folder = directive.place.file.parent().unwrap_or(Path::new(""));
                let path = folder.join(path);
                let is_optional = directive.name.eq_ignore_ascii_case("includeoptional");
                for path in included(&path).map_err(|error| unreadable(&path, error))? {
                    if !is_optional || path.exists() {
                        self.path(&path, depth + 1)?;
                    }
                }
            }
            ("secruleremovebymsg" | "secruleupdateactionbyid" | "secrulescript" | "secrule" | "secaction", _) => {
                let reason = format!("`{}` is not supported as it is written here", directive.name);
                self.refuse(&directive.place, None, reason);
            }
            // Settings of servers, logs and limits, which the gateway has its own of.
            (name, _) if name.starts_with("sec") || name.starts_with('<') => {}
            (name, _) => self.refuse(&directive.place, None, format!("`{name}` is not a directive")),
        }
        Ok(())
    }

    fn refuse(&mut self, place: &Place, id: Option<u32>, reason: String) {
        self.unsupported.push(Unsupported {
            id,
            file: Arc::clone(&place.file),
            line: place.line,
            reason,
        });
    }

    fn remove(&mut self, selections: &[Selection]) {
        for rule in &mut self.rules {
            if selections
                .iter()
                .any(|selection| rule.id != 0 && selection.is_for(rule))
            {
                // It stays where it is, so that indexes do.
                rule.phase = 0;
            }
        }
    }

    fn update(&mut self, directive: &Directive, selections: &[Selection], targets: &str) {
        let parsed = syntax::targets(targets).into_iter().map(|target| self.target(&target));
        let parsed: Refused<Vec<_>> = parsed.collect();
        let targets = match parsed {
            Ok(targets) => targets.concat(),
            Err(reason) => return self.refuse(&directive.place, None, reason),
        };
        for (index, rule) in self.rules.iter_mut().enumerate() {
            if rule.id == 0 || !selections.iter().any(|selection| selection.is_for(rule)) {
                continue;
            }
            for (is_without, target) in &targets {
                match is_without {
                    true => rule.without.push(target.clone()),
                    false => {
                        rule.targets.push(target.clone());
                        // What was found out about its old targets does not hold for the new one.
                        if let Some(need) = self.needs.get_mut(index) {
                            *need = None;
                        }
                    }
                }
            }
        }
    }

    /// A rule, with what it looks at unless it is an action.
    fn rule(&mut self, directive: &Directive, looks: Option<(&str, &str)>, actions: &str) {
        let actions = syntax::actions(actions);
        let of = |wanted: &str| {
            actions
                .iter()
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value.as_str())
        };
        let chain = self.chain.take();
        let id = chain.as_ref().map_or_else(
            || of("id").and_then(|id| id.parse().ok()).unwrap_or_default(),
            |chain| chain.id,
        );
        let phase = chain
            .as_ref()
            .map_or_else(|| phase(of("phase").unwrap_or("2")), |chain| chain.phase);
        let goes_on = of("chain").is_some();
        if phase > 2 {
            self.beyond_requests += usize::from(chain.is_none());
            if goes_on {
                self.chain = Some(Chain {
                    first: 0,
                    last: 0,
                    id,
                    phase,
                    is_good: false,
                });
            }
            return;
        }
        let is_good = chain.as_ref().is_none_or(|chain| chain.is_good);
        let made = if is_good {
            self.make(directive, looks, &actions, id, phase)
        } else {
            Err(String::new())
        };
        let is_first = chain.is_none();
        let index = self.rules.len();
        let good = match made {
            Ok((mut rule, need)) => {
                if !is_first {
                    rule.id = 0;
                }
                self.rules.push(rule);
                self.needs.push(need);
                true
            }
            Err(reason) => {
                if !reason.is_empty() {
                    self.refuse(&directive.place, Some(id), reason);
                }
                // A chain that cannot be run whole is not run at all.
                if let Some(first) = chain.as_ref().and_then(|chain| self.rules.get_mut(chain.first)) {
                    first.phase = 0;
                }
                false
            }
        };
        if let Some(chain) = chain.as_ref().filter(|chain| chain.is_good && good)
            && let Some(last) = self.rules.get_mut(chain.last)
        {
            last.chained = Some(index);
        }
        if goes_on {
            self.chain = Some(Chain {
                first: chain.as_ref().map_or(index, |chain| chain.first),
                last: index,
                id,
                phase,
                is_good: good,
            });
        }
    }

    fn make(
        &mut self,
        directive: &Directive,
        looks: Option<(&str, &str)>,
        actions: &[(String, String)],
        id: u32,
        phase: u8,
    ) -> Refused<(Rule, Option<Need>)> {
        let mut rule = Rule {
            id,
            phase,
            targets: Vec::new(),
            without: Vec::new(),
            operator: Operator::Always,
            is_negated: false,
            pipelines: Vec::new(),
            captures: false,
            sets: Vec::new(),
            controls: Vec::new(),
            verdict: Verdict::Pass,
            skip_after: None,
            skip: 0,
            chained: None,
            needed: None,
            tags: Vec::new(),
            message: Arc::from(""),
            is_logged: true,
        };
        let mut steps = Vec::new();
        for (name, value) in actions {
            self.action(&mut rule, &mut steps, name, value)?;
        }
        let first = match actions.iter().any(|(name, _)| name == "multimatch") {
            true => 0,
            false => steps.len(),
        };
        for end in first..=steps.len() {
            let pipeline = self.pipeline(steps.get(..end).unwrap_or_default().to_vec());
            if !rule.pipelines.contains(&pipeline) {
                rule.pipelines.push(pipeline);
            }
        }
        let Some((targets, operator)) = looks else {
            return Ok((rule, None));
        };
        for target in syntax::targets(targets) {
            for (is_without, target) in self.target(&target)? {
                if is_without {
                    &mut rule.without
                } else {
                    &mut rule.targets
                }
                .push(target);
            }
        }
        if rule.targets.is_empty() {
            return Err("it looks at nothing that is known here".to_owned());
        }
        let (is_negated, name, argument) = operator_parts(operator);
        rule.is_negated = is_negated;
        let (operator, need) = self.operator(&directive.place, name, argument)?;
        rule.operator = operator;
        let is_filtered = !is_negated
            && rule.targets.iter().all(|target| {
                !target.counts && matches!(target.source, rule::Source::Values(_) | rule::Source::Names(_))
            });
        Ok((rule, need.filter(|_| is_filtered)))
    }

    fn pipeline(&mut self, steps: Vec<Transform>) -> usize {
        if let Some(known) = self.pipelines.iter().position(|known| *known == steps) {
            return known;
        }
        self.pipelines.push(steps);
        self.pipelines.len() - 1
    }

    fn finish(mut self) -> Result<RuleSet, LoadError> {
        let groups = (0..10).map(|group: u8| self.names.id(&group.to_string())).collect();
        let mut pinned = HashSet::new();
        let mut values = Vec::new();
        let mut pin = |names: &mut TxNames, name: &str, value: i64| {
            let id = names.id(name);
            pinned.insert(id);
            values.push((id, value));
        };
        if let Some(level) = self.options.paranoia {
            for name in [
                "paranoia_level",
                "executing_paranoia_level",
                "blocking_paranoia_level",
                "detection_paranoia_level",
            ] {
                pin(&mut self.names, name, i64::from(level));
            }
        }
        if let Some(threshold) = self.options.threshold {
            pin(&mut self.names, "inbound_anomaly_score_threshold", i64::from(threshold));
        }
        let mut presets: Vec<Option<TxValue>> = vec![None; self.names.names().len()];
        for (id, value) in values {
            if let Some(preset) = presets.get_mut(id) {
                *preset = Some(TxValue::Number(value));
            }
        }
        for target in self.rules.iter_mut().flat_map(|rule| &mut rule.targets) {
            if target.source == rule::Source::Tx && !matches!(target.key, Key::Tx(_)) {
                let named = self.names.names().iter().enumerate();
                let meant = named.filter(|(_, name)| target.key.is_for(name.as_bytes()));
                target.variables = meant.map(|(id, _)| id).collect();
            }
        }
        let named = self.names.names().iter().enumerate();
        let scores = named
            .filter(|(_, name)| name.contains("anomaly_score_pl"))
            .map(|(id, _)| id)
            .collect();
        let phases = self.phases();
        let pipelines = self.pipelines.into_iter().map(|steps| Pipeline {
            changes: steps
                .iter()
                .fold(ByteSet::default(), |all, step| all.union(step.changes())),
            steps: steps.into_iter().map(|step| (step, step.changes())).collect(),
        });
        let needs = self.needs;
        let mut set = RuleSet {
            prefilter: Prefilter::new(&[])?,
            looks: Vec::new(),
            phases,
            seen_through: Vec::new(),
            pipelines: pipelines.collect(),
            groups,
            pinned,
            scores,
            presets,
            names: self.names,
            rules: self.rules,
            work: self.options.work,
            denies_all: None,
            unsupported: self.unsupported,
            beyond_requests: self.beyond_requests,
            files: self.files,
        };
        set.settle();
        set.seen_through = (0..set.pipelines.len())
            .map(|pipeline| set.looked_through(pipeline))
            .collect();
        let steps = set.phases.iter().flatten();
        let filtered: Vec<_> = steps
            .filter_map(|step| Some((step.rule, needs.get(step.rule)?.clone()?)))
            .collect();
        for (number, _) in &filtered {
            if let Some(rule) = set.rules.get_mut(*number) {
                rule.needed = Some(*number);
            }
        }
        set.looks = set.looks(&filtered);
        set.prefilter = Prefilter::new(&filtered)?;
        Ok(set)
    }

    fn phases(&self) -> [Vec<Step>; 3] {
        let mut phases = [Vec::new(), Vec::new(), Vec::new()];
        for (index, rule) in self.rules.iter().enumerate() {
            if rule.id == 0 && rule.chained.is_none() && self.is_chained(index) {
                continue;
            }
            if let Some(phase) = phases
                .get_mut(usize::from(rule.phase))
                .filter(|_| rule.phase > 0 && !self.is_chained(index))
            {
                phase.push(Step {
                    rule: index,
                    jump: None,
                });
            }
        }
        for phase in &mut phases {
            let order: Vec<usize> = phase.iter().map(|step| step.rule).collect();
            for step in phase {
                let Some(marker) = self.rules.get(step.rule).and_then(|rule| rule.skip_after.as_ref()) else {
                    continue;
                };
                let behind = self.markers.iter().find(|(name, at)| name == marker && *at > step.rule);
                let target = behind.map_or(usize::MAX, |(_, at)| *at);
                step.jump = Some(order.partition_point(|rule| *rule < target));
            }
        }
        phases
    }

    /// Whether a rule is a chain's, behind the first.
    fn is_chained(&self, index: usize) -> bool {
        self.rules.get(index).is_some_and(|rule| rule.id == 0)
    }
}
