//! A key that is there twice in one text: which key, and where the first one is. The parser says neither.

use toml::de::{DeTable, DeValue};

use crate::report::{Mistake, Report, Span, quoted};

/// The mistake for the key at `span` of the text, which is there for the second time. `root` is what the parser has made of
/// the text, and `start` is where offsets of the text begin.
pub(super) fn mistake(text: &str, root: &DeTable<'_>, span: &Span, start: usize, report: &Report) -> Mistake {
    let global = |span: &Span| span.start + start..span.end + start;
    let second = global(span);
    let written = text.get(span.clone()).unwrap_or_default();
    match first(text, root, span) {
        Some((path, first)) => {
            let place = report.seen_from(&global(&first), &second);
            let message = format!("the key `{path}` is there twice: the first is at {place}");
            Mistake::new(second, message).hint("keep one of them")
        }
        None => Mistake::new(second, format!("the key `{written}` is there twice")).hint("keep one of them"),
    }
}

/// The path of the key, and where it is for the first time.
fn first(text: &str, root: &DeTable<'_>, span: &Span) -> Option<(String, Span)> {
    let name = key(text.get(span.clone())?)?;
    if let Some(table) = inline(text, root, span.start) {
        return named(table, &name, span.start).map(|at| (quoted(&name), at));
    }
    // Up to here the text is good, so it can be read by itself.
    let line = text.get(..span.start)?.rfind('\n').map_or(0, |end| end + 1);
    let before = text.get(..line)?;
    let (root, _) = DeTable::parse_recoverable(before);
    let root = root.get_ref();
    let this = text.get(line..span.end)?.trim_start();
    let (mut path, table) = if this.starts_with('[') {
        (Vec::new(), Some(root))
    } else {
        section(before, root)
    };
    let written = match this.strip_prefix("[[").or(this.strip_prefix('[')) {
        Some(header) => header,
        None => this,
    };
    let mut table = table?;
    let keys = keys(written)?;
    let (last, parents) = keys.split_last()?;
    for parent in parents {
        path.push(parent.clone());
        table = child(table.get(parent.as_str())?.get_ref())?;
    }
    path.push(last.clone());
    let (key, _) = table.get_key_value(last.as_str())?;
    let path: Vec<String> = path.iter().map(|key| quoted(key)).collect();
    Some((path.join("."), key.span()))
}

/// The innermost inline table at an offset.
fn inline<'r, 't>(text: &str, table: &'r DeTable<'t>, at: usize) -> Option<&'r DeTable<'t>> {
    table.values().find_map(|node| inline_in(text, node, at))
}

fn inline_in<'r, 't>(text: &str, node: &'r super::Node<'t>, at: usize) -> Option<&'r DeTable<'t>> {
    match node.get_ref() {
        DeValue::Table(table) => inline(text, table, at).or_else(|| {
            let span = node.span();
            let is_inline = text.get(span.start..).is_some_and(|text| text.starts_with('{'));
            (is_inline && span.contains(&at)).then_some(table)
        }),
        DeValue::Array(elements) => elements.iter().find_map(|element| inline_in(text, element, at)),
        _ => None,
    }
}

/// Where a table, or one that is dotted into it, has a key of that name before an offset.
fn named(table: &DeTable<'_>, name: &str, before: usize) -> Option<Span> {
    if let Some((key, _)) = table.get_key_value(name) {
        return Some(key.span()).filter(|span| span.start < before);
    }
    let children = table.values().filter_map(|node| child(node.get_ref()));
    children.into_iter().find_map(|table| named(table, name, before))
}

/// The path of the last header of a text, and its table.
fn section<'r, 't>(text: &str, root: &'r DeTable<'t>) -> (Vec<String>, Option<&'r DeTable<'t>>) {
    let mut last = (0, Vec::new(), root);
    deepest(text, root, &mut Vec::new(), &mut last);
    (last.1, Some(last.2))
}

/// Finds the header that begins last.
fn deepest<'r, 't>(
    text: &str,
    table: &'r DeTable<'t>,
    path: &mut Vec<String>,
    last: &mut (usize, Vec<String>, &'r DeTable<'t>),
) {
    for (key, node) in table {
        path.push(key.get_ref().to_string());
        let elements: Vec<&super::Node<'t>> = match node.get_ref() {
            DeValue::Array(elements) => elements.iter().collect(),
            _ => vec![node],
        };
        for node in elements {
            if let DeValue::Table(table) = node.get_ref() {
                let begins = node.span().start;
                if begins >= last.0 && text.get(begins..).is_some_and(|text| text.starts_with('[')) {
                    *last = (begins, path.clone(), table);
                }
                deepest(text, table, path, last);
            }
        }
        path.pop();
    }
}

/// The table of a value; the last one of an array of tables.
fn child<'r, 't>(value: &'r DeValue<'t>) -> Option<&'r DeTable<'t>> {
    match value {
        DeValue::Table(table) => Some(table),
        DeValue::Array(elements) => match elements.last()?.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => None,
        },
        _ => None,
    }
}

/// A key without its quotes.
fn key(written: &str) -> Option<String> {
    keys(written)?.pop()
}

/// The keys of a dotted key.
fn keys(written: &str) -> Option<Vec<String>> {
    let text = format!("{} = 0", written.trim());
    let root = DeTable::parse(&text).ok()?.into_inner();
    let mut keys = Vec::new();
    let mut table = &root;
    while let Some((key, value)) = table.iter().next() {
        keys.push(key.get_ref().to_string());
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    Some(keys)
}
