//! `gatewright plugin bench`: what calls of a plugin cost in the real host, with cases as their input.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use gatewright_config::cases::{CaseFile, PluginCase, parse_cases};
use gatewright_config::{InstancePolicy, PluginConfig};
use gatewright_core::{Flow, ProblemKind};
use gatewright_wasm::{Plugin, PluginError, PluginSummary, measure};
use serde::Serialize;

use super::files::{FILE_BYTES, case_files, code_store, has_cases, load, wasm};
use crate::cli::output::{failure, mistake, print};
use crate::cli::progress::Progress;
use crate::cli::run::log_messages;
use crate::trial::script::Script;
use crate::trial::{Trial, Used, exchange, name, response, sees_response, whole};

/// Measure what calls of a plugin cost: the first one, with a new instance each, and with reused instances.
///
/// The plugin runs in the host that a gateway has, with all limits on; connections, routing and the upstream are not
/// part of what is measured. The input are the cases of `gatewright plugin test`, those that expect a failure excepted;
/// without any, it is `GET /`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Bench {
    /// The plugin's `.wasm` file, or the folder that it is in.
    plugin: PathBuf,
    /// Files of cases, or folders of them. Default: `NAME.tests.toml`, or the folder
    /// `tests`, beside the `.wasm` file.
    #[arg(long, num_args = 1..)]
    cases: Vec<PathBuf>,
    /// Which instances are measured. Default: both, as far as the plugin lets instances be reused.
    #[arg(long, value_enum)]
    instances: Option<Instances>,
    /// How long calls are measured, all cases together, in seconds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// How results are written.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Instances {
    /// A new one for each call.
    Fresh,
    /// One for many calls.
    Reuse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// One JSON object.
    Json,
}

/// Calls of one case that are measured at least, and at most.
const CALLS: std::ops::RangeInclusive<usize> = 10..=100_000;
/// New instances made to find out what one costs.
const ROUNDS: usize = 200;

/// Everything that was measured.
#[derive(Serialize)]
struct Measured {
    plugin: PluginSummary,
    new_instance_microseconds: f64,
    memory_high_water_bytes: u64,
    cases: Vec<Row>,
}

/// One case.
#[derive(Serialize)]
struct Row {
    file: PathBuf,
    line: usize,
    name: String,
    fresh: Option<Cost>,
    reused: Option<Cost>,
}

/// What calls cost.
#[derive(Serialize)]
struct Cost {
    calls: usize,
    first_microseconds: f64,
    median_microseconds: f64,
    p99_microseconds: f64,
}

impl Bench {
    /// Does it.
    pub(in crate::cli) fn execute(self) -> ExitCode {
        log_messages("error");
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return failure(error),
        };
        match runtime.block_on(self.measure()) {
            Ok(measured) => {
                match self.format {
                    Format::Human => print(measured.table()),
                    Format::Json => match serde_json::to_string_pretty(&measured) {
                        Ok(text) => print(format_args!("{text}\n")),
                        Err(error) => return failure(error),
                    },
                }
                ExitCode::SUCCESS
            }
            Err(error) => mistake(error),
        }
    }

    async fn measure(&self) -> Result<Measured, String> {
        let text = |error: PluginError| error.to_string();
        let wasm = wasm(&self.plugin)?;
        let files = match self.cases.is_empty() && !has_cases(&wasm) {
            true => vec![nothing_special()?],
            false => load(case_files(&wasm, &self.cases)?)?,
        };
        let cases = files
            .iter()
            .flat_map(|(_, file)| &file.cases)
            .filter(|case| is_measured(case));
        let count = u32::try_from(cases.count()).unwrap_or(u32::MAX);
        if count == 0 {
            return Err("there is no case that expects an answer".to_owned());
        }
        let trial = Trial::new(code_store(), FILE_BYTES, Progress::printed()).map_err(text)?;
        let limits = files.first().map(|(_, file)| file.plugin.clone()).unwrap_or_default();
        let first = trial.load(&wasm, &limits).await.map_err(text)?;
        let instance = measure(&first, ROUNDS).await.map_err(text)?;
        let modes = self.modes(&first);
        let share = Duration::from_secs(self.seconds.into()) / count / u32::try_from(modes.len()).unwrap_or(1).max(1);
        let mut rows = Vec::new();
        for (file, cases) in &files {
            for case in cases.cases.iter().filter(|case| is_measured(case)) {
                let mut row = Row {
                    file: file.clone(),
                    line: case.line,
                    name: case.name.clone(),
                    fresh: None,
                    reused: None,
                };
                for mode in &modes {
                    let (instances, place) = match mode {
                        Instances::Fresh => (InstancePolicy::Fresh, &mut row.fresh),
                        Instances::Reuse => (InstancePolicy::Reuse(u32::MAX), &mut row.reused),
                    };
                    let limits = PluginConfig {
                        instances,
                        ..cases.plugin.clone()
                    };
                    let name = name(&wasm);
                    let script = Script::new(&name, &limits, case, true).await?;
                    let loading = trial.load_with(&name, &wasm, &script);
                    let plugin = loading.await.map_err(text)?;
                    let cost = cost(&trial, &plugin, case, share).await;
                    let cost = cost.and_then(|cost| match script.unexpected().as_slice() {
                        [] => Ok(cost),
                        [request, ..] => Err(format!("`services.http` has no such request: {request}")),
                    });
                    *place =
                        Some(cost.map_err(|error| {
                            format!("{}:{}: case `{}`: {error}", file.display(), case.line, case.name)
                        })?);
                }
                rows.push(row);
            }
        }
        Ok(Measured {
            plugin: first.summary().clone(),
            new_instance_microseconds: microseconds(instance),
            memory_high_water_bytes: first.runtime_stats().memory_high_water_bytes,
            cases: rows,
        })
    }

    fn modes(&self, plugin: &Plugin) -> Vec<Instances> {
        match self.instances {
            Some(one) => vec![one],
            None if plugin.summary().reusable => vec![Instances::Fresh, Instances::Reuse],
            None => vec![Instances::Fresh],
        }
    }
}

/// A plugin that has no cases is asked this.
fn nothing_special() -> Result<(PathBuf, CaseFile), String> {
    let name = PathBuf::from("GET /");
    let cases = parse_cases("[[case]]\nname = \"GET /\"\n", &name).map_err(|errors| errors.to_string())?;
    Ok((name, cases))
}

/// Failures are no measure of anything, and many of them open the breaker.
fn is_measured(case: &PluginCase) -> bool {
    case.expect.failure.is_none()
}

/// Calls a plugin again and again for a while.
async fn cost(trial: &Trial, plugin: &Arc<Plugin>, case: &PluginCase, share: Duration) -> Result<Cost, String> {
    // A decision from the cache would be no call.
    let case = &PluginCase {
        cache: Duration::ZERO,
        ..case.clone()
    };
    let used = trial.used(plugin, case).await.map_err(|error| error.to_string())?;
    let first = call(&used, plugin, case).await?;
    let began = Instant::now();
    let mut times = Vec::new();
    while times.len() < *CALLS.start() || (times.len() < *CALLS.end() && began.elapsed() < share) {
        times.push(call(&used, plugin, case).await?);
    }
    times.sort_unstable();
    let at = |part: usize| times.get((times.len() * part / 100).min(times.len().saturating_sub(1)));
    let at = |part: usize| microseconds(at(part).copied().unwrap_or_default());
    Ok(Cost {
        calls: times.len(),
        first_microseconds: microseconds(first),
        median_microseconds: at(50),
        p99_microseconds: at(99),
    })
}

/// One exchange; only what the plugin does counts.
async fn call(used: &Used, plugin: &Plugin, case: &PluginCase) -> Result<Duration, String> {
    let mut exchange = exchange(case);
    let mut response = response(case.response.as_ref());
    let began = Instant::now();
    let answered = match used {
        Used::Stage(stage) => match stage.on_request(&mut exchange).await {
            Ok(Flow::Proceed) if sees_response(&**stage, plugin, case) => {
                stage.on_response(&mut exchange, &mut response).await
            }
            Ok(_) => Ok(()),
            Err(problem) => Err(problem),
        },
        Used::Integration(integration) => integration.call(&mut exchange).await.map(drop),
    };
    let answered = match answered {
        Ok(()) => whole(&mut exchange, Some(response)).await.map(drop),
        Err(problem) => Err(problem),
    };
    let took = began.elapsed();
    match answered {
        // Denied, by a policy that does not cover the request.
        Err(problem) if problem.kind() != ProblemKind::AccessDenied => {
            Err(problem.cause().unwrap_or(problem.message()).to_owned())
        }
        _ => Ok(took),
    }
}

fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

impl Measured {
    /// For people.
    fn table(&self) -> String {
        let PluginSummary {
            name,
            version,
            file_bytes,
            compiled_bytes,
            compile_ms,
            ..
        } = &self.plugin;
        let kib = |bytes: u64| format!("{} KiB", bytes.div_ceil(1 << 10));
        let size = |bytes: usize| kib(u64::try_from(bytes).unwrap_or(u64::MAX));
        let compiled = compile_ms.map(|ms| format!(" in {ms} ms")).unwrap_or_default();
        let mut text = format!(
            "{name} {version}\n  file          {}\n  code          {}{compiled}\n  new instance  {:.1} µs\n  memory        {} of an \
             instance at most\n\nmicroseconds a call\n",
            size(*file_bytes),
            size(*compiled_bytes),
            self.new_instance_microseconds,
            kib(self.memory_high_water_bytes),
        );
        text.push_str(&format!(
            "  {:<44}{:>28}{:>28}\n",
            "", "new instance", "reused instance"
        ));
        text.push_str(&format!(
            "  {:<44}{:>10}{:>9}{:>9}{:>10}{:>9}{:>9}\n",
            "case", "first", "median", "99 %", "first", "median", "99 %"
        ));
        for Row {
            name, fresh, reused, ..
        } in &self.cases
        {
            let name: String = name.chars().take(43).collect();
            text.push_str(&format!(
                "  {name:<44}{}{}\n",
                columns(fresh.as_ref()),
                columns(reused.as_ref())
            ));
        }
        if cfg!(debug_assertions) {
            text.push_str("\nthis is a debug build of the gateway: a release build takes a fraction of it\n");
        }
        text
    }
}

fn columns(cost: Option<&Cost>) -> String {
    match cost {
        None => format!("{:>10}{:>9}{:>9}", "–", "–", "–"),
        Some(Cost {
            first_microseconds,
            median_microseconds,
            p99_microseconds,
            ..
        }) => format!("{first_microseconds:>10.1}{median_microseconds:>9.1}{p99_microseconds:>9.1}"),
    }
}
