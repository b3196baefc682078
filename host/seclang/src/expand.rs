//! Texts with `%{variables}` in them, and the variables of a transaction (`TX`).

use std::borrow::Cow;
use std::collections::HashMap;

use crate::request::List;

/// A variable of `TX`, by its number.
pub(crate) type TxId = usize;

/// Names of variables that rules mention.
#[derive(Debug, Default)]
pub(crate) struct TxNames {
    ids: HashMap<String, TxId>,
    names: Vec<String>,
}

impl TxNames {
    pub(crate) fn id(&mut self, name: &str) -> TxId {
        let name = name.to_ascii_lowercase();
        if let Some(id) = self.ids.get(&name) {
            return *id;
        }
        let id = self.names.len();
        self.names.push(name.clone());
        self.ids.insert(name, id);
        id
    }

    pub(crate) fn find(&self, name: &str) -> Option<TxId> {
        self.ids.get(name).copied()
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }
}

/// The value of a variable.
#[derive(Clone, Debug)]
pub(crate) enum TxValue {
    Text(Vec<u8>),
    Number(i64),
}

impl TxValue {
    pub(crate) fn as_bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Number(number) => Cow::Owned(number.to_string().into_bytes()),
        }
    }

    pub(crate) fn number(&self) -> i64 {
        match self {
            Self::Text(text) => number(text),
            Self::Number(number) => *number,
        }
    }
}

/// The number that a value begins with, or zero.
pub(crate) fn number(value: &[u8]) -> i64 {
    let value = value.trim_ascii_start();
    let (is_negative, digits) = match value {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let number = digits.fold(0_i64, |number, byte| {
        number.saturating_mul(10).saturating_add(i64::from(byte - b'0'))
    });
    if is_negative { -number } else { number }
}

/// A text, perhaps with variables.
#[derive(Clone, Debug)]
pub(crate) struct Expansion(pub(crate) Vec<Piece>);

#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Text(String),
    Tx(TxId),
    MatchedVar,
    MatchedVarName,
    /// The first value of a list, or the one with a name.
    Value(List, Option<String>),
    /// Something that is not known: nothing.
    Unknown,
}

impl Expansion {
    pub(crate) fn parse(text: &str, names: &mut TxNames) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("%{") {
            let Some((variable, behind)) = after.split_once('}') else {
                break;
            };
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::parse(variable, names));
            rest = behind;
        }
        if !rest.is_empty() || pieces.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Self(pieces)
    }

    /// The text, where it has no variables.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    pub(crate) fn expand<'a>(&'a self, variables: &'a impl Variables) -> Cow<'a, [u8]> {
        match self.0.as_slice() {
            [Piece::Text(text)] => Cow::Borrowed(text.as_bytes()),
            [piece] => piece.expand(variables),
            pieces => {
                let texts: Vec<_> = pieces.iter().map(|piece| piece.expand(variables)).collect();
                Cow::Owned(texts.concat())
            }
        }
    }
}

impl Piece {
    fn parse(variable: &str, names: &mut TxNames) -> Self {
        let (name, key) = match variable.split_once(['.', ':']) {
            Some((name, key)) => (name.to_ascii_uppercase(), Some(key)),
            None => (variable.to_ascii_uppercase(), None),
        };
        match (name.as_str(), key) {
            ("TX", Some(key)) => Self::Tx(names.id(key)),
            ("MATCHED_VAR", None) => Self::MatchedVar,
            ("MATCHED_VAR_NAME", None) => Self::MatchedVarName,
            (name, key) => match List::ALL.iter().find(|list| list.name() == name) {
                Some(list) => Self::Value(*list, key.map(str::to_ascii_lowercase)),
                None => Self::Unknown,
            },
        }
    }

    fn expand<'a>(&'a self, variables: &'a impl Variables) -> Cow<'a, [u8]> {
        match self {
            Self::Text(text) => Cow::Borrowed(text.as_bytes()),
            Self::Tx(id) => variables.tx(*id).unwrap_or_default(),
            Self::MatchedVar => Cow::Borrowed(variables.matched_var()),
            Self::MatchedVarName => Cow::Borrowed(variables.matched_var_name()),
            Self::Value(list, name) => Cow::Borrowed(variables.value(*list, name.as_deref())),
            Self::Unknown => Cow::Borrowed(b""),
        }
    }
}

/// Where variables have their values.
pub(crate) trait Variables {
    fn tx(&self, id: TxId) -> Option<Cow<'_, [u8]>>;
    fn matched_var(&self) -> &[u8];
    fn matched_var_name(&self) -> &[u8];
    fn value(&self, list: List, name: Option<&str>) -> &[u8];
}
