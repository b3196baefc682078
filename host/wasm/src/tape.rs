//! What services answer in a call: noted, for whoever writes the call down, or given by a script, for tests of plugins.
//! Without either a call of a service costs one look whether there is one.

mod script;

use std::sync::Arc;
use std::time::Instant;

use gatewright_config::cases::{ErrorAnswer, ServiceAnswer};

pub use self::script::{Divergence, Script};
use crate::metrics::nanos;
use crate::recording::{Keeper, REDACTED, Served};
use crate::state::CallState;
use crate::text::escaped;

/// Longest piece of what is asked for, as it is noted and compared.
const LONGEST_PIECE: usize = 1 << 10;

/// Where answers go to, or come from.
#[derive(Clone)]
pub(crate) enum Tape {
    /// They are noted.
    Noting(Arc<Served>),
    /// They come from a script.
    Playing(Arc<Script>),
}

/// A call of a service, noted or looked up.
pub(crate) enum Told {
    /// Nobody wants to know.
    Nobody,
    /// Noted under this number, if it is not one too many.
    Noting(Arc<Served>, Option<usize>),
    /// The answer of the script, or why there is none.
    Playing(Result<ServiceAnswer, String>),
}

/// What a service answers, as tapes have it.
pub(crate) trait Answer: Sized {
    /// For a recording.
    fn noted(&self, keeper: &mut Keeper<'_>) -> ServiceAnswer;

    /// From a script; none where the service cannot answer so.
    fn given(answer: &ServiceAnswer) -> Option<Self>;
}

/// An error of a service, by its name in the plugin interface.
pub(crate) trait Named: Sized {
    /// Its name, and what it says.
    fn name(&self) -> (&'static str, String);

    /// The error of that name.
    fn named(name: &str, text: &str) -> Option<Self>;
}

impl CallState {
    /// A service is asked for something: for what, by the operator's name for it, and the rest of it, which may be anybody's
    /// data.
    pub(crate) fn told(&self, function: &str, name: &str, rest: Option<&str>) -> Told {
        match &self.tape {
            None => Told::Nobody,
            Some(tape) => tape.told(function, name, rest),
        }
    }
}

impl Tape {
    pub(crate) fn told(&self, function: &str, name: &str, rest: Option<&str>) -> Told {
        let mut ask = function.to_owned();
        if !name.is_empty() {
            ask = format!("{ask} {}", escaped(name, LONGEST_PIECE));
        }
        match self {
            Self::Noting(served) => {
                if let Some(rest) = rest {
                    let kept = served.keeps_answers();
                    ask = format!(
                        "{ask} {}",
                        if kept {
                            escaped(rest, LONGEST_PIECE)
                        } else {
                            REDACTED.to_owned()
                        }
                    );
                }
                Told::Noting(Arc::clone(served), served.asked(ask))
            }
            Self::Playing(script) => {
                if let Some(rest) = rest {
                    ask = format!("{ask} {}", escaped(rest, LONGEST_PIECE));
                }
                Told::Playing(script.play(&ask))
            }
        }
    }
}

impl Told {
    /// The script's answer, or that of `ask`.
    pub(crate) async fn or<A: Answer>(self, ask: impl Future<Output = A>) -> wasmtime::Result<A> {
        match self {
            Self::Nobody => Ok(ask.await),
            Self::Noting(served, number) => {
                let began = Instant::now();
                let answer = ask.await;
                served.answered(number, &answer, nanos(began.elapsed()));
                Ok(answer)
            }
            Self::Playing(Ok(ServiceAnswer::Never)) => std::future::pending().await,
            Self::Playing(played) => given(played),
        }
    }

    /// The same of a service that answers at once.
    pub(crate) fn or_at_once<A: Answer>(self, ask: impl FnOnce() -> A) -> wasmtime::Result<A> {
        match self {
            Self::Nobody => Ok(ask()),
            Self::Noting(served, number) => {
                let began = Instant::now();
                let answer = ask();
                served.answered(number, &answer, nanos(began.elapsed()));
                Ok(answer)
            }
            Self::Playing(played) => given(played),
        }
    }
}

/// A guest that asks for something else than the script has goes no further: nothing after that would mean anything.
fn given<A: Answer>(played: Result<ServiceAnswer, String>) -> wasmtime::Result<A> {
    let answer = played.map_err(wasmtime::Error::msg)?;
    let unfit = || {
        wasmtime::Error::msg(format!(
            "the script answers with what the service never answers: {answer:?}"
        ))
    };
    A::given(&answer).ok_or_else(unfit)
}

impl<T: Answer, E: Named> Answer for Result<T, E> {
    fn noted(&self, keeper: &mut Keeper<'_>) -> ServiceAnswer {
        match self {
            Ok(answer) => answer.noted(keeper),
            Err(error) => {
                let (name, text) = error.name();
                let name = name.to_owned();
                ServiceAnswer::Error(ErrorAnswer { name, text })
            }
        }
    }

    fn given(answer: &ServiceAnswer) -> Option<Self> {
        match answer {
            ServiceAnswer::Error(error) => E::named(&error.name, &error.text).map(Err),
            answer => T::given(answer).map(Ok),
        }
    }
}

impl Answer for () {
    fn noted(&self, _: &mut Keeper<'_>) -> ServiceAnswer {
        ServiceAnswer::Done
    }

    fn given(answer: &ServiceAnswer) -> Option<Self> {
        matches!(answer, ServiceAnswer::Done).then_some(())
    }
}

impl Answer for i64 {
    fn noted(&self, _: &mut Keeper<'_>) -> ServiceAnswer {
        ServiceAnswer::Number(*self)
    }

    fn given(answer: &ServiceAnswer) -> Option<Self> {
        match answer {
            ServiceAnswer::Number(number) => Some(*number),
            _ => None,
        }
    }
}

impl Answer for u64 {
    fn noted(&self, _: &mut Keeper<'_>) -> ServiceAnswer {
        ServiceAnswer::Number(i64::try_from(*self).unwrap_or(i64::MAX))
    }

    fn given(answer: &ServiceAnswer) -> Option<Self> {
        i64::given(answer).and_then(|number| Self::try_from(number).ok())
    }
}

impl<T: Answer> Answer for Option<T> {
    fn noted(&self, keeper: &mut Keeper<'_>) -> ServiceAnswer {
        match self {
            Some(answer) => answer.noted(keeper),
            None => ServiceAnswer::Absent,
        }
    }

    fn given(answer: &ServiceAnswer) -> Option<Self> {
        match answer {
            ServiceAnswer::Absent => Some(None),
            answer => T::given(answer).map(Some),
        }
    }
}

impl Answer for Vec<u8> {
    fn noted(&self, keeper: &mut Keeper<'_>) -> ServiceAnswer {
        ServiceAnswer::Value(keeper.value(self))
    }

    fn given(answer: &ServiceAnswer) -> Option<Self> {
        match answer {
            ServiceAnswer::Value(value) => value.bytes(),
            _ => None,
        }
    }
}
