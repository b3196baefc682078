//! How much one answer of a plugin may hold; spent as its pieces are checked.

use crate::failure::OutputError;

/// Header fields or edits of one answer.
const FIELDS: usize = 100;
/// Bytes of their names and values.
const FIELD_BYTES: usize = 64 << 10;
/// Attributes of one answer.
const ATTRIBUTES: usize = 64;
/// Bytes of their names and values.
const ATTRIBUTE_BYTES: usize = 16 << 10;

/// What is left.
pub(super) struct Allowance {
    bytes: usize,
    fields: usize,
    field_bytes: usize,
    attributes: usize,
    attribute_bytes: usize,
}

impl Allowance {
    /// Everything together may have `output_bytes`.
    pub(super) fn new(output_bytes: usize) -> Self {
        Self {
            bytes: output_bytes,
            fields: FIELDS,
            field_bytes: FIELD_BYTES,
            attributes: ATTRIBUTES,
            attribute_bytes: ATTRIBUTE_BYTES,
        }
    }

    pub(super) fn field(&mut self, bytes: usize) -> Result<(), OutputError> {
        spend(&mut self.fields, 1, || format!("more than {FIELDS} header fields"))?;
        spend(&mut self.field_bytes, bytes, || {
            format!("header fields of more than {FIELD_BYTES} bytes")
        })?;
        self.bytes("header fields", bytes)
    }

    pub(super) fn attribute(&mut self, bytes: usize) -> Result<(), OutputError> {
        spend(&mut self.attributes, 1, || format!("more than {ATTRIBUTES} attributes"))?;
        spend(&mut self.attribute_bytes, bytes, || {
            format!("attributes of more than {ATTRIBUTE_BYTES} bytes")
        })?;
        self.bytes("attributes", bytes)
    }

    pub(super) fn bytes(&mut self, what: &str, bytes: usize) -> Result<(), OutputError> {
        spend(&mut self.bytes, bytes, || {
            format!("{what}: more than `output_bytes` with the rest of the answer")
        })
    }
}

fn spend(left: &mut usize, amount: usize, what: impl FnOnce() -> String) -> Result<(), OutputError> {
    *left = left.checked_sub(amount).ok_or_else(|| OutputError::too_large(what()))?;
    Ok(())
}
