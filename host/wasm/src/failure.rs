//! How one call of a plugin fails, and what that means for the exchange.

use std::fmt;
use std::time::Duration;

use gatewright_core::{Problem, ProblemKind};
use http::StatusCode;
use wasmtime::Trap;
use wasmtime::component::ResourceTableError;

use crate::limits::{MemoryExceeded, TableExceeded};
use crate::text::escaped;

/// Longest text of a plugin in a log line or an access record.
const TEXT: usize = 2_048;

/// Why a call brought nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The plugin said that it cannot answer.
    Fault(Fault),
    /// The guest, or a host function it called, broke off.
    Trap(TrapReason, String),
    /// It used up its processor time.
    CpuExceeded,
    /// It used up its wall time.
    TimeExceeded,
    /// The exchange was over before the plugin was.
    ExchangeOver,
    /// What it returned breaks a rule.
    Output(OutputError),
    /// It was not asked: the message is not in the state that its rules want.
    Message(String),
    /// No place came free in time.
    Saturated,
    /// The breaker is open; when to try again.
    Resting(Duration),
}

/// A plugin's own word that it cannot answer.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Trying again may help.
    pub(crate) unavailable: bool,
    /// The fault's name in the interface.
    pub(crate) name: &'static str,
    /// The plugin's text, for the log.
    pub(crate) text: String,
}

/// What breaks a rule in what a plugin returned. Names the field, never its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutputError {
    pub(crate) too_large: bool,
    pub(crate) what: String,
}

impl OutputError {
    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self {
            too_large: false,
            what: what.into(),
        }
    }

    pub(crate) fn too_large(what: impl Into<String>) -> Self {
        Self {
            too_large: true,
            what: what.into(),
        }
    }
}

macro_rules! trap_reasons {
    ($($(#[$doc:meta])* $variant:ident = $label:literal,)*) => {
        /// Why a guest broke off; label of metrics.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum TrapReason { $($(#[$doc])* $variant,)* }

        impl TrapReason {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)*];

            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }
        }
    };
}

trap_reasons! {
    /// `unreachable`: a panic or abort of most languages.
    Unreachable = "unreachable",
    /// Out of bounds, division by zero, bad indirect call and the like.
    Fault = "fault",
    /// The stack overflowed.
    Stack = "stack",
    /// More memory or tables than allowed.
    Memory = "memory",
    /// Processor time used up.
    Cpu = "cpu",
    /// Wall time used up.
    Time = "time",
    /// It broke the component model's rules: text that is not UTF-8, lists out of bounds.
    Abi = "abi",
    /// `configure` refused what it accepted at load.
    Configure = "configure",
    /// A defect of the gateway: a host function panicked.
    HostPanic = "host_panic",
    /// Anything else: it exited, or a host function refused an argument.
    Other = "other",
}

/// The epoch's callback stops a guest with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuExceeded;

impl fmt::Display for CpuExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it used up its processor time (`cpu`)")
    }
}

impl std::error::Error for CpuExceeded {}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        Self::Output(error)
    }
}

impl From<wasmtime::Error> for Failure {
    fn from(error: wasmtime::Error) -> Self {
        if error.is::<CpuExceeded>() {
            return Self::CpuExceeded;
        }
        if is_out_of_fuel(&error) {
            return Self::Output(OutputError::too_large(
                "it passed more than `host_call_bytes` to the host",
            ));
        }
        if has_too_many_handles(&error) {
            let text = "it holds more resource handles at once than `handles` of its section allows";
            return Self::Trap(TrapReason::Memory, text.to_owned());
        }
        Self::Trap(reason(&error), backtrace(&error))
    }
}

fn reason(error: &wasmtime::Error) -> TrapReason {
    if error.is::<MemoryExceeded>() || error.is::<TableExceeded>() {
        return TrapReason::Memory;
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::UnreachableCodeReached) => TrapReason::Unreachable,
        Some(Trap::StackOverflow) => TrapReason::Stack,
        Some(
            Trap::StringOutOfBounds
            | Trap::ListOutOfBounds
            | Trap::InvalidDiscriminant
            | Trap::InvalidChar
            | Trap::UnalignedPointer,
        ) => TrapReason::Abi,
        Some(_) => TrapReason::Fault,
        // Lifting fails without a trap of the guest, host functions fail in the guest's frames.
        None if error.downcast_ref::<wasmtime::WasmBacktrace>().is_none() => TrapReason::Abi,
        None => TrapReason::Other,
    }
}

/// The type is private to wasmtime, so its text has to do; a test sees to it that it still is this one.
fn is_out_of_fuel(error: &wasmtime::Error) -> bool {
    error.root_cause().to_string().contains("hostcalls has been exhausted")
}

/// The same of handles, in the guest's tables and in those of the host.
fn has_too_many_handles(error: &wasmtime::Error) -> bool {
    let is_full = |text: String| text.contains("store handle limit exceeded");
    matches!(error.downcast_ref(), Some(ResourceTableError::Full))
        || error.chain().any(|cause| is_full(cause.to_string()))
}

/// The error's chain, and the guest's frames where there are some, on one line.
fn backtrace(error: &wasmtime::Error) -> String {
    let lines: Vec<_> = error.chain().map(|cause| cause.to_string()).collect();
    let text: Vec<_> = lines.iter().flat_map(|text| text.lines()).map(str::trim).collect();
    escaped(&text.join(" | "), TEXT)
}

impl Failure {
    /// Whether it speaks against the plugin itself, so that many in a row open its breaker.
    pub(crate) fn is_breakdown(&self) -> bool {
        matches!(self, Self::Trap(..) | Self::CpuExceeded | Self::TimeExceeded)
    }

    /// Whether it is the plugin that brought nothing, not the gateway or the client.
    pub(crate) fn is_the_plugins(&self) -> bool {
        !matches!(self, Self::ExchangeOver | Self::Saturated | Self::Message(_))
    }

    /// Why the guest broke off, if it did.
    pub(crate) fn trap_reason(&self) -> Option<TrapReason> {
        match self {
            Self::Trap(reason, _) => Some(*reason),
            Self::CpuExceeded => Some(TrapReason::Cpu),
            Self::TimeExceeded => Some(TrapReason::Time),
            _ => None,
        }
    }

    /// The problem of an exchange whose plugin failed so. An authorizer's failure never is anything softer.
    pub(crate) fn problem(&self, plugin: &str, authorizer: bool) -> Problem {
        let of = |kind| {
            if authorizer {
                ProblemKind::AuthorizerFailure
            } else {
                kind
            }
        };
        let cause = format!("plugin `{plugin}`: {self}");
        match self {
            Self::Fault(fault) if fault.unavailable && !authorizer => {
                Problem::new(ProblemKind::PluginFault).with_status(StatusCode::SERVICE_UNAVAILABLE)
            }
            Self::Fault(_) | Self::Trap(..) | Self::Message(_) => Problem::new(of(ProblemKind::PluginFault)),
            Self::Output(error) if error.too_large => Problem::new(of(ProblemKind::PluginOutputTooLarge)),
            Self::Output(_) => Problem::new(of(ProblemKind::PluginOutputInvalid)),
            Self::CpuExceeded | Self::TimeExceeded => Problem::new(ProblemKind::PluginTimeout),
            Self::ExchangeOver => Problem::new(ProblemKind::IntegrationTimeout),
            Self::Saturated => Problem::new(ProblemKind::PluginSaturated).with_retry_after(Duration::from_secs(1)),
            Self::Resting(wait) => Problem::new(ProblemKind::PluginUnavailable).with_retry_after(*wait),
        }
        .with_cause(cause)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => write!(f, "it reported `{}`: {}", fault.name, escaped(&fault.text, TEXT)),
            Self::Trap(reason, text) => write!(f, "it trapped ({}): {text}", reason.as_str()),
            Self::CpuExceeded => CpuExceeded.fmt(f),
            Self::TimeExceeded => f.write_str("it used up its wall time (`time`)"),
            Self::ExchangeOver => f.write_str("the route's time was over before it answered"),
            Self::Output(error) => write!(f, "its answer was refused: {}", error.what),
            Self::Message(text) => write!(f, "it was not asked: {text}"),
            Self::Saturated => {
                f.write_str("all its calls or the instance pool were in use (`concurrency`, `instances`)")
            }
            Self::Resting(_) => f.write_str("it failed too often in a row and rests"),
        }
    }
}
