//! Operators: what a rule asks of a value, and what a value must have so that it can match.

use std::path::Path;
use std::sync::Arc;

use aho_corasick::AhoCorasick;

use super::{Loading, Refused};
use crate::expand::{Expansion, TxNames};
use crate::operator::{ByteSet, Comparison, Operator, Order};
use crate::pattern;
use crate::prefilter::Need;
use crate::syntax::Place;

impl Loading {
    /// The operator, and what a value must have so that it can match.
    pub(super) fn operator(&mut self, place: &Place, name: &str, argument: &str) -> Refused<(Operator, Option<Need>)> {
        let text = |names: &mut TxNames, comparison: Comparison| {
            let argument = Expansion::parse(argument, names);
            // A value in a text of the rule has no need of its own.
            let literal = argument.literal().filter(|_| comparison != Comparison::Within);
            let need = literal.and_then(|literal| Need::from_texts(vec![literal.as_bytes().to_vec()]));
            (Operator::Text(comparison, argument), need)
        };
        let order =
            |names: &mut TxNames, order: Order| (Operator::Number(order, Expansion::parse(argument, names)), None);
        let names = &mut self.names;
        Ok(match name.to_ascii_lowercase().as_str() {
            "rx" | "rxglobal" => {
                let (expression, hir) =
                    pattern::compile(argument).map_err(|error| format!("its expression cannot be run: {error}"))?;
                (Operator::Expression(expression), Need::of(&hir))
            }
            "pm" => phrases(argument.split_ascii_whitespace())?,
            name if reads_phrases(name) => {
                let mut all = Vec::new();
                for file in argument.split_ascii_whitespace() {
                    all.extend(self.phrases(place, file)?.iter().cloned());
                }
                phrases(all.iter().map(String::as_str))?
            }
            "contains" => text(names, Comparison::Contains),
            "containsword" => text(names, Comparison::ContainsWord),
            "streq" => text(names, Comparison::Equals),
            "beginswith" => text(names, Comparison::Begins),
            "endswith" => text(names, Comparison::Ends),
            "within" => text(names, Comparison::Within),
            "strmatch" => text(names, Comparison::Contains),
            "eq" => order(names, Order::Equal),
            "ge" => order(names, Order::GreaterOrEqual),
            "gt" => order(names, Order::Greater),
            "le" => order(names, Order::LessOrEqual),
            "lt" => order(names, Order::Less),
            "ipmatch" => (Operator::Addresses(addresses(argument)?), None),
            "validatebyterange" => (Operator::Bytes(byte_ranges(argument)?), None),
            "validateurlencoding" => (Operator::UrlEncoding, Some(Need::Bytes(ByteSet::of(b"%")))),
            "validateutf8encoding" => (Operator::Utf8, Some(Need::Bytes(ByteSet::default().with(0x80..=0xff)))),
            "detectsqli" => (Operator::Sqli, Some(Need::Bytes(suspicious()))),
            "detectxss" => (Operator::Xss, Some(Need::Bytes(ByteSet::of(b"<>='\"`:")))),
            "unconditionalmatch" => (Operator::Always, None),
            "nomatch" => (Operator::Never, None),
            other => return Err(format!("the operator `@{other}` is not supported")),
        })
    }

    /// The phrases of a file beside the rules, one a line.
    fn phrases(&mut self, place: &Place, file: &str) -> Refused<Arc<Vec<String>>> {
        let path = place.file.parent().unwrap_or(Path::new("")).join(file);
        if let Some(known) = self.phrases.get(&path) {
            return Ok(Arc::clone(known));
        }
        let text = self.read(&path).map_err(|error| error.to_string())?;
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let phrases = Arc::new(lines.map(str::to_owned).collect::<Vec<_>>());
        self.phrases.insert(path, Arc::clone(&phrases));
        Ok(phrases)
    }
}

/// `!@name argument`; without a name it is an expression.
pub(super) fn operator_parts(text: &str) -> (bool, &str, &str) {
    let text = text.trim_start();
    let (is_negated, text) = match text.strip_prefix('!') {
        Some(rest) if rest.trim_start().starts_with('@') => (true, rest.trim_start()),
        _ => (false, text),
    };
    match text.strip_prefix('@') {
        Some(named) => {
            let (name, argument) = named.split_once(char::is_whitespace).unwrap_or((named, ""));
            (is_negated, name, argument)
        }
        None => (is_negated, "rx", text),
    }
}

/// Whether an operator reads its phrases from files.
pub(super) fn reads_phrases(operator: &str) -> bool {
    ["pmf", "pmfromfile"]
        .iter()
        .any(|name| operator.eq_ignore_ascii_case(name))
}

fn phrases<'p>(phrases: impl Iterator<Item = &'p str>) -> Refused<(Operator, Option<Need>)> {
    let phrases: Vec<&str> = phrases.collect();
    if phrases.is_empty() {
        return Err("it has no phrases".to_owned());
    }
    let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(&phrases);
    let automaton = automaton.map_err(|error| error.to_string())?;
    let need = Need::from_texts(phrases.iter().map(|phrase| phrase.as_bytes().to_vec()).collect());
    Ok((Operator::Phrases(Box::new(automaton)), need))
}

fn addresses(text: &str) -> Refused<Vec<ipnet::IpNet>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let network = |part: &str| {
        let address = || part.parse::<std::net::IpAddr>().ok().map(ipnet::IpNet::from);
        part.parse::<ipnet::IpNet>()
            .ok()
            .or_else(address)
            .ok_or_else(|| format!("`{part}` is no address"))
    };
    parts.map(network).collect()
}

/// `1-255,9`
fn byte_ranges(text: &str) -> Refused<ByteSet> {
    let mut set = ByteSet::default();
    for part in text.split(',').map(str::trim) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.trim().parse::<u8>(), last.trim().parse::<u8>()) {
            (Ok(first), Ok(last)) => set = set.with(first..=last),
            _ => return Err(format!("`{part}` is no range of bytes")),
        }
    }
    Ok(set)
}

/// Bytes of which SQL needs one: all but those of plain names, numbers and addresses.
fn suspicious() -> ByteSet {
    let plain = ByteSet::of(b"_./:")
        .with(b'a'..=b'z')
        .with(b'A'..=b'Z')
        .with(b'0'..=b'9');
    plain.inverse()
}
