//! Path templates of one guard, in trees of the `matchit` crate.
//!
//! matchit lets a static segment and a parameter share a place and backtracks between them, but not a
//! parameter and a catch-all: `/a/{x}/{rest+}` and `/a/{rest+}` cannot be in one tree. So greedy templates
//! have a tree for each length, where their catch-alls never meet a parameter; those with `{rest*}` have trees apart,
//! because `/a/{rest+}` and `/a/{rest*}` may both be there. A `{rest*}` is in its tree three times: without the slash
//! before it, with nothing after the slash, and as a catch-all.

use std::collections::BTreeMap;
use std::sync::Arc;

use gatewright_config::gateway::{PathSegment, PathTemplate};

use super::RouterErrorCause;
use gatewright_core::{Parameters, path};

/// Parameters that one template may have: matchit names them by letter, and panics when it has come to `z`.
pub(super) const MOST_PARAMETERS: usize = 25;

/// Templates of one guard.
#[derive(Debug, Default)]
pub(super) struct Templates {
    whole: matchit::Router<Arc<Leaf>>,
    /// By last segment and number of segments; there is rarely more than one length.
    greedy: BTreeMap<(SegmentKind, usize), matchit::Router<Arc<Leaf>>>,
}

impl Templates {
    /// Adds a template.
    pub(super) fn insert(&mut self, template: &Template) -> Result<(), RouterErrorCause> {
        let tree = match template.greedy {
            None => &mut self.whole,
            Some(kind) => self.greedy.entry(kind).or_default(),
        };
        for text in &template.texts {
            tree.insert(&**text, template.leaf.clone())
                .map_err(|_| RouterErrorCause::Conflict)?;
        }
        Ok(())
    }

    /// The most specific template that matches `path`. Without `greedy` only those that need no `{rest+}` or
    /// `{rest*}` are looked at: when there is such a match elsewhere, the others could not win.
    pub(super) fn find<'a>(&'a self, path: &'a str, greedy: bool) -> Option<Hit<'a>> {
        if let Ok(hit) = self.whole.at(path) {
            return Some(Hit(hit));
        }
        if !greedy {
            return None;
        }
        let hits = self.greedy.values().filter_map(|tree| tree.at(path).ok().map(Hit));
        hits.min_by(|a, b| a.specificity().cmp(b.specificity()))
    }
}

/// A match within [`Templates`].
#[derive(Debug)]
pub(super) struct Hit<'a>(matchit::Match<'a, 'a, &'a Arc<Leaf>>);

impl<'a> Hit<'a> {
    /// Index of the route.
    pub(super) fn route(&self) -> usize {
        self.0.value.route
    }

    /// What orders the templates that match one path: the smallest is the most specific.
    pub(super) fn specificity(&self) -> &'a Specificity {
        &self.0.value.specificity
    }

    /// Whether it took a `{rest+}` or `{rest*}` to match.
    pub(super) fn is_greedy(&self) -> bool {
        self.specificity().greedy
    }

    /// What the parameters of the template stand for in `path`, which it was found for.
    pub(super) fn parameters(&self, path: &str) -> Parameters {
        let names = &self.0.value.names;
        let parameters = Parameters::new(names, self.0.params.iter().map(|(_, value)| value), path.len());
        match self.0.params.len() < names.len() && !path.ends_with('/') {
            true => parameters.before_rest(),
            false => parameters,
        }
    }
}

/// A route's template as it goes into the trees.
#[derive(Debug)]
pub(super) struct Template {
    /// One, or all that a `{rest*}` stands for.
    texts: Vec<String>,
    /// The last segment and the number of segments when the last is greedy.
    greedy: Option<(SegmentKind, usize)>,
    leaf: Arc<Leaf>,
}

/// What a tree knows of a route; shared by the trees of its hosts and methods.
#[derive(Debug)]
struct Leaf {
    route: usize,
    names: Arc<[Arc<str>]>,
    specificity: Specificity,
}

/// Orders the templates that match one path.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Specificity {
    greedy: bool,
    segments: Box<[SegmentKind]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum SegmentKind {
    Static,
    Parameter,
    Greedy,
    Rest,
}

impl Template {
    /// Prepares the template of the route with this index.
    pub(super) fn new(route: usize, PathTemplate(segments): &PathTemplate) -> Result<Template, RouterErrorCause> {
        let texts = tree_texts(segments)?;
        let last = segments.last().map(kind);
        let greedy = last.filter(|kind| *kind >= SegmentKind::Greedy);
        let greedy = greedy.map(|kind| (kind, segments.len()));
        let specificity = Specificity {
            greedy: greedy.is_some(),
            segments: segments.iter().map(kind).collect(),
        };
        let leaf = Arc::new(Leaf {
            route,
            names: segments.iter().filter_map(name).collect(),
            specificity,
        });
        if leaf.names.len() > MOST_PARAMETERS {
            return Err(RouterErrorCause::TooManyParameters);
        }
        Ok(Template { texts, greedy, leaf })
    }
}

/// The template as matchit writes it. Static segments get the normal form of request paths, in which braces are
/// percent-encoded; so there is nothing to escape.
fn tree_texts(segments: &[PathSegment]) -> Result<Vec<String>, RouterErrorCause> {
    let mut texts = Vec::new();
    let mut text = String::new();
    for (index, segment) in segments.iter().enumerate() {
        let last = index + 1 == segments.len();
        if last && !text.is_empty() && matches!(segment, PathSegment::Rest(_)) {
            texts.push(text.clone());
        }
        text.push('/');
        match segment {
            PathSegment::Static(literal) => match path::normal_segment(literal) {
                Ok(literal) => text.push_str(&literal),
                Err(cause) => return Err(RouterErrorCause::Segment(literal.clone(), cause)),
            },
            PathSegment::Parameter(_) => text.push_str("{p}"),
            PathSegment::Greedy(_) | PathSegment::Rest(_) if !last => return Err(RouterErrorCause::GreedyNotLast),
            PathSegment::Greedy(_) => text.push_str("{*p}"),
            PathSegment::Rest(_) => {
                texts.push(text.clone());
                text.push_str("{*p}");
            }
        }
    }
    texts.push(text);
    Ok(texts)
}

fn kind(segment: &PathSegment) -> SegmentKind {
    match segment {
        PathSegment::Static(_) => SegmentKind::Static,
        PathSegment::Parameter(_) => SegmentKind::Parameter,
        PathSegment::Greedy(_) => SegmentKind::Greedy,
        PathSegment::Rest(_) => SegmentKind::Rest,
    }
}

fn name(segment: &PathSegment) -> Option<Arc<str>> {
    match segment {
        PathSegment::Static(_) => None,
        PathSegment::Parameter(name) | PathSegment::Greedy(name) | PathSegment::Rest(name) => {
            Some(name.as_str().into())
        }
    }
}
