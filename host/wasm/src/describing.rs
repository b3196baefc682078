//! The calls of a plugin that belong to no exchange: `describe` once for a file, `configure` once for each
//! configuration before it is used, and measuring.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::api::{self, Description, Wrong};
use crate::call::{Processor, Stopped, limited};
use crate::configuration::Settings;
use crate::failure::Failure;
use crate::instance::{Component, Instance, is_exhausted};
use crate::kind::{Kinds, PluginKind};
use crate::limits::ticks;
use crate::plugin::Plugin;
use crate::plugin_host::Shared;
use crate::state::Caller;
use crate::{ConfigFault, PluginError, PluginFile};

/// Wall and processor time of each of them.
const LIMIT: Duration = Duration::from_millis(500);

/// Asks a component what it is.
///
/// # Errors
/// When it traps, takes too long, or what it says makes no sense.
pub(crate) async fn describe(
    plugin: &PluginFile,
    component: &Component,
    caller: &Arc<Caller>,
    shared: &Shared,
) -> Result<Description, PluginError> {
    let called = outside(shared, caller, async {
        let mut instance = instance(component, caller, shared).await?;
        api::describe(&mut instance).await
    });
    let failed = |reason| PluginError::Describe {
        plugin: plugin.clone(),
        reason,
    };
    called
        .await
        .map_err(|failure| failure.into_error(plugin, "describe", failed))?
        .map_err(|wrong| match wrong {
            Wrong::Rule(reason) => PluginError::Description {
                plugin: plugin.clone(),
                reason,
            },
            Wrong::Schema(reason) => PluginError::Schema {
                plugin: plugin.clone(),
                reason,
            },
        })
}

/// Whether what a plugin says of bodies fits what it exports.
///
/// # Errors
/// When one goes without the other.
pub(crate) fn filters(plugin: &PluginFile, description: &Description, kinds: Kinds) -> Result<(), PluginError> {
    let needs = &description.needs;
    let reason = match (
        needs.request_chunks || needs.response_chunks,
        kinds.has(PluginKind::BodyFilter),
    ) {
        (true, false) => {
            "`needs` asks for a body in `chunks`, and there is no `body-filter` that they could go through"
        }
        (false, true) => "it exports `body-filter`, and `needs` asks for neither body in `chunks`",
        _ => return Ok(()),
    };
    Err(PluginError::Description {
        plugin: plugin.clone(),
        reason: reason.to_owned(),
    })
}

/// Lets a plugin check a configuration.
///
/// # Errors
/// With the plugin's own words when it refuses it, and when it traps or takes too long.
pub(crate) async fn try_configure(
    plugin: &PluginFile,
    component: &Component,
    caller: &Arc<Caller>,
    shared: &Shared,
    settings: &Settings,
) -> Result<(), PluginError> {
    let called = outside(shared, caller, async {
        let mut instance = instance(component, caller, shared).await?;
        api::configure(&mut instance, settings.text()).await
    });
    let failed = |reason| PluginError::Configure {
        plugin: plugin.clone(),
        reason: settings.without_secrets(reason),
    };
    called
        .await
        .map_err(|failure| failure.into_error(plugin, "configure", failed))?
        .map_err(|errors| PluginError::Config {
            plugin: plugin.clone(),
            errors: errors.into_iter().map(|fault| hidden(fault, settings)).collect(),
        })
}

/// What a plugin says of its configuration is said without its secrets.
fn hidden(fault: ConfigFault, settings: &Settings) -> ConfigFault {
    ConfigFault {
        at: settings.without_secrets(fault.at),
        message: settings.without_secrets(fault.message),
    }
}

/// What making an instance costs: the median over `rounds` of making one and dropping it, not configured, not called.
///
/// # Errors
/// When the guest traps while it starts.
pub async fn measure(plugin: &Plugin, rounds: usize) -> Result<Duration, PluginError> {
    let shared = plugin.shared();
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds.max(1) {
        let called = outside(shared, plugin.caller(), async {
            let began = Instant::now();
            drop(plugin.instance(None, ticks(LIMIT)).await?);
            Ok(began.elapsed())
        });
        let failed = |reason| PluginError::Describe {
            plugin: plugin.file().clone(),
            reason,
        };
        times.push(
            called
                .await
                .map_err(|failure| failure.into_error(plugin.file(), "start", failed))?,
        );
    }
    times.sort_unstable();
    Ok(times.get(times.len() / 2).copied().unwrap_or_default())
}

async fn instance(component: &Component, caller: &Arc<Caller>, shared: &Shared) -> wasmtime::Result<Box<Instance>> {
    match Instance::make(component, caller, None, ticks(LIMIT)).await {
        Err(error) if is_exhausted(&error) => {
            shared.runtimes.evict();
            Instance::make(component, caller, None, ticks(LIMIT)).await
        }
        result => result,
    }
}

enum Outside {
    Late,
    Failed(String),
}

impl Outside {
    fn into_error(
        self,
        plugin: &PluginFile,
        function: &'static str,
        failed: impl FnOnce(String) -> PluginError,
    ) -> PluginError {
        match self {
            Self::Late => PluginError::Slow {
                plugin: plugin.clone(),
                function,
                limit: LIMIT,
            },
            Self::Failed(reason) => failed(reason),
        }
    }
}

/// Runs a guest outside of an exchange.
async fn outside<T>(
    shared: &Shared,
    caller: &Caller,
    call: impl Future<Output = wasmtime::Result<T>>,
) -> Result<T, Outside> {
    let _running = shared.ticker.running();
    let mut processor = Processor::default();
    let called = limited(pin!(call), Instant::now() + LIMIT, &mut processor).await;
    caller.stats.loaded_for(processor.ended(Instant::now()));
    match called {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(match Failure::from(error) {
            Failure::CpuExceeded => Outside::Late,
            failure => Outside::Failed(failure.to_string()),
        }),
        Err(Stopped::Late) => Err(Outside::Late),
        Err(Stopped::Panicked(message)) => Err(Outside::Failed(format!("a host function panicked: {message}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Needs, Selection};

    #[test]
    fn bodies_in_chunks_and_a_filter_for_them_go_together() {
        let plugin = PluginFile {
            name: "p".to_owned(),
            file: "p.wasm".into(),
        };
        let description = |request_chunks, response_chunks| Description {
            name: String::new(),
            version: String::new(),
            description: String::new(),
            schema: None,
            needs: Needs {
                request_fields: Selection::None,
                response_fields: Selection::None,
                request_body: false,
                response_body: false,
                request_chunks,
                response_chunks,
                parts: std::iter::empty().collect(),
            },
            services: Vec::new(),
            reusable: false,
        };
        let check = |request, response, kind| {
            let checked = filters(&plugin, &description(request, response), Kinds::from_iter([kind]));
            checked.map_err(|error| error.to_string())
        };
        for (request, response) in [(true, false), (false, true), (true, true)] {
            check(request, response, PluginKind::BodyFilter).unwrap();
            let error = check(request, response, PluginKind::Authorizer).unwrap_err();
            assert!(error.contains("there is no `body-filter`"), "{error}");
        }
        check(false, false, PluginKind::Authorizer).unwrap();
        let error = check(false, false, PluginKind::BodyFilter).unwrap_err();
        assert!(error.contains("asks for neither body in `chunks`"), "{error}");
    }
}
