//! Which rules may match at all, found in one look at each value.
//!
//! Nearly every rule needs a text that harmless values do not have: one of a list of words, or one of a few signs. What an
//! expression needs is read off its structure. All the words of all rules are one automaton, which ignores case; a rule none
//! of whose words is anywhere in a request is not run. That a rule may match says nothing, that it may not is certain.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::operator::ByteSet;

/// Texts of one need.
const MOST_TEXTS: usize = 4096;
/// Texts that parts of an expression are multiplied to.
const MOST_PRODUCTS: usize = 128;
/// Signs of which one is needed, at most.
const MOST_SIGNS: u32 = 24;
/// Bytes of a text that are looked for: more find hardly less.
const TEXT_BYTES: usize = 8;

/// What a value must have so that a rule can match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// One of these texts, in lower case.
    Texts(Vec<Vec<u8>>),
    /// One of these bytes.
    Bytes(ByteSet),
}

impl Need {
    /// Of an expression; none where anything could match.
    pub(crate) fn of(hir: &Hir) -> Option<Self> {
        Self::from_texts(known(hir).best()?)
    }

    /// One of these texts.
    pub(crate) fn from_texts(texts: Vec<Vec<u8>>) -> Option<Self> {
        if texts.is_empty() || texts.len() > MOST_TEXTS || texts.iter().any(Vec::is_empty) {
            return None;
        }
        if texts.iter().any(|text| text.len() == 1) {
            let mut signs = ByteSet::default();
            for byte in texts.iter().filter_map(|text| text.first()) {
                signs.add(byte.to_ascii_lowercase());
                signs.add(byte.to_ascii_uppercase());
            }
            return (signs.len() <= MOST_SIGNS).then_some(Self::Bytes(signs));
        }
        let mut texts: Vec<Vec<u8>> = texts
            .into_iter()
            .map(|mut text| {
                text.truncate(TEXT_BYTES);
                text.to_ascii_lowercase()
            })
            .collect();
        texts.sort_unstable();
        texts.dedup();
        Some(Self::Texts(texts))
    }
}

/// What is known of a part of an expression.
#[derive(Clone, Debug, Default)]
struct Known {
    /// All texts that it matches, where they are few.
    exact: Option<Vec<Vec<u8>>>,
    /// Texts of which one is in everything that it matches.
    needs: Option<Vec<Vec<u8>>>,
}

impl Known {
    fn best(self) -> Option<Vec<Vec<u8>>> {
        better(self.exact, self.needs)
    }
}

/// The one of two lists that tells more: by its shortest text, and then by its length.
fn better(one: Option<Vec<Vec<u8>>>, other: Option<Vec<Vec<u8>>>) -> Option<Vec<Vec<u8>>> {
    let worth = |texts: &Vec<Vec<u8>>| {
        let shortest = texts.iter().map(Vec::len).min().unwrap_or_default();
        (shortest.min(4), std::cmp::Reverse(texts.len()))
    };
    let useful = |texts: &Vec<Vec<u8>>| !texts.is_empty() && texts.iter().all(|text| !text.is_empty());
    match (one.filter(useful), other.filter(useful)) {
        (Some(one), Some(other)) => Some(if worth(&one) >= worth(&other) { one } else { other }),
        (one, other) => one.or(other),
    }
}

fn known(hir: &Hir) -> Known {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Known {
            exact: Some(vec![Vec::new()]),
            needs: None,
        },
        HirKind::Literal(literal) => Known {
            exact: Some(vec![literal.0.to_ascii_lowercase()]),
            needs: None,
        },
        HirKind::Class(class) => Known {
            exact: class_texts(class),
            needs: None,
        },
        HirKind::Capture(capture) => known(&capture.sub),
        HirKind::Repetition(repetition) => {
            let inner = known(&repetition.sub);
            match (repetition.min, repetition.max) {
                (1, Some(1)) => inner,
                (0, Some(1)) => Known {
                    exact: inner.exact.map(|mut texts| {
                        texts.push(Vec::new());
                        texts
                    }),
                    needs: None,
                },
                (0, _) => Known::default(),
                _ => Known {
                    exact: None,
                    needs: inner.best(),
                },
            }
        }
        HirKind::Concat(parts) => concat(parts),
        HirKind::Alternation(parts) => alternation(parts),
    }
}

/// The bytes of a class that are different when case does not count.
fn class_texts(class: &Class) -> Option<Vec<Vec<u8>>> {
    let Class::Bytes(class) = class else { return None };
    let mut bytes: Vec<u8> = class
        .iter()
        .flat_map(|range| range.start()..=range.end())
        .map(|byte| byte.to_ascii_lowercase())
        .collect();
    bytes.sort_unstable();
    bytes.dedup();
    (bytes.len() <= 16).then(|| bytes.into_iter().map(|byte| vec![byte]).collect())
}

fn concat(parts: &[Hir]) -> Known {
    let mut needs = None;
    // Texts that the parts since the last unknown one match together.
    let mut run = vec![Vec::new()];
    let mut is_exact = true;
    for part in parts {
        let part = known(part);
        match part.exact {
            Some(texts) if run.len() * texts.len() <= MOST_PRODUCTS => {
                let products = run
                    .iter()
                    .flat_map(|start| texts.iter().map(move |text| [start.as_slice(), text].concat()));
                run = products.collect();
            }
            exact => {
                needs = better(needs, Some(std::mem::replace(&mut run, vec![Vec::new()])));
                is_exact = false;
                match exact {
                    Some(texts) if texts.len() <= MOST_PRODUCTS => run = texts,
                    exact => needs = better(needs, better(exact, part.needs)),
                }
            }
        }
    }
    match is_exact {
        true => Known {
            exact: Some(run),
            needs,
        },
        false => Known {
            exact: None,
            needs: better(needs, Some(run)),
        },
    }
}

fn alternation(parts: &[Hir]) -> Known {
    let parts: Vec<_> = parts.iter().map(known).collect();
    let exact = parts.iter().map(|part| part.exact.clone()).collect::<Option<Vec<_>>>();
    let exact = exact
        .map(|texts| texts.concat())
        .filter(|texts| texts.len() <= MOST_TEXTS);
    if exact.is_some() {
        return Known { exact, needs: None };
    }
    let needs = parts.into_iter().map(Known::best).collect::<Option<Vec<_>>>();
    Known {
        exact: None,
        needs: needs
            .map(|texts| texts.concat())
            .filter(|texts| texts.len() <= MOST_TEXTS),
    }
}

/// A set of rules, by their numbers here.
pub(crate) type Bits = Vec<u64>;

/// Sets a bit of a set that is long enough for it.
pub(crate) fn set_bit(bits: &mut [u64], number: usize) {
    if let Some(word) = bits.get_mut(number / 64) {
        *word |= 1 << (number % 64);
    }
}

pub(crate) fn has_bit(bits: &[u64], number: usize) -> bool {
    bits.get(number / 64)
        .is_some_and(|word| word & (1 << (number % 64)) != 0)
}

/// The needs of many rules.
#[derive(Debug)]
pub(crate) struct Prefilter {
    texts: AhoCorasick,
    /// The rules that need each text.
    rules: Vec<Vec<usize>>,
    signs: Vec<(ByteSet, usize)>,
    /// All of them.
    all_signs: ByteSet,
}

impl Prefilter {
    pub(crate) fn new(needs: &[(usize, Need)]) -> Result<Self, aho_corasick::BuildError> {
        let mut numbers: HashMap<&[u8], usize> = HashMap::new();
        let mut texts = Vec::new();
        let mut rules: Vec<Vec<usize>> = Vec::new();
        let mut signs = Vec::new();
        for (rule, need) in needs {
            match need {
                Need::Bytes(bytes) => signs.push((*bytes, *rule)),
                Need::Texts(needed) => {
                    for text in needed {
                        let number = *numbers.entry(text).or_insert_with(|| {
                            texts.push(text);
                            rules.push(Vec::new());
                            texts.len() - 1
                        });
                        if let Some(rules) = rules.get_mut(number) {
                            rules.push(*rule);
                        }
                    }
                }
            }
        }
        let texts = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .build(texts)?;
        let all_signs = signs
            .iter()
            .fold(ByteSet::default(), |all, (signs, _)| all.union(*signs));
        Ok(Self {
            texts,
            rules,
            signs,
            all_signs,
        })
    }

    /// Adds the rules that may match this value.
    pub(crate) fn look(&self, value: &[u8], bytes: &ByteSet, found: &mut [u64]) {
        if self.all_signs.meets(bytes) {
            for (_, rule) in self.signs.iter().filter(|(signs, _)| signs.meets(bytes)) {
                set_bit(found, *rule);
            }
        }
        for text in self.texts.find_overlapping_iter(value) {
            for rule in self.rules.get(text.pattern().as_usize()).into_iter().flatten() {
                set_bit(found, *rule);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::compile;

    fn needs(pattern: &str) -> Option<Vec<String>> {
        let (_, hir) = compile(pattern).unwrap();
        match Need::of(&hir)? {
            Need::Texts(texts) => Some(
                texts
                    .iter()
                    .map(|text| String::from_utf8_lossy(text).into_owned())
                    .collect(),
            ),
            Need::Bytes(bytes) => Some(
                (0..=255)
                    .filter(|byte| bytes.has(*byte))
                    .map(|byte| char::from(byte).to_string())
                    .collect(),
            ),
        }
    }

    fn texts(texts: &[&str]) -> Option<Vec<String>> {
        Some(texts.iter().map(|text| (*text).to_owned()).collect())
    }

    #[test]
    fn what_an_expression_needs_is_read_off_its_structure() {
        assert_eq!(needs("(?i)union.*select"), texts(&["union"]));
        assert_eq!(needs("^(?:foo|bar)+$"), texts(&["bar", "foo"]));
        assert_eq!(needs("a?bc"), texts(&["abc", "bc"]));
        assert_eq!(needs(r"\bexec\s*\("), texts(&["exec"]));
        assert_eq!(needs("['\"]x?"), texts(&["\"", "'"]));
        assert_eq!(needs(".*"), None);
        assert_eq!(needs("(?:foo|.*)"), None);
        assert_eq!(
            needs("[0-9]+"),
            texts(&["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"])
        );
        assert_eq!(needs("a{0,3}"), None);
    }

    #[test]
    fn only_rules_whose_need_is_met_are_found() {
        let needs = ["(?i)script", "etc/passwd|win\\.ini", "[<>]"]
            .map(|pattern| Need::of(&compile(pattern).unwrap().1).unwrap());
        let needs: Vec<_> = needs.into_iter().enumerate().collect();
        let prefilter = Prefilter::new(&needs).unwrap();
        let found = |value: &str| {
            let mut found = vec![0; 1];
            prefilter.look(value.as_bytes(), &ByteSet::of(value.as_bytes()), &mut found);
            (0..3).filter(|rule| has_bit(&found, *rule)).collect::<Vec<_>>()
        };
        assert_eq!(found("harmless"), Vec::<usize>::new());
        assert_eq!(found("<ScRiPt>"), vec![0, 2]);
        assert_eq!(found("../../etc/passwd"), vec![1]);
    }
}
