//! The body plan of a route: where bodies stream, where they wait as a whole and for whom, and what one exchange may
//! take of memory for it. Made when a configuration is assembled, from its limits and from what plugins say they read.
//!
//! A chain that cannot work whatever comes is refused here, before anybody waits for it to fail.

mod bodies;
mod route;

use std::fmt;

use gatewright_config::{ByteSize, Place};
use serde::Serialize;

pub use self::route::plan;

/// The plan of one route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BodyPlan {
    /// The largest body that a client may send.
    pub request_limit_bytes: u64,
    /// Who does something with the request's body, in the order of the chain, the integration last.
    pub request: Vec<BodyStep>,
    /// Who does something with the response's body: the integration, and then the chain in reverse.
    pub response: Vec<BodyStep>,
    /// The most that one exchange takes, beside what its connections have.
    pub memory: Peak,
    /// What works, and may surprise.
    pub notes: Vec<String>,
}

/// What one of them does with a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BodyStep {
    /// A plugin's name, or what the integration is.
    pub by: String,
    /// What it does with it.
    pub body: Handling,
}

/// What becomes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "does", rename_all = "kebab-case")]
pub enum Handling {
    /// It goes through chunk by chunk.
    Streams,
    /// It goes through a plugin's filter chunk by chunk.
    Filters {
        /// The longest chunk that comes out.
        chunk_bytes: u64,
    },
    /// It goes through a content coding chunk by chunk.
    Codes {
        /// The most that comes out; none where nothing says.
        most_bytes: Option<u64>,
    },
    /// It has been collected before, and is sent as it is.
    SendsCollected,
    /// It is not read.
    Ignores,
    /// All of it is waited for and kept, and a copy goes into the plugin's instance.
    Collects {
        /// The longest that it takes.
        most_bytes: u64,
        /// What the client is told of a longer one; none when nobody can send one.
        status_above: Option<u16>,
    },
    /// All of it is waited for and kept.
    Keeps {
        /// The longest that it takes.
        most_bytes: u64,
        /// What the client is told of a longer one; none when nobody can send one.
        status_above: Option<u16>,
    },
    /// It goes through chunk by chunk, and a copy is kept.
    Copies {
        /// The longest that is kept.
        most_bytes: u64,
    },
    /// Its start, or all of it, is waited for and looked into; then it goes on as it came.
    Inspects {
        /// The most that is waited for.
        most_bytes: u64,
        /// What the client is told of a longer one; none where the rest streams.
        status_above: Option<u16>,
    },
    /// A template makes another, of all of it where it names it.
    Remakes {
        /// The longest that is read.
        most_bytes: u64,
        /// The longest that is made.
        made_bytes: u64,
    },
    /// It makes one.
    Makes {
        /// The longest that it makes.
        most_bytes: u64,
    },
}

/// When an exchange takes the most memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Peak {
    /// Bytes of bodies, of the instance that runs, and of what it hands out.
    pub bytes: u64,
    /// Who has it then.
    pub at: String,
}

/// Why a chain cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Impossible {
    /// Where the configuration says it.
    pub place: Place,
    /// What does not fit, with plugin and what to change.
    pub reason: String,
}

impl BodyPlan {
    /// In a few words for `/routes`.
    pub fn summary(&self) -> serde_json::Value {
        serde_json::json!({
            "request": summary(&self.request),
            "response": summary(&self.response),
            "memory_bytes": self.memory.bytes,
        })
    }
}

fn summary(steps: &[BodyStep]) -> String {
    let names = |what: &str, does: fn(&Handling) -> bool| {
        let by = steps.iter().filter(|step| does(&step.body));
        let names: Vec<_> = by.map(|step| step.by.as_str()).collect();
        (!names.is_empty()).then(|| format!("{what} by {}", names.join(", ")))
    };
    let all = [
        names("filtered", |body| matches!(body, Handling::Filters { .. })),
        names("made anew", |body| matches!(body, Handling::Remakes { .. })),
        names("collected", |body| {
            matches!(body, Handling::Collects { .. } | Handling::Keeps { .. })
        }),
        names("inspected", |body| matches!(body, Handling::Inspects { .. })),
    ];
    match all.into_iter().flatten().collect::<Vec<_>>().join("; ") {
        nothing if nothing.is_empty() => "streams".to_owned(),
        all => all,
    }
}

impl fmt::Display for Handling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Streams => f.write_str("streams"),
            Self::Filters { chunk_bytes } => {
                let most = ByteSize(*chunk_bytes);
                write!(
                    f,
                    "goes through its filter in chunks, at most {most} each when they come out"
                )
            }
            Self::Codes { most_bytes: None } => f.write_str("compresses it as it streams"),
            Self::Codes {
                most_bytes: Some(most_bytes),
            } => write!(f, "decodes it as it streams, to at most {}", ByteSize(*most_bytes)),
            Self::SendsCollected => f.write_str("sends what was collected"),
            Self::Ignores => f.write_str("does not read it"),
            Self::Collects {
                most_bytes,
                status_above,
            } => {
                let most = ByteSize(*most_bytes);
                write!(f, "waits for all of it, at most {most}; a copy goes into its instance")?;
                status_above.map_or(Ok(()), |status| write!(f, "; {status} above"))
            }
            Self::Keeps {
                most_bytes,
                status_above,
            } => {
                write!(f, "waits for all of it, at most {}", ByteSize(*most_bytes))?;
                status_above.map_or(Ok(()), |status| write!(f, "; {status} above"))
            }
            Self::Inspects {
                most_bytes,
                status_above,
            } => {
                write!(f, "looks into the first {}", ByteSize(*most_bytes))?;
                match status_above {
                    Some(status) => write!(f, "; {status} above"),
                    None => f.write_str("; the rest streams"),
                }
            }
            Self::Copies { most_bytes } => {
                let most = ByteSize(*most_bytes);
                write!(f, "streams, and is kept if it is at most {most}")
            }
            Self::Remakes { most_bytes, made_bytes } => {
                let (most, made) = (ByteSize(*most_bytes), ByteSize(*made_bytes));
                write!(f, "makes another of at most {made}, from one of at most {most}")
            }
            Self::Makes { most_bytes } => write!(f, "makes one of at most {}", ByteSize(*most_bytes)),
        }
    }
}

#[cfg(test)]
mod tests;
