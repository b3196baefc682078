//! One section: tried, and tried again without what was wrong, until serde can read it.

use std::borrow::Cow;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use toml::de::{DeArray, DeTable, DeValue, ValueDeserializer};

use super::{Node, translate};
use crate::file::Section;
use crate::report::{Mistake, Report, Span};

/// What a section of a file can be read into.
pub(crate) trait Readable: DeserializeOwned + Default {
    /// Brings what users write shorter into the form that serde's enums read. Runs before every attempt; an `Err`
    /// names one mistake, and the next attempt is made without it.
    fn expand(_: &mut DeValue<'_>) -> Result<(), Mistake> {
        Ok(())
    }
}

/// Reads one section, reporting all that is wrong in it; nothing when nothing of it can be read.
pub(super) fn read<T: Readable>(node: &Node<'_>, report: &mut Report) -> Option<Section<T>> {
    let references = Arc::clone(&report.references);
    let mut rest: Cow<'_, Node<'_>> = Cow::Borrowed(node);
    let mut whole = true;
    // Every round removes a node or ends, so this ends even without the report's limit.
    while !report.is_full() {
        match attempt(rest.clone().into_owned()) {
            Ok(value) => {
                return Some(Section {
                    value,
                    span: node.span(),
                    whole,
                });
            }
            // A reference to the environment becomes what its key wants, once.
            Err(mistake) if references.retype(rest.to_mut(), &mistake.span) => _ = report.retyped.insert(mistake.span),
            Err(mistake) => {
                whole = false;
                let span = mistake.span.clone();
                if !(mistake.absence && report.is_damaged(&span)) {
                    report.add(mistake);
                }
                if !remove(rest.to_mut(), &span, report) {
                    report.drop_all(span);
                    return None;
                }
            }
        }
    }
    None
}

fn attempt<T: Readable>(mut node: Node<'_>) -> Result<T, Mistake> {
    T::expand(node.get_mut())?;
    let span = node.span();
    T::deserialize(ValueDeserializer::from(node)).map_err(|error| translate::mistake(&error, span))
}

/// Removes the innermost node at `span`, with its key when it has one. False when that is the section itself.
fn remove(node: &mut Node<'_>, span: &Span, report: &mut Report) -> bool {
    let within = node.span();
    match node.get_mut() {
        DeValue::Table(table) => {
            if table.iter_mut().any(|(_, value)| remove(value, span, report)) {
                report.damage(within);
                return true;
            }
            remove_key(table, &within, span, report)
        }
        DeValue::Array(array) => {
            if array.iter_mut().any(|element| remove(element, span, report)) {
                return true;
            }
            let before = array.len();
            let elements = std::mem::replace(array, DeArray::new()).into_iter();
            *array = elements.filter(|element| element.span() != *span).collect();
            array.len() < before
        }
        _ => false,
    }
}

fn remove_key(table: &mut DeTable<'_>, within: &Span, span: &Span, report: &mut Report) -> bool {
    let is_it = |(key, value): &(&toml::Spanned<_>, &Node<'_>)| key.span() == *span || value.span() == *span;
    let Some(key) = table.iter().find(is_it).map(|(key, _)| key.clone()) else {
        return false;
    };
    report.drop_key(within.clone(), key.get_ref());
    table.remove(&key);
    true
}
