//! What a rule asks of a value.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use aho_corasick::AhoCorasick;
use ipnet::IpNet;
use regex::bytes::Regex;

use crate::expand::{Expansion, Variables, number};

/// What finds injections for `@detectSQLi` and `@detectXSS`.
pub trait Detect {
    /// Whether a value injects SQL.
    fn sqli(&self, value: &[u8]) -> bool;
    /// Whether a value injects markup or script.
    fn xss(&self, value: &[u8]) -> bool;
}

/// `@name argument`
#[derive(Debug)]
pub(crate) enum Operator {
    Always,
    Never,
    Expression(Regex),
    Phrases(Box<AhoCorasick>),
    Text(Comparison, Expansion),
    Number(Order, Expansion),
    Addresses(Vec<IpNet>),
    /// Bytes that may be there: it matches where others are.
    Bytes(ByteSet),
    UrlEncoding,
    Utf8,
    Sqli,
    Xss,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Begins,
    Contains,
    ContainsWord,
    Ends,
    Equals,
    /// The value is in the argument.
    Within,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Equal,
    GreaterOrEqual,
    Greater,
    LessOrEqual,
    Less,
}

impl Operator {
    pub(crate) fn matches(&self, value: &[u8], variables: &impl Variables, detectors: &dyn Detect) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Expression(expression) => expression.is_match(value),
            Self::Phrases(phrases) => phrases.is_match(value),
            Self::Text(comparison, argument) => comparison.holds(value, &argument.expand(variables)),
            Self::Number(order, argument) => {
                let (value, argument) = (number(value), number(&argument.expand(variables)));
                match order {
                    Order::Equal => value == argument,
                    Order::GreaterOrEqual => value >= argument,
                    Order::Greater => value > argument,
                    Order::LessOrEqual => value <= argument,
                    Order::Less => value < argument,
                }
            }
            Self::Addresses(networks) => {
                let address = std::str::from_utf8(value)
                    .ok()
                    .and_then(|text| text.parse::<IpAddr>().ok());
                address.is_some_and(|address| networks.iter().any(|network| network.contains(&address.to_canonical())))
            }
            Self::Bytes(allowed) => value.iter().any(|byte| !allowed.has(*byte)),
            Self::UrlEncoding => memchr::memchr_iter(b'%', value).any(|at| {
                let digits = value.get(at + 1..at + 3);
                !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            }),
            Self::Utf8 => std::str::from_utf8(value).is_err(),
            Self::Sqli => detectors.sqli(value),
            Self::Xss => detectors.xss(value),
        }
    }
}

impl Comparison {
    fn holds(self, value: &[u8], argument: &[u8]) -> bool {
        match self {
            Self::Begins => value.starts_with(argument),
            Self::Contains => memchr::memmem::find(value, argument).is_some(),
            Self::ContainsWord => memchr::memmem::find_iter(value, argument).any(|at| {
                let is_word =
                    |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
                let before = at.checked_sub(1).and_then(|at| value.get(at));
                !is_word(before) && !is_word(value.get(at + argument.len()))
            }),
            Self::Ends => value.ends_with(argument),
            Self::Equals => value == argument,
            Self::Within => memchr::memmem::find(argument, value).is_some(),
        }
    }
}

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(crate) fn all() -> Self {
        Self([u64::MAX; 4])
    }

    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut set = Self::default();
        for byte in bytes {
            set.add(*byte);
        }
        set
    }

    pub(crate) fn with(mut self, bytes: RangeInclusive<u8>) -> Self {
        for byte in bytes {
            self.add(byte);
        }
        self
    }

    pub(crate) fn add(&mut self, byte: u8) {
        if let Some(word) = self.0.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }

    pub(crate) fn has(&self, byte: u8) -> bool {
        let word = self.0.get(usize::from(byte >> 6)).copied().unwrap_or_default();
        word & (1 << (byte & 63)) != 0
    }

    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).any(|(one, other)| one & other != 0)
    }

    pub(crate) fn union(self, other: Self) -> Self {
        let mut words = self.0;
        for (word, other) in words.iter_mut().zip(other.0) {
            *word |= other;
        }
        Self(words)
    }

    pub(crate) fn inverse(self) -> Self {
        Self(self.0.map(|word| !word))
    }

    pub(crate) fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}
