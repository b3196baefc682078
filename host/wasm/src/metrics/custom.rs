//! Metrics that plugins make up themselves, as `gatewright_plugin_custom_<name>` with the label `plugin` added.
//! Bounded: names and labels are checked, and a plugin has so many series and no more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// Series of one plugin.
const SERIES: usize = 100;
const LABELS: usize = 8;
const NAME_BYTES: usize = 64;
const VALUE_BYTES: usize = 128;
/// Upper bounds of histograms: seconds by habit, but any unit's shape.
const BOUNDS: [f64; 10] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 100.0];

/// What a plugin reports.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sample {
    /// To a counter.
    Add(u64),
    /// A gauge's value.
    Set(f64),
    /// One observation of a histogram.
    Observe(f64),
}

/// All plugins' own metrics. A name is one family of one type, whichever plugin used it first.
#[derive(Default)]
pub(crate) struct CustomMetrics(Mutex<Metrics>);

#[derive(Default)]
struct Metrics {
    families: BTreeMap<String, Family>,
    /// Series of each plugin.
    series: BTreeMap<Arc<str>, usize>,
}

struct Family {
    kind: Kind,
    series: BTreeMap<Labels, Value>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// The plugin's name first.
type Labels = Vec<(String, String)>;

#[derive(Default)]
struct Value {
    count: u64,
    number: f64,
    buckets: [u64; BOUNDS.len() + 1],
}

impl CustomMetrics {
    /// Takes a sample; false when it is dropped.
    pub(crate) fn record(&self, plugin: &Arc<str>, name: &str, sample: Sample, labels: Vec<(String, String)>) -> bool {
        let (kind, number) = match sample {
            Sample::Add(_) => (Kind::Counter, 0.0),
            Sample::Set(number) => (Kind::Gauge, number),
            Sample::Observe(number) => (Kind::Histogram, number),
        };
        let Some(labels) = checked(plugin, name, labels).filter(|_| !number.is_nan()) else {
            return false;
        };
        let mut metrics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Metrics { families, series } = &mut *metrics;
        if let Some(family) = families.get_mut(name) {
            if family.kind != kind {
                return false;
            }
            if let Some(known) = family.series.get_mut(&labels) {
                known.take(sample);
                return true;
            }
        }
        let count = series.entry(Arc::clone(plugin)).or_default();
        if *count >= SERIES {
            return false;
        }
        *count += 1;
        let new = || Family {
            kind,
            series: BTreeMap::new(),
        };
        let family = families.entry(name.to_owned()).or_insert_with(new);
        family.series.entry(labels).or_default().take(sample);
        true
    }

    /// Writes all of them.
    pub(crate) fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> std::fmt::Result {
        let metrics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, family) in &metrics.families {
            let name = format!("gatewright_plugin_custom_{name}");
            let mut metric =
                encoder.encode_descriptor(&name, "A plugin's own metric", None, family.kind.metric_type())?;
            for (labels, value) in &family.series {
                value.encode(family.kind, metric.encode_family(labels)?)?;
            }
        }
        Ok(())
    }
}

impl Kind {
    fn metric_type(self) -> MetricType {
        match self {
            Self::Counter => MetricType::Counter,
            Self::Gauge => MetricType::Gauge,
            Self::Histogram => MetricType::Histogram,
        }
    }
}

impl Value {
    fn take(&mut self, sample: Sample) {
        match sample {
            Sample::Add(delta) => self.count = self.count.saturating_add(delta),
            Sample::Set(number) => self.number = number,
            Sample::Observe(number) => {
                self.count += 1;
                self.number += number;
                let bucket = BOUNDS.iter().position(|bound| number <= *bound).unwrap_or(BOUNDS.len());
                if let Some(bucket) = self.buckets.get_mut(bucket) {
                    *bucket += 1;
                }
            }
        }
    }

    fn encode(&self, kind: Kind, mut metric: MetricEncoder<'_>) -> std::fmt::Result {
        match kind {
            Kind::Counter => metric.encode_counter::<NoLabelSet, _, u64>(&self.count, None),
            Kind::Gauge => metric.encode_gauge(&self.number),
            Kind::Histogram => {
                let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
                let buckets: Vec<_> = bounds.zip(self.buckets).collect();
                metric.encode_histogram::<NoLabelSet>(self.number, self.count, &buckets, None)
            }
        }
    }
}

/// The labels with the plugin's before them, if name and labels are what they must be.
fn checked(plugin: &Arc<str>, name: &str, mut labels: Labels) -> Option<Labels> {
    let right = is_name(name)
        && labels.len() <= LABELS
        && labels
            .iter()
            .all(|(name, value)| is_name(name) && name != "plugin" && name != "le" && value.len() <= VALUE_BYTES);
    labels.sort_unstable();
    let unique = labels.windows(2).all(|pair| !matches!(pair, [a, b] if a.0 == b.0));
    (right && unique).then(|| {
        labels.insert(0, ("plugin".to_owned(), (**plugin).to_owned()));
        labels
    })
}

/// `[a-z_][a-z0-9_]*`
fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= NAME_BYTES
        && bytes
            .next()
            .is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin() -> Arc<str> {
        "p".into()
    }

    fn label(value: usize) -> Vec<(String, String)> {
        vec![("l".to_owned(), value.to_string())]
    }

    #[test]
    fn series_are_bounded_for_each_plugin() {
        let metrics = CustomMetrics::default();
        for value in 0..SERIES {
            assert!(metrics.record(&plugin(), "m", Sample::Add(1), label(value)));
        }
        assert!(!metrics.record(&plugin(), "m", Sample::Add(1), label(SERIES)));
        assert!(!metrics.record(&plugin(), "other", Sample::Add(1), Vec::new()));
        assert!(metrics.record(&plugin(), "m", Sample::Add(1), label(0)));
        assert!(metrics.record(&"q".into(), "m", Sample::Add(1), label(SERIES)));
    }

    #[test]
    fn names_types_and_numbers_that_make_no_sense_are_dropped() {
        let metrics = CustomMetrics::default();
        assert!(!metrics.record(&plugin(), "Bad", Sample::Add(1), Vec::new()));
        assert!(!metrics.record(&plugin(), "m\n", Sample::Add(1), Vec::new()));
        assert!(!metrics.record(&plugin(), "m", Sample::Set(f64::NAN), Vec::new()));
        assert!(!metrics.record(&plugin(), "m", Sample::Add(1), vec![("plugin".into(), "x".into())]));
        assert!(!metrics.record(&plugin(), "m", Sample::Add(1), [label(1), label(2)].concat()));
        assert!(metrics.record(&plugin(), "m", Sample::Add(1), Vec::new()));
        assert!(!metrics.record(&plugin(), "m", Sample::Set(1.0), Vec::new()));
    }
}
