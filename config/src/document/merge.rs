//! Several trees that are one configuration: tables are continued, and no key is there twice.

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::Node;
use crate::report::{Mistake, Report, quoted};

/// The tree with all positions moved by `by`.
pub(super) fn shifted(table: DeTable<'_>, by: usize) -> DeTable<'_> {
    let entries = table.into_iter().map(|(key, value)| {
        let span = key.span();
        let key = Spanned::new(span.start + by..span.end + by, key.into_inner());
        (key, shifted_node(value, by))
    });
    entries.collect()
}

fn shifted_node(node: Node<'_>, by: usize) -> Node<'_> {
    let span = node.span();
    let value = match node.into_inner() {
        DeValue::Table(table) => DeValue::Table(shifted(table, by)),
        DeValue::Array(elements) => {
            let mut array = DeArray::new();
            for element in elements {
                array.push(shifted_node(element, by));
            }
            DeValue::Array(array)
        }
        value => value,
    };
    Spanned::new(span.start + by..span.end + by, value)
}

/// Adds the tree of another file. A table at the top continues the one that is there, `[[route]]` comes after those that
/// are there, and anything else must be in one file.
pub(crate) fn merge<'t>(whole: &mut DeTable<'t>, part: DeTable<'t>, report: &mut Report) {
    for (key, node) in part {
        let Some((first_key, first)) = whole.get_key_value(&key) else {
            whole.insert(key, node);
            continue;
        };
        let first_span = first_key.span();
        if first.get_ref().type_str() != node.get_ref().type_str() {
            twice(&quoted(key.get_ref()), &key.span(), &first_span, report);
            continue;
        }
        let Some(first) = whole.get_mut(&key) else { continue };
        match (first.get_mut(), node.into_inner()) {
            (DeValue::Table(first), DeValue::Table(table)) => {
                for (inner, value) in table {
                    match first.get_key_value(&inner) {
                        Some((there, _)) => {
                            let path = format!("{}.{}", quoted(key.get_ref()), quoted(inner.get_ref()));
                            twice(&path, &inner.span(), &there.span(), report);
                        }
                        None => _ = first.insert(inner, value),
                    }
                }
            }
            (DeValue::Array(first), DeValue::Array(elements)) => {
                elements.into_iter().for_each(|element| first.push(element));
            }
            _ => twice(&quoted(key.get_ref()), &key.span(), &first_span, report),
        }
    }
}

fn twice(path: &str, span: &crate::report::Span, first: &crate::report::Span, report: &mut Report) {
    let message = format!("`{path}` is there already, at {}", report.seen_from(first, span));
    report.add(Mistake::new(span.clone(), message).hint("keep one of them"));
}
