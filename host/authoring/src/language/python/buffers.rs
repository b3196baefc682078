//! Mends what componentize-py leaves: a copy of every `bytes` object that leaves Python, as the result of a hook or the argument
//! of an import, is never freed. A filter that hands its chunks on, and a server that writes a body, grew until their memory was
//! used up.
//!
//! The glue between the component model and the interpreter (`wit-dylib`) asks the interpreter for a list by
//! `wit_dylib_pop_list(context, type, place) -> length`, which puts the address of such a copy into `place`. The glue has a
//! function for memory that is free when the call has ended, `wit_dylib_dealloc_bytes(context, address, size, align, later)`,
//! which nobody calls for the copy. Here the glue gets a function that calls both, and calls it in the place of the first.

use std::ops::Range;

use wasmparser::{BinaryReaderError, FunctionBody, Operator, Parser, Payload, TypeRef};

use crate::sections::{PREAMBLE, Section, leb, read_leb, section, sections};

const POP: &str = "wit_dylib_pop_list";
const FREE: &str = "wit_dylib_dealloc_bytes";
/// Numbers of sections: of a module within a component, and of the functions and the code of a module.
const MODULE: u8 = 1;
const FUNCTIONS: u8 = 3;
const CODE: u8 = 10;

/// The last version of componentize-py that is known to leave the copies. A later one is left as it is: what is freed twice is
/// worse than what is not freed.
const LAST: [u32; 3] = [0, 25, 1];

/// Whether what this version of componentize-py makes has to be mended. `version` is what it says of itself.
pub(super) fn leaks(version: &str) -> bool {
    let number = version
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let parts: Option<Vec<u32>> = number.and_then(|number| number.split('.').map(|part| part.parse().ok()).collect());
    parts.is_some_and(|parts| parts.as_slice() <= LAST.as_slice())
}

/// The component, mended; none when it has no glue of this kind.
pub(super) fn mended(component: &[u8]) -> Result<Option<Vec<u8>>, BinaryReaderError> {
    let mut mended = component.get(..PREAMBLE).unwrap_or_default().to_vec();
    let mut found = false;
    for Section { number, whole, content } in sections(component) {
        let module = match number {
            MODULE => mended_module(content)?,
            _ => None,
        };
        found |= module.is_some();
        match module {
            Some(module) => section(&mut mended, MODULE, &module),
            None => mended.extend_from_slice(whole),
        }
    }
    Ok(found.then_some(mended))
}

/// What is known of the glue.
#[derive(Default)]
struct Glue {
    /// Functions that are imported.
    imported: u32,
    /// Its function and its type.
    pop: Option<(u32, u32)>,
    free: Option<u32>,
    /// Each function's body, and where in it the list is asked for.
    bodies: Vec<(Range<usize>, Vec<Range<usize>>)>,
}

fn mended_module(module: &[u8]) -> Result<Option<Vec<u8>>, BinaryReaderError> {
    let mut glue = Glue::default();
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import?;
                    let TypeRef::Func(of) = import.ty else { continue };
                    match import.name {
                        POP => glue.pop = Some((glue.imported, of)),
                        FREE => glue.free = Some(glue.imported),
                        _ => {}
                    }
                    glue.imported += 1;
                }
            }
            // Most modules are libraries, whose code is not looked at.
            Payload::CodeSectionStart { .. } if glue.pop.is_none() || glue.free.is_none() => return Ok(None),
            Payload::CodeSectionEntry(body) => glue.note(&body)?,
            _ => {}
        }
    }
    Ok(glue.rewritten(module))
}

impl Glue {
    /// Where a function asks for a list.
    fn note(&mut self, body: &FunctionBody<'_>) -> Result<(), BinaryReaderError> {
        let mut calls = Vec::new();
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let start = operators.original_position();
            if let Operator::Call { function_index } = operators.read()?
                && self.pop.is_some_and(|(pop, _)| pop == function_index)
            {
                calls.push(start..operators.original_position());
            }
        }
        self.bodies.push((body.range(), calls));
        Ok(())
    }

    fn rewritten(&self, module: &[u8]) -> Option<Vec<u8>> {
        let ((pop, of), free) = (self.pop?, self.free?);
        self.bodies.iter().find(|(_, calls)| !calls.is_empty())?;
        // The new function is the last one.
        let call = [&[0x10][..], &leb(self.imported as usize + self.bodies.len())].concat();
        let mut new = module.get(..PREAMBLE)?.to_vec();
        for Section { number, whole, content } in sections(module) {
            match number {
                FUNCTIONS => {
                    let (count, digits) = read_leb(content)?;
                    let types = [&leb(count + 1), content.get(digits..)?, &leb(of as usize)].concat();
                    section(&mut new, FUNCTIONS, &types);
                }
                CODE => section(&mut new, CODE, &self.code(module, &call, &wrapper(pop, free))?),
                _ => new.extend_from_slice(whole),
            }
        }
        Some(new)
    }

    /// The section of the code, with the new function and with calls of it.
    fn code(&self, module: &[u8], call: &[u8], wrapper: &[u8]) -> Option<Vec<u8>> {
        let mut code = leb(self.bodies.len() + 1);
        for (range, calls) in &self.bodies {
            let mut body = Vec::with_capacity(range.len() + calls.len());
            let mut done = range.start;
            for found in calls {
                body.extend_from_slice(module.get(done..found.start)?);
                body.extend_from_slice(call);
                done = found.end;
            }
            body.extend_from_slice(module.get(done..range.end)?);
            code.extend(leb(body.len()));
            code.extend(body);
        }
        code.extend(leb(wrapper.len()));
        code.extend_from_slice(wrapper);
        Some(code)
    }
}

/// `(context, type, place) -> length`: asks for a list, and has its memory freed when the call has ended. What has no bytes has
/// no memory, and what comes item by item has no address.
fn wrapper(pop: u32, free: u32) -> Vec<u8> {
    const I32: u8 = 0x7f;
    const EMPTY: u8 = 0x40;
    let (pop, free) = (leb(pop as usize), leb(free as usize));
    let pieces: [&[u8]; 8] = [
        // Two locals more: the length is local 3, the address local 4.
        &[1, 2, I32],
        // local.get 0, 1, 2; call; local.tee 3; if
        &[0x20, 0, 0x20, 1, 0x20, 2, 0x10],
        &pop,
        &[0x22, 3, 0x04, EMPTY],
        // local.get 2; i32.load; local.tee 4; if
        &[0x20, 2, 0x28, 2, 0, 0x22, 4, 0x04, EMPTY],
        // local.get 0, 4, 3; i32.const 1 (align), 1 (later); call
        &[0x20, 0, 0x20, 4, 0x20, 3, 0x41, 1, 0x41, 1, 0x10],
        &free,
        // end; end; local.get 3; end
        &[0x0b, 0x0b, 0x20, 3, 0x0b],
    ];
    pieces.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_versions_that_are_known_to_leak_are_mended() {
        for version in ["componentize-py 0.25.1", "componentize-py 0.25.0\n", "0.22.1"] {
            assert!(leaks(version), "{version}");
        }
        for version in [
            "componentize-py 0.25.2",
            "componentize-py 0.26.0",
            "1.0.0",
            "",
            "componentize-py",
            "0.25.x",
        ] {
            assert!(!leaks(version), "{version}");
        }
    }

    /// The functions that are called in the first module of a component, function by function.
    fn calls(component: &[u8]) -> Vec<Vec<u32>> {
        let mut calls = Vec::new();
        for payload in Parser::new(0).parse_all(component) {
            if let Payload::CodeSectionEntry(body) = payload.unwrap() {
                let operators = body.get_operators_reader().unwrap().into_iter();
                let called = operators.filter_map(|operator| match operator.unwrap() {
                    Operator::Call { function_index } => Some(function_index),
                    _ => None,
                });
                calls.push(called.collect());
            }
        }
        calls
    }

    #[test]
    fn the_glue_asks_for_lists_by_a_function_that_has_them_freed_and_nothing_else_changes() {
        let glue = wat::parse_str(
            r#"(component
                (core module
                    (import "env" "other" (func))
                    (import "env" "wit_dylib_pop_list" (func (param i32 i32 i32) (result i32)))
                    (import "env" "wit_dylib_dealloc_bytes" (func (param i32 i32 i32 i32 i32)))
                    (func call 0)
                    (func (result i32) i32.const 1 i32.const 2 i32.const 3 call 1 call 0)
                    (data "wit_dylib_pop_list"))
                (core module (func (result i32) i32.const 7)))"#,
        )
        .unwrap();
        assert_eq!(calls(&glue), [vec![0], vec![1, 0], vec![]]);
        let mended = mended(&glue).unwrap().unwrap();
        // Function 5 is the new one.
        assert_eq!(calls(&mended), [vec![0], vec![5, 0], vec![1, 2], vec![]]);
        let other = wat::parse_str("(component (core module (func (export \"wit_dylib_pop_list\"))))").unwrap();
        assert!(super::mended(&other).unwrap().is_none());
    }
}
