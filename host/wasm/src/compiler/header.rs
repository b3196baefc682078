//! What a file is, by its first bytes: told before anything looks further.

use wasmparser::{Chunk, Parser, Payload};

use super::Refusal;

/// `\0asm`, then version and layer: 1 and 0 for a module, 13 and 1 for a component.
const MAGIC: &[u8] = b"\0asm";
pub(super) const MODULE: &[u8] = b"\0asm\x01\0\0\0";
/// With the version after it, what a module for Envoy exports.
const PROXY_WASM: &str = "proxy_abi_version_";
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
    look_through(bytes)
}

/// Refuses what ends before its own lengths say, and what was made for somebody else. What is wrong otherwise is the
/// compiler's to say.
fn look_through(bytes: &[u8]) -> Result<(), Refusal> {
    // Those around the one that is read.
    let mut around = Vec::new();
    let mut parser = Parser::new(0);
    let mut rest = bytes;
    loop {
        let (consumed, payload) = match parser.parse(rest, false) {
            Ok(Chunk::Parsed { consumed, payload }) => (consumed, payload),
            // What is inside was compared with the file's length when it began, and the outermost one has no length of its own:
            // where nothing is left, all of them end.
            Ok(Chunk::NeedMoreData(_)) if rest.is_empty() => return Ok(()),
            Ok(Chunk::NeedMoreData(_)) => return Err(Refusal::truncated("the file ends in the middle")),
            Err(_) => return Ok(()),
        };
        rest = rest.get(consumed..).unwrap_or_default();
        match payload {
            Payload::ModuleSection {
                parser: inner,
                unchecked_range,
            }
            | Payload::ComponentSection {
                parser: inner,
                unchecked_range,
            } => {
                if bytes.len() < unchecked_range.end {
                    return Err(Refusal::truncated("the file ends in the middle"));
                }
                around.push(std::mem::replace(&mut parser, inner));
            }
            Payload::End(_) => match around.pop() {
                Some(outer) => parser = outer,
                None => return Ok(()),
            },
            Payload::CodeSectionStart { size, .. } => {
                let size = size as usize;
                if rest.len() < size {
                    return Err(Refusal::truncated("the file ends in the middle"));
                }
                parser.skip_section();
                rest = rest.get(size..).unwrap_or_default();
            }
            Payload::ExportSection(exports) if around.is_empty() => {
                let mut names = exports
                    .into_iter()
                    .filter_map(|export| export.ok().map(|export| export.name));
                if let Some(version) = names.find_map(|name| name.strip_prefix(PROXY_WASM)) {
                    return Err(Refusal::proxy_wasm(version));
                }
            }
            _ => {}
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> String {
        match check(bytes) {
            Ok(()) => "taken".to_owned(),
            Err(Refusal::Truncated(reason)) => format!("truncated: {reason}"),
            Err(Refusal::Foreign(reason)) => format!("foreign: {reason}"),
            Err(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn a_component_that_ends_in_the_middle_of_something_is_said_to_be_truncated() {
        let whole = wat::parse_str(
            "(component (core module (func (export \"f\") nop nop nop) (memory 1) (data (i32.const 0) \"abcdef\"))
               (component (core module (func nop))) (export \"a\" (core module 0)))",
        )
        .unwrap();
        assert_eq!(refused(&whole), "taken");
        let ends_with_a_module = wat::parse_str("(component (core module (func nop)))").unwrap();
        assert_eq!(refused(&ends_with_a_module), "taken");
        // Where a section of the component itself ends, nobody can tell that another one was to come.
        let taken = (1..whole.len()).filter(|length| refused(&whole[..*length]) == "taken");
        assert!(taken.clone().count() < 6, "{:?}", taken.collect::<Vec<_>>());
        let others = (9..whole.len()).map(|length| refused(&whole[..length]));
        assert!(
            others
                .into_iter()
                .all(|what| what == "taken" || what.starts_with("truncated"))
        );
    }

    #[test]
    fn a_module_for_envoy_is_called_by_its_name() {
        let module = wat::parse_str("(module (func (export \"proxy_abi_version_0_2_1\")))").unwrap();
        let refused = refused(&module);
        assert!(refused.contains("a proxy-wasm module (ABI 0.2.1)"), "{refused}");
    }
}
