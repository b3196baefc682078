//! A strict reader of the OpenMetrics text format: what it does not understand fails the test.

use std::collections::{BTreeMap, BTreeSet};

/// A metrics page.
pub(super) struct Page {
    kinds: BTreeMap<String, String>,
    samples: Vec<Sample>,
}

type Labels = BTreeMap<String, String>;

struct Sample {
    name: String,
    labels: Labels,
    value: f64,
}

impl Page {
    pub(super) fn parse(text: &str) -> Self {
        let text = text.strip_suffix("# EOF\n").expect("the page ends in # EOF");
        let (mut kinds, mut helped, mut units) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        let (mut samples, mut seen, mut family) = (Vec::new(), BTreeSet::new(), String::new());
        for line in text.split_terminator('\n') {
            let words: Vec<&str> = line.splitn(4, ' ').collect();
            match words[..] {
                ["#", "TYPE", name, kind] => {
                    assert!(["counter", "gauge", "histogram", "info"].contains(&kind), "{line}");
                    assert!(
                        kinds.insert(name.to_owned(), kind.to_owned()).is_none(),
                        "twice: {line}"
                    );
                    family = name.to_owned();
                }
                ["#", "HELP", name, help] => {
                    assert!(help.len() > 10, "help: {line}");
                    assert!(helped.insert(name.to_owned()), "twice: {line}");
                }
                ["#", "UNIT", name, unit] => {
                    assert!(name.ends_with(&format!("_{unit}")), "{line}");
                    units.insert(name.to_owned(), unit.to_owned());
                }
                _ => {
                    let sample = Sample::parse(line);
                    let suffix = sample.name.strip_prefix(&family);
                    let suffixes: &[&str] = match kinds.get(&family).map(String::as_str) {
                        Some("counter") => &["_total"],
                        Some("histogram") => &["_bucket", "_sum", "_count"],
                        _ => &["", "_info"],
                    };
                    assert!(
                        suffix.is_some_and(|suffix| suffixes.contains(&suffix)),
                        "{line} is not of {family}"
                    );
                    assert!(
                        seen.insert((sample.name.clone(), sample.labels.clone())),
                        "twice: {line}"
                    );
                    samples.push(sample);
                }
            }
        }
        assert!(
            kinds.keys().all(|name| helped.contains(name)),
            "without help: {kinds:?} {helped:?}"
        );
        let page = Self { kinds, samples };
        page.check_histograms();
        page
    }

    fn check_histograms(&self) {
        let mut buckets: BTreeMap<(String, Labels), Vec<(f64, f64)>> = BTreeMap::new();
        for sample in &self.samples {
            if let Some(family) = sample.name.strip_suffix("_bucket") {
                let mut labels = sample.labels.clone();
                let bound = labels.remove("le").expect("a bucket has a bound");
                let bound = if bound == "+Inf" {
                    f64::INFINITY
                } else {
                    bound.parse().unwrap()
                };
                buckets
                    .entry((family.to_owned(), labels))
                    .or_default()
                    .push((bound, sample.value));
            }
        }
        for ((family, labels), buckets) in buckets {
            assert!(
                buckets
                    .windows(2)
                    .all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1),
                "{family}: {buckets:?}"
            );
            let last = buckets.last().unwrap();
            let count = self
                .samples
                .iter()
                .find(|it| it.name == format!("{family}_count") && it.labels == labels);
            assert_eq!(
                (last.0, last.1),
                (f64::INFINITY, count.unwrap().value),
                "{family} {labels:?}"
            );
        }
    }

    pub(super) fn kind(&self, family: &str) -> Option<&str> {
        self.kinds.get(family).map(String::as_str)
    }

    pub(super) fn families(&self) -> Vec<&String> {
        self.kinds.keys().collect()
    }

    pub(super) fn has_samples(&self, family: &str) -> bool {
        self.samples.iter().any(|sample| sample.name.starts_with(family))
    }

    pub(super) fn samples_of(&self, name: &str) -> usize {
        self.samples.iter().filter(|sample| sample.name == name).count()
    }

    pub(super) fn sum(&self, name: &str) -> f64 {
        self.samples
            .iter()
            .filter(|sample| sample.name == name)
            .map(|sample| sample.value)
            .sum()
    }
}

impl Sample {
    fn parse(line: &str) -> Self {
        let name_end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no value: {line}"));
        let (name, rest) = line.split_at(name_end);
        let is_name = |text: &str| {
            !text.is_empty()
                && !text.starts_with(|c: char| c.is_ascii_digit())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        assert!(is_name(name), "{line}");
        let mut labels = BTreeMap::new();
        let mut rest = rest;
        if let Some(mut inner) = rest.strip_prefix('{') {
            while !inner.starts_with('}') {
                let (label, after) = inner.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
                assert!(is_name(label), "{line}");
                let (value, after) = quoted(after).unwrap_or_else(|| panic!("{line}"));
                assert!(
                    labels.insert(label.to_owned(), value).is_none(),
                    "a label twice: {line}"
                );
                inner = after.strip_prefix(',').unwrap_or(after);
            }
            rest = &inner[1..];
        }
        let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line}"));
        let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        Self {
            name: name.to_owned(),
            labels,
            value,
        }
    }
}

/// A label's value up to its closing quote, and what comes after that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    loop {
        match chars.next()? {
            (at, '"') => return Some((value, &text[at + 1..])),
            (_, '\\') => value.push(match chars.next()?.1 {
                'n' => '\n',
                other @ ('\\' | '"') => other,
                _ => return None,
            }),
            (_, other) => value.push(other),
        }
    }
}
