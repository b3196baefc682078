//! What the `{parameters}` of a route stand for in one request.

use std::borrow::Cow;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

/// Parameters of a matched route: names and values in the order of the template.
///
/// A route without parameters costs no allocation, any other costs one: the values are kept in one text,
/// separated by `/`, which no value contains but that of a `{rest+}`, and that is always the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// None, rather than empty, when there are none: a shared count is not touched without need.
    names: Option<Arc<[Arc<str>]>>,
    values: String,
}

impl Parameters {
    /// Keeps what was `captured` for the `names`, which are as many, from a path of `most_bytes`.
    pub fn new<'v>(names: &Arc<[Arc<str>]>, captured: impl Iterator<Item = &'v str>, most_bytes: usize) -> Parameters {
        if names.is_empty() {
            return Parameters::default();
        }
        let mut values = String::with_capacity(most_bytes);
        for (index, value) in captured.enumerate() {
            if index > 0 {
                values.push('/');
            }
            values.push_str(value);
        }
        Parameters {
            names: Some(Arc::clone(names)),
            values,
        }
    }

    /// The value of `{name}` or `{name+}` as it is in the normalised path: percent-encoded, and so fit to
    /// be put into another path.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(known, value)| (known == name).then_some(value))
    }

    /// The value of `{name}` or `{name+}`, percent-decoded: what it means, not fit for a path.
    pub fn decoded(&self, name: &str) -> Option<Cow<'_, str>> {
        // Normal paths are UTF-8 when decoded, so nothing is lost.
        self.get(name)
            .map(|value| percent_decode_str(value).decode_utf8_lossy())
    }

    /// Names with encoded values, in the order of the template.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let names = self.names.as_deref().unwrap_or_default();
        names
            .iter()
            .map(AsRef::as_ref)
            .zip(self.values.splitn(names.len(), '/'))
    }

    /// Whether the route has no parameters.
    pub fn is_empty(&self) -> bool {
        self.names.is_none()
    }
}
