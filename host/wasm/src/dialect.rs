//! Which engine a file is for: told before it is compiled, by the names of what it exports.

use wasmparser::{Parser, Payload};

use crate::api::SERVICE;
use crate::engine::Concurrency;

/// Of the engine that a file needs. One that cannot be read needs none: the compiler says what is wrong with it.
pub(crate) fn concurrency(bytes: &[u8]) -> Concurrency {
    match exports_service(bytes) {
        Ok(true) => Concurrency::On,
        Ok(false) | Err(_) => Concurrency::Off,
    }
}

fn exports_service(bytes: &[u8]) -> wasmparser::Result<bool> {
    // What is within a component may export what it likes.
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::Version { .. } => depth = depth.saturating_add(1),
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    if export?.name.name.starts_with(SERVICE) {
                        return Ok(true);
                    }
                }
            }
            // A module that becomes a component has its functions' interfaces in their names, with a prefix or without.
            Payload::ExportSection(section) if depth == 1 => {
                for export in section {
                    let name = export?.name;
                    let name = name.split_once(']').map_or(name, |(_, name)| name);
                    if name.starts_with(SERVICE) {
                        return Ok(true);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Concurrency {
        concurrency(&wat::parse_str(text).unwrap())
    }

    #[test]
    fn what_exports_a_handler_of_0_3_needs_concurrency_and_nothing_else_does() {
        for (text, expected) in [
            ("(component)", Concurrency::Off),
            (
                "(component (instance (export \"wasi:http/handler@0.3.0\")))",
                Concurrency::On,
            ),
            (
                "(component (instance (export \"wasi:http/incoming-handler@0.2.0\")))",
                Concurrency::Off,
            ),
            (
                "(component (instance (export \"wasi:http/incoming-handler@0.2.0\")) (instance (export \"wasi:http/handler@0.3.1\")))",
                Concurrency::On,
            ),
            (
                "(component (component (instance (export \"wasi:http/handler@0.3.0\"))))",
                Concurrency::Off,
            ),
            (
                "(component (core module (func (export \"wasi:http/handler@0.3.0#handle\"))))",
                Concurrency::Off,
            ),
            (
                "(module (func (export \"[async-lift]wasi:http/handler@0.3.0#handle\")))",
                Concurrency::On,
            ),
            (
                "(module (func (export \"wasi:http/handler@0.3.0#handle\")))",
                Concurrency::On,
            ),
            ("(module (func (export \"handle\")))", Concurrency::Off),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_left_to_the_compiler() {
        let whole = wat::parse_str("(component (instance (export \"wasi:http/handler@0.3.0\")))").unwrap();
        for length in 0..whole.len() {
            // What matters is that it comes back.
            let _ = concurrency(&whole[..length]);
        }
        assert_eq!(concurrency(b"\0asm\x0d\0\x01\0\xff\xff\xff\xff"), Concurrency::Off);
        assert_eq!(concurrency(b""), Concurrency::Off);
    }
}
