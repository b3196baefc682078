//! `gatewright cache`

use std::process::ExitCode;

use clap::{ArgGroup, Args, Subcommand};
use http::Method;
use serde_json::Value;

use super::admin_client::{AdminClient, AskError};
use super::config_file::ConfigArgument;
use super::output::print;
use crate::cache::purge;

#[derive(Debug, Subcommand)]
pub(super) enum Cache {
    Purge(Purge),
}

/// Have a gateway that runs forget responses that its stages `cache` keep.
///
/// It is asked at its admin address, with its token, as the configuration file says. Other gateways keep what they have.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["url", "prefix", "tag", "route", "all"]))]
pub(super) struct Purge {
    #[command(flatten)]
    config: ConfigArgument,
    /// The admin address, if it is another one than the file says.
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<String>,
    /// All responses for this URL, or for this path of any host.
    #[arg(long)]
    url: Option<String>,
    /// All whose URL, or path, begins with this.
    #[arg(long, value_name = "URL")]
    prefix: Option<String>,
    /// All that have this tag in `Surrogate-Key` or `Cache-Tag`.
    #[arg(long)]
    tag: Option<String>,
    /// All responses of this route.
    #[arg(long)]
    route: Option<String>,
    /// All responses of all routes.
    #[arg(long)]
    all: bool,
}

impl Cache {
    /// Does it.
    pub(super) fn execute(self) -> ExitCode {
        match self {
            Self::Purge(purge) => match purge.run() {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => error.exit(),
            },
        }
    }
}

impl Purge {
    fn run(self) -> Result<(), AskError> {
        let Self {
            config,
            address,
            url,
            prefix,
            tag,
            route,
            all,
        } = self;
        let what = purge::Purge {
            url,
            prefix,
            tag,
            route,
            all,
        };
        let client = AdminClient::of(config.path(), address.as_deref())?;
        let what = serde_json::to_value(&what).map_err(|error| AskError::Failure(error.to_string()))?;
        let answer = client.ask(&Method::POST, "/cache/purge", Some(&what))?;
        let purged = answer.get("purged").and_then(Value::as_u64);
        let purged = purged.ok_or_else(|| AskError::Failure("it is no gateway of this version".to_owned()))?;
        print(format_args!("{purged} responses purged\n"));
        Ok(())
    }
}
