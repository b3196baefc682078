//! P7, P12. Lies on the level of the canonical ABI, where the SDK and the generated bindings do not: the integration's
//! result is written by hand. Expected: each lie is a fault of this call; the host copies nothing it has not measured, and
//! its memory does not grow with what the plugin claims.
//!
//! Modes (configuration only, a JSON string or object with `mode`): `bad-utf8-name` (a header name that is no UTF-8),
//! `bad-utf8-fault` (a fault text that is none), `surrogate` (a header name with an encoded lone surrogate), `long-body` (a body
//! that claims 2 GiB), `aliased-fields` (100 000 fields that all are the same 1 MiB of memory: 100 GiB when copied),
//! `aliased-body` (a body that is the whole memory), `many-fields` (a list that claims 2^32-1 fields), `bad-case` (a result that is
//! neither ok nor error), `misaligned` (the result is at an odd address), `beyond` (the result is beyond the memory),
//! `` (a correct answer).

#![allow(unsafe_code)]

use std::cell::Cell;
use std::ptr;

mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "integration-plugin" });
}

use bindings::exports::gatewright::plugin::lifecycle::{self, *};

struct Lies;

thread_local! {
    static MODE: Cell<&'static str> = const { Cell::new("") };
}

const MODES: [&str; 10] = [
    "bad-utf8-name",
    "bad-utf8-fault",
    "surrogate",
    "long-body",
    "aliased-fields",
    "aliased-body",
    "many-fields",
    "bad-case",
    "misaligned",
    "beyond",
];

impl lifecycle::Guest for Lies {
    fn describe() -> PluginInfo {
        PluginInfo {
            name: "lies-in-abi".to_owned(),
            version: "1.0.0".to_owned(),
            description: "misbehaves".to_owned(),
            config_schema: None,
            needs: Needs {
                parts: Part::empty(),
                request_fields: FieldSelection::None,
                response_fields: FieldSelection::None,
                request_body: BodyMode::None,
                response_body: BodyMode::None,
            },
            services: Vec::new(),
            reuse: Reuse::Serial,
        }
    }

    fn configure(config: String) -> Result<(), Vec<ConfigError>> {
        let mode = MODES.iter().find(|mode| config.contains(&format!("\"{mode}\"")));
        MODE.set(mode.copied().unwrap_or_default());
        Ok(())
    }
}

bindings::exports::gatewright::plugin::lifecycle::__export_gatewright_plugin_lifecycle_0_1_0_cabi!(
    Lies with_types_in bindings::exports::gatewright::plugin::lifecycle
);

/// `result<full-response, fault>` as the canonical ABI lays it out: small cases at the low end of a word.
#[repr(C)]
#[derive(Clone, Copy)]
struct Answer {
    is_error: u32,
    /// The status, or the case of the fault.
    status: u32,
    /// The fields, or the text of the fault.
    first: u32,
    first_length: u32,
    body: u32,
    body_length: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Field {
    name: u32,
    name_length: u32,
    value: u32,
    value_length: u32,
}

fn address<T>(data: &'static [T]) -> u32 {
    data.as_ptr().expose_provenance() as u32
}

fn leaked<T>(data: Vec<T>) -> &'static [T] {
    data.leak()
}

fn field(name: &'static [u8], value: &'static [u8]) -> Field {
    Field {
        name: address(name),
        name_length: name.len() as u32,
        value: address(value),
        value_length: value.len() as u32,
    }
}

fn answer() -> *const Answer {
    let fine = Answer {
        is_error: 0,
        status: 200,
        first: 4,
        first_length: 0,
        body: address(b"correct\n"),
        body_length: 8,
    };
    let with_fields = |fields: Vec<Field>| {
        let fields = leaked(fields);
        Answer {
            first: address(fields),
            first_length: fields.len() as u32,
            ..fine
        }
    };
    let answer = match MODE.get() {
        "bad-utf8-name" => with_fields(vec![field(b"x-\xff\xfe", b"v")]),
        "surrogate" => with_fields(vec![field(b"x-\xed\xa0\x80", b"v")]),
        "bad-utf8-fault" => Answer {
            is_error: 1,
            status: 3,
            first: address(b"\xff\xfe\xfd"),
            first_length: 3,
            ..fine
        },
        "long-body" => Answer {
            body: 16,
            body_length: 0x7fff_ffff,
            ..fine
        },
        "aliased-fields" => {
            let value = leaked(vec![b'v'; 1 << 20]);
            with_fields(vec![field(b"x-alias", value); 100_000])
        }
        "aliased-body" => Answer {
            body: 0,
            body_length: memory_bytes(),
            ..fine
        },
        "many-fields" => Answer {
            first: 16,
            first_length: u32::MAX,
            ..fine
        },
        "bad-case" => Answer { is_error: 7, ..fine },
        "misaligned" => {
            let place: &'static mut [u8] = vec![0_u8; 64].leak();
            return place.as_ptr().map_addr(|address| address | 1).cast();
        }
        "beyond" => return ptr::without_provenance(0xffff_fff0),
        _ => fine,
    };
    Box::leak(Box::new(answer))
}

#[cfg(target_arch = "wasm32")]
fn memory_bytes() -> u32 {
    (std::arch::wasm32::memory_size(0) * 65_536) as u32
}

#[cfg(not(target_arch = "wasm32"))]
fn memory_bytes() -> u32 {
    0
}

/// The integration. Its input is left where the host put it: the instance does not live long.
#[cfg_attr(
    target_arch = "wasm32",
    unsafe(export_name = "gatewright:plugin/integration@0.1.0#handle")
)]
pub extern "C" fn handle(_input: *mut u8) -> *const u8 {
    answer().cast()
}
