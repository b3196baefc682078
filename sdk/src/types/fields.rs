//! A header section. Values are bytes, as on the wire: reading them never panics, whatever a client sent.

/// Header fields in order, with repetitions.
///
/// Names are compared without regard to case.
///
/// ```
/// use gatewright_sdk::Fields;
/// let mut fields = Fields::new();
/// fields.append("accept", "text/html");
/// fields.append("accept", "text/plain");
/// fields.append("x-raw", [0xff, 0xfe]);
/// assert_eq!(fields.text("Accept"), Some("text/html"));
/// assert_eq!(fields.all("accept").count(), 2);
/// assert_eq!(fields.text("x-raw"), None);
/// assert_eq!(fields.bytes("x-raw"), Some(&[0xff, 0xfe][..]));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, Vec<u8>)>);

impl Fields {
    /// No fields.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The first value of a name as text; `None` when there is none or it is not UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.bytes(name).and_then(|value| str::from_utf8(value).ok())
    }

    /// The first value of a name.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// Every value of a name, in order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.0
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }

    /// Every field, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one more value of a name.
    pub fn append(&mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) {
        self.0.push((name.into(), value.into()));
    }

    /// Replaces every value of a name by this one.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) {
        let name = name.into();
        self.remove(&name);
        self.0.push((name, value.into()));
    }

    /// Takes away every value of a name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|(name, _)| keep(name));
    }
}

impl From<Vec<(String, Vec<u8>)>> for Fields {
    fn from(fields: Vec<(String, Vec<u8>)>) -> Self {
        Self(fields)
    }
}

impl From<Fields> for Vec<(String, Vec<u8>)> {
    fn from(fields: Fields) -> Self {
        fields.0
    }
}
