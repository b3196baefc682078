//! The kinds of plugin there are: each is an interface that a component exports.

/// What a plugin can be used as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginKind {
    /// Decides whether a request may go on.
    Authorizer,
    /// Changes a request, or answers it.
    RequestTransform,
    /// Changes a response, or replaces it.
    ResponseTransform,
    /// Passes a body on chunk by chunk, changed.
    BodyFilter,
    /// Answers a route.
    Integration,
}

impl PluginKind {
    /// All kinds; [`PluginKind::index`] is the place in it.
    pub const ALL: [Self; 5] = [
        Self::Authorizer,
        Self::RequestTransform,
        Self::ResponseTransform,
        Self::BodyFilter,
        Self::Integration,
    ];

    /// The name of the interface, and the `hook` label of metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authorizer => "authorizer",
            Self::RequestTransform => "request-transform",
            Self::ResponseTransform => "response-transform",
            Self::BodyFilter => "body-filter",
            Self::Integration => "integration",
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// The kinds of one plugin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinds([bool; PluginKind::ALL.len()]);

impl Kinds {
    pub(crate) fn has(self, kind: PluginKind) -> bool {
        self.iter().any(|known| known == kind)
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = PluginKind> {
        PluginKind::ALL
            .into_iter()
            .zip(self.0)
            .filter_map(|(kind, has)| has.then_some(kind))
    }

    /// That kind, if it is among them, and no other.
    pub(crate) fn only(self, kind: PluginKind) -> Self {
        self.iter().filter(|known| *known == kind).collect()
    }

    /// The names, for messages.
    pub(crate) fn list(self) -> String {
        let names: Vec<_> = self.iter().map(|kind| format!("`{}`", kind.as_str())).collect();
        names.join(", ")
    }
}

impl FromIterator<PluginKind> for Kinds {
    fn from_iter<I: IntoIterator<Item = PluginKind>>(kinds: I) -> Self {
        let kinds: Vec<_> = kinds.into_iter().collect();
        Self(PluginKind::ALL.map(|kind| kinds.contains(&kind)))
    }
}
