//! `gatewright usage`

use std::process::ExitCode;

use clap::Args;
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::admin_client::{AdminClient, AskError};
use super::config_file::ConfigOption;
use super::output::print;

/// Show what holders of API keys have used of their plans, or correct it.
///
/// Asks a gateway that runs, at the admin address of its configuration.
#[derive(Debug, Args)]
pub(super) struct Usage {
    /// The usage plan; without one all plans are listed.
    plan: Option<String>,
    /// This key only.
    #[arg(long, requires = "plan")]
    key: Option<String>,
    /// Say that the key has used so much in this period.
    #[arg(long, value_name = "NUMBER", requires = "key", conflicts_with = "remaining")]
    used: Option<u64>,
    /// Say that the key has so much left in this period.
    #[arg(long, value_name = "NUMBER", requires = "key")]
    remaining: Option<u64>,
    /// The admin address, if it is another one than the file says.
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<String>,
    #[command(flatten)]
    config: ConfigOption,
}

impl Usage {
    /// Does it.
    pub(super) fn execute(self) -> ExitCode {
        match self.ask() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => error.exit(),
        }
    }

    fn ask(&self) -> Result<(), AskError> {
        let client = AdminClient::of(self.config.path(), self.address.as_deref())?;
        let Some(plan) = &self.plan else {
            let answer = client.ask(&Method::GET, "/usage", None)?;
            for plan in rows(&answer, "plans") {
                print(format_args!(
                    "{}: {} keys, throttle {}, quota {}\n",
                    text(&plan["plan"]),
                    plan["keys"],
                    or_none(&plan["throttle"]),
                    or_none(&plan["quota"])
                ));
            }
            return Ok(());
        };
        let plan = encoded(plan);
        let correction = match (self.used, self.remaining) {
            (Some(used), _) => Some(json!({ "used": used })),
            (None, Some(remaining)) => Some(json!({ "remaining": remaining })),
            (None, None) => None,
        };
        match (&self.key, correction) {
            (Some(key), Some(correction)) => {
                let path = format!("/usage/{plan}/{}", encoded(key));
                show(&client.ask(&Method::PATCH, &path, Some(&correction))?);
            }
            (Some(key), None) => {
                show(&client.ask(&Method::GET, &format!("/usage/{plan}?key={}", encoded(key)), None)?);
            }
            (None, _) => {
                let mut path = format!("/usage/{plan}?limit=500");
                loop {
                    let answer = client.ask(&Method::GET, &path, None)?;
                    show(&answer);
                    let Some(position) = answer.get("position").and_then(Value::as_str) else {
                        break;
                    };
                    path = format!("/usage/{plan}?limit=500&position={}", encoded(position));
                }
            }
        }
        Ok(())
    }
}

fn show(answer: &Value) {
    for key in rows(answer, "keys") {
        print(format_args!(
            "{}: {} used, {} left, next period in {} s\n",
            text(&key["key"]),
            key["used"],
            key["remaining"],
            key["next_period_in_seconds"]
        ));
    }
}

fn rows<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer[name].as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn or_none(value: &Value) -> String {
    if value.is_null() {
        "none".to_owned()
    } else {
        value.to_string()
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
