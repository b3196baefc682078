//! Values of the configuration that nobody should see.

use std::borrow::Cow;
use std::fmt;

/// Values from the environment whose names say that they are secret, with what is shown instead of them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden(Vec<(String, String)>);

/// Values that are shorter turn up in texts that have nothing to do with them.
const SHORTEST: usize = 4;

impl Hidden {
    pub(crate) fn new(pairs: impl Iterator<Item = (String, String)>) -> Self {
        let mut pairs: Vec<_> = pairs.filter(|(value, _)| value.len() >= SHORTEST).collect();
        // A value may be part of another.
        pairs.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        pairs.dedup();
        Self(pairs)
    }

    /// The values.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(value, _)| value.as_str())
    }

    /// A text with the references in place of the values.
    pub fn hide<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for (value, written) in &self.0 {
            if text.contains(value.as_str()) {
                text = Cow::Owned(text.replace(value.as_str(), written));
            }
        }
        text
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(_, written)| written))
            .finish()
    }
}
