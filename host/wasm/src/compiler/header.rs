//! What a file is, by its first bytes: told before anything looks further.

use super::Refusal;

/// `\0asm`, then version and layer: 1 and 0 for a module, 13 and 1 for a component.
const MAGIC: &[u8] = b"\0asm";
pub(super) const MODULE: &[u8] = b"\0asm\x01\0\0\0";
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// Refuses what does not even begin like WebAssembly.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::truncated("the file is empty"));
    }
    if bytes.len() < MODULE.len() && (MODULE.starts_with(bytes) || COMPONENT.starts_with(bytes)) {
        return Err(Refusal::truncated("the file ends in its header"));
    }
    if !bytes.starts_with(MAGIC) {
        return Err(Refusal::NotWasm(guess(bytes).to_owned()));
    }
    if !bytes.starts_with(MODULE) && !bytes.starts_with(COMPONENT) {
        return Err(Refusal::NotWasm("WebAssembly of an unknown version".to_owned()));
    }
    Ok(())
}

/// What people drop into a plugin folder by mistake.
fn guess(bytes: &[u8]) -> &'static str {
    const KNOWN: [(&[u8], &str); 7] = [
        (b"\x1f\x8b", "a gzip archive; unpack it"),
        (b"PK\x03\x04", "a ZIP archive; unpack it"),
        (b"\x28\xb5\x2f\xfd", "Zstandard data; unpack it"),
        (b"\x7fELF", "a program or library of this machine, or compiled code"),
        (b"(module", "WebAssembly text; compile it with `wat2wasm`"),
        (b"(component", "WebAssembly text; compile it with `wasm-tools parse`"),
        (b"<", "HTML or XML; was it downloaded from the right address?"),
    ];
    let start = bytes.trim_ascii_start();
    KNOWN
        .iter()
        .find(|(magic, _)| start.starts_with(magic))
        .map_or("something else", |(_, what)| what)
}
