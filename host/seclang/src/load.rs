//! From files to a set of rules that can be run, and what cannot be.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use regex::bytes::{Regex, RegexBuilder};

use crate::expand::{Expansion, TxId, TxNames};
use crate::operator::{ByteSet, Comparison, Operator, Order};
use crate::pattern;
use crate::prefilter::{Bits, Need, Prefilter, set_bit};
use crate::request::List;
use crate::rule::{self, Change, Control, Key, Rule, Selection, Set, Target, Verdict};
use crate::run::TxValue;
use crate::syntax::{self, Directive, Place};
use crate::transform::Transform;

/// Bytes of one file of rules or phrases.
const FILE_BYTES: u64 = 8 << 20;
/// Rules of a set.
const MOST_RULES: usize = 16_384;
/// How deep files may include others.
const DEPTH: usize = 8;
/// Bytes that are looked at for one request, all rules and transformations together.
pub const WORK: usize = 64 << 20;

/// What finds injections for `@detectSQLi` and `@detectXSS`.
#[derive(Clone, Copy, Debug)]
pub struct Detectors {
    /// Whether a value injects SQL.
    pub sqli: fn(&[u8]) -> bool,
    /// Whether a value injects markup or script.
    pub xss: fn(&[u8]) -> bool,
}

/// What is said of a rule set besides its files.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The paranoia level, whatever the files say.
    pub paranoia: Option<u8>,
    /// The anomaly score at which a request is denied, whatever the files say.
    pub threshold: Option<u32>,
    /// What finds injections.
    pub detectors: Detectors,
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

/// Why a rule set cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file or folder that cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file that is too long.
    #[error("{}: longer than {} MiB", .0.display(), FILE_BYTES >> 20)]
    TooLong(PathBuf),
    /// A folder without rules.
    #[error("{}: no file of it ends in `.conf`", .0.display())]
    Empty(PathBuf),
    /// Files that include each other, or a very deep way.
    #[error("{}: files include each other more than {DEPTH} deep", .0.display())]
    TooDeep(PathBuf),
    /// More rules than anybody has.
    #[error("more than {MOST_RULES} rules")]
    TooMany,
    /// The words of all rules together are too many.
    #[error("the texts that rules look for make too large an automaton: {0}")]
    Automaton(#[from] aho_corasick::BuildError),
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

/// Rules, ready to run.
#[derive(Debug)]
pub struct RuleSet {
    pub(crate) rules: Vec<Rule>,
    /// What is run in each phase, in order.
    pub(crate) phases: [Vec<Step>; 3],
    pub(crate) pipelines: Vec<Pipeline>,
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
    pub(crate) detectors: Detectors,
    pub(crate) work: usize,
    /// A rule that denies every request, and what it says.
    pub(crate) denies_all: Option<(u32, Arc<str>)>,
    unsupported: Vec<Unsupported>,
    beyond_requests: usize,
    files: Vec<PathBuf>,
}

/// A rule of a phase.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) rule: usize,
    /// It is run only where the prefilter says so.
    pub(crate) needs_candidate: bool,
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
    pub(crate) pipelines: Vec<(usize, Bits)>,
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
    fn looks(&self, filtered: &[(usize, Need)]) -> Vec<Look> {
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
                    });
                    looks.len() - 1
                });
                let Some(look) = looks.get_mut(at) else { continue };
                for pipeline in &rule.pipelines {
                    let pipeline = self.looked_through(*pipeline);
                    let known = look.pipelines.iter().position(|(known, _)| *known == pipeline);
                    let known = known.unwrap_or_else(|| {
                        look.pipelines.push((pipeline, vec![0; self.rules.len().div_ceil(64)]));
                        look.pipelines.len() - 1
                    });
                    if let Some((_, rules)) = look.pipelines.get_mut(known) {
                        set_bit(rules, index);
                    }
                }
            }
        }
        looks
    }

    /// The pipeline through which the prefilter looks: case does not count for it, so a change of it at the end is left off
    /// where there is a pipeline without.
    fn looked_through(&self, pipeline: usize) -> usize {
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
        for step in self.phases.iter_mut().flatten() {
            step.needs_candidate = false;
        }
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
        let about = std::fs::metadata(path).map_err(|error| unreadable(path, error))?;
        if about.len() > FILE_BYTES {
            return Err(LoadError::TooLong(path.to_owned()));
        }
        let bytes = std::fs::read(path).map_err(|error| unreadable(path, error))?;
        self.files.push(path.to_owned());
        Ok(String::from_utf8_lossy(&bytes).into_owned())
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

    fn default_action(&mut self, actions: &str) {
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

    fn action(&mut self, rule: &mut Rule, steps: &mut Vec<Transform>, name: &str, value: &str) -> Refused<()> {
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
    fn set(&mut self, text: &str) -> Option<Set> {
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

    fn control(&mut self, text: &str) -> Refused<Vec<Control>> {
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

    /// What a target stands for, and whether it is left out.
    fn target(&mut self, target: &syntax::Target) -> Refused<Vec<(bool, Target)>> {
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
        });
        Ok(made.map(|made| (target.sign == Some('!'), made)).collect())
    }

    fn pipeline(&mut self, steps: Vec<Transform>) -> usize {
        if let Some(known) = self.pipelines.iter().position(|known| *known == steps) {
            return known;
        }
        self.pipelines.push(steps);
        self.pipelines.len() - 1
    }

    /// The operator, and what a value must have so that it can match.
    fn operator(&mut self, place: &Place, name: &str, argument: &str) -> Refused<(Operator, Option<Need>)> {
        let text = |names: &mut TxNames, comparison: Comparison| {
            let argument = Expansion::parse(argument, names);
            // A value in a text of the rule has no need of its own.
            let literal = argument.literal().filter(|_| comparison != Comparison::Within);
            let need = literal.and_then(|literal| Need::from_texts(vec![literal.as_bytes().to_vec()]));
            (Operator::Text(comparison, argument), need)
        };
        let order =
            |names: &mut TxNames, order: Order| (Operator::Number(order, Expansion::parse(argument, names)), None);
        let names = &mut self.names;
        Ok(match name.to_ascii_lowercase().as_str() {
            "rx" | "rxglobal" => {
                let (expression, hir) =
                    pattern::compile(argument).map_err(|error| format!("its expression cannot be run: {error}"))?;
                (Operator::Expression(expression), Need::of(&hir))
            }
            "pm" => phrases(argument.split_ascii_whitespace())?,
            "pmf" | "pmfromfile" => {
                let mut all = Vec::new();
                for file in argument.split_ascii_whitespace() {
                    all.extend(self.phrases(place, file)?.iter().cloned());
                }
                phrases(all.iter().map(String::as_str))?
            }
            "contains" => text(names, Comparison::Contains),
            "containsword" => text(names, Comparison::ContainsWord),
            "streq" => text(names, Comparison::Equals),
            "beginswith" => text(names, Comparison::Begins),
            "endswith" => text(names, Comparison::Ends),
            "within" => text(names, Comparison::Within),
            "strmatch" => text(names, Comparison::Contains),
            "eq" => order(names, Order::Equal),
            "ge" => order(names, Order::GreaterOrEqual),
            "gt" => order(names, Order::Greater),
            "le" => order(names, Order::LessOrEqual),
            "lt" => order(names, Order::Less),
            "ipmatch" => (Operator::Addresses(addresses(argument)?), None),
            "validatebyterange" => (Operator::Bytes(byte_ranges(argument)?), None),
            "validateurlencoding" => (Operator::UrlEncoding, Some(Need::Bytes(ByteSet::of(b"%")))),
            "validateutf8encoding" => (Operator::Utf8, Some(Need::Bytes(ByteSet::default().with(0x80..=0xff)))),
            "detectsqli" => (Operator::Sqli, Some(Need::Bytes(suspicious()))),
            "detectxss" => (Operator::Xss, Some(Need::Bytes(ByteSet::of(b"<>='\"`:")))),
            "unconditionalmatch" => (Operator::Always, None),
            "nomatch" => (Operator::Never, None),
            other => return Err(format!("the operator `@{other}` is not supported")),
        })
    }

    /// The phrases of a file beside the rules, one a line.
    fn phrases(&mut self, place: &Place, file: &str) -> Refused<Arc<Vec<String>>> {
        let path = place.file.parent().unwrap_or(Path::new("")).join(file);
        if let Some(known) = self.phrases.get(&path) {
            return Ok(Arc::clone(known));
        }
        let text = self.read(&path).map_err(|error| error.to_string())?;
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let phrases = Arc::new(lines.map(str::to_owned).collect::<Vec<_>>());
        self.phrases.insert(path, Arc::clone(&phrases));
        Ok(phrases)
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
            pipelines: pipelines.collect(),
            groups,
            pinned,
            scores,
            presets,
            names: self.names,
            rules: self.rules,
            detectors: self.options.detectors,
            work: self.options.work,
            denies_all: None,
            unsupported: self.unsupported,
            beyond_requests: self.beyond_requests,
            files: self.files,
        };
        set.settle();
        let filtered = set.phases.iter().flatten().filter(|step| step.needs_candidate);
        let filtered: Vec<_> = filtered
            .filter_map(|step| Some((step.rule, needs.get(step.rule)?.clone()?)))
            .collect();
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
                    needs_candidate: self.needs.get(index).is_some_and(Option::is_some),
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

fn unreadable(path: &Path, error: std::io::Error) -> LoadError {
    LoadError::Unreadable {
        path: path.to_owned(),
        error,
    }
}

/// Files of a folder that end in `.conf`, by their names.
fn rules_of(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let files = entries.into_iter().map(|entry| entry.path());
    let mut files: Vec<_> = files
        .filter(|file| file.extension().is_some_and(|end| end == "conf"))
        .collect();
    files.sort_unstable();
    Ok(files)
}

/// What an `Include` names: a file, or with `*` as the last part of its path those of a folder.
fn included(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    match path.file_name().and_then(|name| name.to_str()) {
        Some("*.conf" | "*") => rules_of(path.parent().unwrap_or(Path::new(""))),
        _ => Ok(vec![path.to_owned()]),
    }
}

/// `request` is phase 2, as rules may write it.
fn phase(text: &str) -> u8 {
    match text.to_ascii_lowercase().as_str() {
        "request" => 2,
        "response" => 4,
        "logging" => 5,
        number => number.parse().unwrap_or(2),
    }
}

/// `!@name argument`; without a name it is an expression.
fn operator_parts(text: &str) -> (bool, &str, &str) {
    let text = text.trim_start();
    let (is_negated, text) = match text.strip_prefix('!') {
        Some(rest) if rest.trim_start().starts_with('@') => (true, rest.trim_start()),
        _ => (false, text),
    };
    match text.strip_prefix('@') {
        Some(named) => {
            let (name, argument) = named.split_once(char::is_whitespace).unwrap_or((named, ""));
            (is_negated, name, argument)
        }
        None => (is_negated, "rx", text),
    }
}

/// `1,2-5 7`
fn selections(text: &str) -> Vec<Selection> {
    let parts = text.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty());
    let selection = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(Selection::Ids(first.parse().ok()?..=last.parse().ok()?))
    };
    parts.filter_map(selection).collect()
}

fn tag_expression(text: &str) -> Refused<Regex> {
    pattern::compile(text)
        .map(|(regex, _)| regex)
        .map_err(|error| format!("the tag `{text}` is no expression: {error}"))
}

fn key_expression(text: &str) -> Refused<Regex> {
    RegexBuilder::new(text)
        .unicode(false)
        .case_insensitive(true)
        .build()
        .map_err(|_| format!("`/{text}/` is no expression"))
}

fn phrases<'p>(phrases: impl Iterator<Item = &'p str>) -> Refused<(Operator, Option<Need>)> {
    let phrases: Vec<&str> = phrases.collect();
    if phrases.is_empty() {
        return Err("it has no phrases".to_owned());
    }
    let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(&phrases);
    let automaton = automaton.map_err(|error| error.to_string())?;
    let need = Need::from_texts(phrases.iter().map(|phrase| phrase.as_bytes().to_vec()).collect());
    Ok((Operator::Phrases(Box::new(automaton)), need))
}

fn addresses(text: &str) -> Refused<Vec<ipnet::IpNet>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let network = |part: &str| {
        let address = || part.parse::<std::net::IpAddr>().ok().map(ipnet::IpNet::from);
        part.parse::<ipnet::IpNet>()
            .ok()
            .or_else(address)
            .ok_or_else(|| format!("`{part}` is no address"))
    };
    parts.map(network).collect()
}

/// `1-255,9`
fn byte_ranges(text: &str) -> Refused<ByteSet> {
    let mut set = ByteSet::default();
    for part in text.split(',').map(str::trim) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.trim().parse::<u8>(), last.trim().parse::<u8>()) {
            (Ok(first), Ok(last)) => set = set.with(first..=last),
            _ => return Err(format!("`{part}` is no range of bytes")),
        }
    }
    Ok(set)
}

/// Bytes of which SQL needs one: all but those of plain names, numbers and addresses.
fn suspicious() -> ByteSet {
    let plain = ByteSet::of(b"_./:")
        .with(b'a'..=b'z')
        .with(b'A'..=b'Z')
        .with(b'0'..=b'9');
    plain.inverse()
}
