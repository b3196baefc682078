//! The sections of WebAssembly's binary format, as bytes: for changes that leave everything else as it is.

/// Magic number and version.
pub(crate) const PREAMBLE: usize = 8;
/// The number of custom sections.
const CUSTOM: u8 = 0;

/// A section of a component or module.
pub(crate) struct Section<'b> {
    pub(crate) number: u8,
    /// With its number and its length.
    pub(crate) whole: &'b [u8],
    pub(crate) content: &'b [u8],
}

/// The sections after the preamble, as far as they are whole.
pub(crate) fn sections(mut bytes: &[u8]) -> impl Iterator<Item = Section<'_>> {
    bytes = bytes.get(PREAMBLE..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (number, rest) = bytes.split_first()?;
        let (length, digits) = read_leb(rest)?;
        let content = rest.get(digits..digits.checked_add(length)?)?;
        let (whole, rest) = bytes.split_at_checked(1 + digits + length)?;
        bytes = rest;
        Some(Section {
            number: *number,
            whole,
            content,
        })
    })
}

/// The module without what only a debugger reads. Names of functions stay: the gateway says them when a call traps.
pub(crate) fn without_debugging(module: &[u8]) -> Vec<u8> {
    let mut kept = module.get(..PREAMBLE).unwrap_or_default().to_vec();
    for Section { number, whole, content } in sections(module) {
        let name = || read_leb(content).and_then(|(length, digits)| content.get(digits..digits.checked_add(length)?));
        if number != CUSTOM || !name().is_some_and(|name| name.starts_with(b".debug_")) {
            kept.extend_from_slice(whole);
        }
    }
    kept
}

/// Appends a section.
pub(crate) fn section(module: &mut Vec<u8>, number: u8, content: &[u8]) {
    module.push(number);
    module.extend(leb(content.len()));
    module.extend_from_slice(content);
}

/// A number as WebAssembly writes it (unsigned LEB128).
pub(crate) fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// Such a number, and how many bytes it takes.
pub(crate) fn read_leb(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut number = 0_usize;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        number |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((number, index + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_debugger_reads_is_left_out_and_nothing_else() {
        let text = |debugging: &str| {
            let text = format!("(module {debugging} (func $named) (@custom \"debug\" \"kept\"))");
            wat::parse_str(text).unwrap()
        };
        let module = text("(@custom \".debug_info\" \"a\") (@custom \".debug_line\" \"b\")");
        assert_eq!(without_debugging(&module), text(""));
    }
}
