//! SSH's binary form: numbers of four bytes, and texts with their length before them.

/// Reads from the front; nothing once something is missing.
pub(super) struct Reader<'b>(pub(super) &'b [u8]);

impl<'b> Reader<'b> {
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'b [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    pub(super) fn text(&mut self) -> Option<&'b [u8]> {
        let length = self.number()?;
        self.bytes(usize::try_from(length).ok()?)
    }
}

/// Appends a number.
pub(super) fn put_number(to: &mut Vec<u8>, number: u32) {
    to.extend_from_slice(&number.to_be_bytes());
}

/// Appends a text with its length.
pub(super) fn put(to: &mut Vec<u8>, text: &[u8]) {
    put_number(to, u32::try_from(text.len()).unwrap_or(u32::MAX));
    to.extend_from_slice(text);
}
