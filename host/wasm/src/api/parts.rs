//! What of an exchange, besides header fields and bodies, a plugin asks for.

use super::bindings::exports::gatewright::plugin::lifecycle::Part as Flag;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Method,
    Authority,
    Path,
    Query,
    Parameters,
    Route,
    Peer,
    Certificate,
    Attributes,
    TraceParent,
}

/// All of them, as the interface has them, and by their names there.
const ALL: [(Part, Flag, &str); 10] = [
    (Part::Method, Flag::METHOD, "method"),
    (Part::Authority, Flag::AUTHORITY, "authority"),
    (Part::Path, Flag::PATH, "path"),
    (Part::Query, Flag::QUERY, "query"),
    (Part::Parameters, Flag::PARAMETERS, "parameters"),
    (Part::Route, Flag::ROUTE, "route"),
    (Part::Peer, Flag::PEER, "peer"),
    (Part::Certificate, Flag::CERTIFICATE, "certificate"),
    (Part::Attributes, Flag::ATTRIBUTES, "attributes"),
    (Part::TraceParent, Flag::TRACE_PARENT, "trace-parent"),
];

/// Those that a plugin asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts(u16);

impl Parts {
    pub(crate) fn has(self, part: Part) -> bool {
        self.0 & bit(part) != 0
    }

    /// In the order of the interface.
    pub(crate) fn iter(self) -> impl Iterator<Item = (Part, &'static str)> {
        let all = ALL.into_iter().filter(move |(part, _, _)| self.has(*part));
        all.map(|(part, _, name)| (part, name))
    }
}

impl From<Flag> for Parts {
    fn from(flags: Flag) -> Self {
        let asked = ALL.into_iter().filter(|(_, flag, _)| flags.contains(*flag));
        asked.map(|(part, _, _)| part).collect()
    }
}

impl FromIterator<Part> for Parts {
    fn from_iter<I: IntoIterator<Item = Part>>(parts: I) -> Self {
        Self(parts.into_iter().fold(0, |bits, part| bits | bit(part)))
    }
}

fn bit(part: Part) -> u16 {
    1 << part as u16
}
