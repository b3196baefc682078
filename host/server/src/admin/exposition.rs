//! The page of metrics in the format that is asked for: OpenMetrics 1.0.0, or Prometheus' text format 0.0.4, which is what
//! others than scrapers expect.

use std::collections::HashSet;
use std::fmt;

use http::header::HeaderMap;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Prometheus' text format.
    Text,
    /// OpenMetrics.
    OpenMetrics,
}

impl Format {
    /// The one that a request wants most (RFC 9110 §12.5.1). One that wants neither gets text, as from every exporter.
    pub(super) fn wanted(headers: &HeaderMap) -> Self {
        let values = headers.get_all(http::header::ACCEPT).iter();
        let ranges = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        // The most specific range decides about each.
        let (mut text, mut open) = ((0, 0), (0, 0));
        for range in ranges {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let (mut quality, mut version) = (1000, None);
            for (key, value) in parts.filter_map(|part| part.split_once('=')) {
                match key.trim().to_ascii_lowercase().as_str() {
                    "q" => quality = thousandths(value.trim()),
                    "version" => version = Some(value.trim().trim_matches('"').to_owned()),
                    _ => {}
                }
            }
            let of_version = |versions: &[&str]| version.as_deref().is_none_or(|version| versions.contains(&version));
            let (of_text, of_open) = match name.as_str() {
                "text/plain" if of_version(&["0.0.4"]) => (3, 0),
                "application/openmetrics-text" if of_version(&["1.0.0", "0.0.1"]) => (0, 3),
                "text/*" => (2, 0),
                "application/*" => (0, 2),
                "*/*" => (1, 1),
                _ => (0, 0),
            };
            if of_text > 0 {
                text = text.max((of_text, quality));
            }
            if of_open > 0 {
                open = open.max((of_open, quality));
            }
        }
        if open.1 > text.1 { Self::OpenMetrics } else { Self::Text }
    }

    /// Its media type.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The page.
    ///
    /// # Errors
    /// When a number cannot be written.
    pub(super) fn page(self, registry: &Registry) -> Result<String, fmt::Error> {
        let mut page = String::new();
        encode(&mut page, registry)?;
        Ok(match self {
            Self::Text => text(&page),
            Self::OpenMetrics => page,
        })
    }
}

/// A weight in thousandths; what is none is the least.
fn thousandths(text: &str) -> u16 {
    let weight: f64 = text.parse().unwrap_or(0.0);
    if (0.0..=1.0).contains(&weight) {
        (weight * 1000.0).round() as u16
    } else {
        0
    }
}

/// A page of OpenMetrics in the older format: there a counter is called as its samples are, and there are no units.
fn text(page: &str) -> String {
    let counters: HashSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(page.len() + 1024);
    for line in page.lines() {
        let described = ["# HELP ", "# TYPE "]
            .into_iter()
            .find_map(|kind| Some((kind, line.strip_prefix(kind)?)));
        match described {
            None if line.starts_with("# UNIT ") || line == "# EOF" => continue,
            None => text.push_str(line),
            Some((kind, rest)) => {
                let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                let suffix = if counters.contains(name) { "_total" } else { "" };
                text.push_str(kind);
                text.push_str(name);
                text.push_str(suffix);
                text.push(' ');
                text.push_str(rest);
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use http::header::ACCEPT;

    use super::*;

    fn wanted(accept: &str) -> Format {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        Format::wanted(&headers)
    }

    #[test]
    fn who_wants_openmetrics_more_gets_it_and_everybody_else_text() {
        assert_eq!(Format::wanted(&HeaderMap::new()), Format::Text);
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
                          text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for accept in [
            prometheus,
            "application/openmetrics-text",
            "Application/OpenMetrics-Text; Version=1.0.0",
            "application/openmetrics-text, text/plain;q=0.9",
            "text/plain;q=0, */*",
            "application/*",
        ] {
            assert_eq!(wanted(accept), Format::OpenMetrics, "{accept}");
        }
        for accept in [
            "*/*",
            "text/plain",
            "text/plain;version=0.0.4, application/openmetrics-text;q=0.5",
            "application/openmetrics-text;version=2.0.0, text/plain;q=0.1",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=nonsense",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
            "application/json",
            "",
        ] {
            assert_eq!(wanted(accept), Format::Text, "{accept}");
        }
    }

    #[test]
    fn in_text_a_counter_is_called_as_its_samples_are() {
        let page = "# HELP a_bytes Bytes.\n# TYPE a_bytes counter\n# UNIT a_bytes bytes\na_bytes_total{b=\"# EOF\"} 1\n\
                    # HELP c C.\n# TYPE c gauge\nc 2\n# EOF\n";
        let expected = "# HELP a_bytes_total Bytes.\n# TYPE a_bytes_total counter\na_bytes_total{b=\"# EOF\"} 1\n\
                        # HELP c C.\n# TYPE c gauge\nc 2\n";
        assert_eq!(text(page), expected);
    }
}
