//! What the `{parameters}` of a route stand for in one request.

use std::borrow::Cow;
use std::iter;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

/// Parameters of a matched route: names and values in the order of the template.
///
/// A route without parameters costs no allocation, any other costs one: the values are kept in one text,
/// separated by `/`, which no value contains but that of a `{rest+}` or `{rest*}`, and that is always the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// None, rather than empty, when there are none: a shared count is not touched without need.
    names: Option<Arc<[Arc<str>]>>,
    values: String,
    /// The path ended before the slash of its `{rest*}`.
    ends_before_rest: bool,
}

impl Parameters {
    /// Keeps what was `captured` for the `names` from a path of `most_bytes`. A name for which nothing was captured, which
    /// only a last `{rest*}` can be, is empty.
    pub fn new<'v>(names: &Arc<[Arc<str>]>, captured: impl Iterator<Item = &'v str>, most_bytes: usize) -> Parameters {
        if names.is_empty() {
            return Parameters::default();
        }
        let mut values = String::with_capacity(most_bytes);
        let captured = captured.chain(iter::repeat("")).take(names.len());
        for (index, value) in captured.enumerate() {
            if index > 0 {
                values.push('/');
            }
            values.push_str(value);
        }
        Parameters {
            names: Some(Arc::clone(names)),
            values,
            ends_before_rest: false,
        }
    }

    /// The same for a path that ended before the slash of its `{rest*}`: `/api` where the route is `/api/{rest*}`.
    #[must_use]
    pub fn before_rest(self) -> Parameters {
        Parameters {
            ends_before_rest: true,
            ..self
        }
    }

    /// Whether `name` is a `{rest*}`, and the path ended before the slash that it follows.
    pub fn ends_before(&self, name: &str) -> bool {
        let last = || self.names.as_deref().unwrap_or_default().last();
        self.ends_before_rest && last().is_some_and(|last| &**last == name)
    }

    /// The value of `{name}`, `{name+}` or `{name*}` as it is in the normalised path: percent-encoded, and so fit to
    /// be put into another path.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(known, value)| (known == name).then_some(value))
    }

    /// The value of `{name}`, `{name+}` or `{name*}`, percent-decoded: what it means, not fit for a path.
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
