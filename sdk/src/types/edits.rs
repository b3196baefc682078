//! The changes a transform or an authorizer asks for. They are applied by the gateway, all of an answer or none.

/// One change of a header section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldEdit {
    /// Replace every value of the name by this one.
    Set(String, Vec<u8>),
    /// Add one more value.
    Append(String, Vec<u8>),
    /// Take away every value of the name.
    Remove(String),
}

/// A change of one piece of text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TextEdit {
    /// Leave it.
    #[default]
    Keep,
    /// Replace it.
    Set(String),
    /// Take it away; only a query can be.
    Clear,
}

/// A change of a body. Only for plugins that asked for it as `BodyMode::Buffered`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BodyEdit {
    /// Leave it.
    #[default]
    Keep,
    /// Replace it.
    Replace(Vec<u8>),
    /// Make it empty.
    Clear,
}
