//! P14, P27. A body filter, well behaved or not.
//!
//! Modes (configuration only): `` (ASCII letters become upper case), `bypass` (not interested), `collect` (keeps everything and
//! returns it at the end), `swallow` (returns nothing), `expand` (a thousand bytes for each one), `endless` (8 MiB for each
//! chunk and at the end), `loop` (in the first chunk), `trap` (in the second chunk), `fault` (at the end).
//! Expected: what comes out is bounded, the body deadline holds, a fault ends the exchange and every filter is dropped.

use std::cell::RefCell;

mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "body-filter-plugin" });
}

use bindings::exports::gatewright::plugin::body_filter::{self, *};
use bindings::exports::gatewright::plugin::lifecycle::{self, *};

thread_local! {
    static MODE: RefCell<String> = const { RefCell::new(String::new()) };
}

const MODES: [&str; 8] = [
    "bypass", "collect", "swallow", "expand", "endless", "loop", "trap", "fault",
];

struct FiltersBody;

impl lifecycle::Guest for FiltersBody {
    fn describe() -> PluginInfo {
        PluginInfo {
            name: "filters-body".to_owned(),
            version: "1.0.0".to_owned(),
            description: "misbehaves".to_owned(),
            config_schema: None,
            needs: Needs {
                parts: Part::empty(),
                request_fields: FieldSelection::None,
                response_fields: FieldSelection::None,
                request_body: BodyMode::Chunks,
                response_body: BodyMode::Chunks,
            },
            capabilities: Capability::empty(),
            reuse: Reuse::Serial,
        }
    }

    fn configure(config: String) -> Result<(), Vec<ConfigError>> {
        let mode = MODES.iter().find(|mode| config.contains(&format!("\"{mode}\"")));
        MODE.replace(mode.copied().unwrap_or_default().to_owned());
        Ok(())
    }
}

impl body_filter::Guest for FiltersBody {
    type Filter = Running;

    fn open(_input: FilterInput) -> Result<Option<Filter>, Fault> {
        let mode = MODE.with_borrow(String::clone);
        Ok((mode != "bypass").then(|| {
            Filter::new(Running {
                mode,
                seen: RefCell::default(),
            })
        }))
    }
}

struct Running {
    mode: String,
    /// The chunks so far.
    seen: RefCell<Vec<Vec<u8>>>,
}

impl GuestFilter for Running {
    fn push(&self, chunk: Vec<u8>) -> Result<Vec<u8>, Fault> {
        let count = self.seen.borrow().len() + 1;
        self.seen.borrow_mut().push(if self.mode == "collect" {
            chunk.clone()
        } else {
            Vec::new()
        });
        Ok(match self.mode.as_str() {
            "collect" | "swallow" => Vec::new(),
            "expand" => chunk.iter().flat_map(|&byte| [byte; 1000]).collect(),
            "endless" => vec![b'e'; 8 << 20],
            "loop" => loop {
                std::hint::spin_loop();
            },
            "trap" if count == 2 => panic!("asked to panic"),
            _ => chunk.to_ascii_uppercase(),
        })
    }

    fn finish(&self) -> Result<Vec<u8>, Fault> {
        match self.mode.as_str() {
            "collect" => Ok(self.seen.borrow().concat()),
            "endless" => Ok(vec![b'e'; 8 << 20]),
            "fault" => Err(Fault::Internal("asked to fail".to_owned())),
            _ => Ok(Vec::new()),
        }
    }
}

bindings::export!(FiltersBody with_types_in bindings);
