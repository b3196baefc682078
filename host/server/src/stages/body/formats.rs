//! JSON, forms and XML as values, and values as forms and XML.
//!
//! XML and JSON do not say the same: an element becomes an object of its attributes (`@name`) and elements, those of one name
//! a list, with its text in `#text`; one with text alone becomes that text. The order of elements with different names,
//! comments, processing instructions and namespaces are lost.

use std::borrow::Cow;

use percent_encoding::percent_decode;
use quick_xml::escape::{escape, resolve_predefined_entity};
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use serde_json::{Map, Value};

use crate::json::{self, Inexact};

/// How deep bodies may be nested.
pub(super) const DEPTH: usize = 64;

/// What a body says, by its content type; none for what is not known.
pub(super) fn parse(body: &[u8], content_type: &str) -> Result<Option<Value>, String> {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    Ok(match essence {
        "application/x-www-form-urlencoded" => Some(from_form(body)),
        json if json == "application/json" || json.ends_with("+json") => {
            Some(json::read(body, DEPTH, Inexact::Refused)?)
        }
        xml if xml.ends_with("/xml") || xml.ends_with("+xml") => {
            let text = std::str::from_utf8(body).map_err(|_| "the XML is not UTF-8".to_owned())?;
            Some(from_xml(text)?)
        }
        _ => None,
    })
}

/// Parameters by name; of those that are there more than once a list.
pub(super) fn from_form(text: &[u8]) -> Value {
    let decoded = |text: &[u8]| {
        let spaced: Vec<u8> = text
            .iter()
            .map(|byte| if *byte == b'+' { b' ' } else { *byte })
            .collect();
        percent_decode(&spaced).decode_utf8_lossy().into_owned()
    };
    let mut values = Map::new();
    for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let name = decoded(parts.next().unwrap_or_default());
        let value = Value::String(decoded(parts.next().unwrap_or_default()));
        add(&mut values, name, value);
    }
    Value::Object(values)
}

/// A value more under a name.
fn add(values: &mut Map<String, Value>, name: String, value: Value) {
    match values.get_mut(&name) {
        None => {
            values.insert(name, value);
        }
        Some(Value::Array(list)) => list.push(value),
        Some(first) => {
            let both = vec![first.take(), value];
            *first = Value::Array(both);
        }
    }
}

/// An object of texts, numbers and lists of them as a form.
pub(super) fn to_form(value: &Value) -> Result<String, String> {
    let Value::Object(members) = value else {
        return Err("only an object can be a form".to_owned());
    };
    let mut pairs = Vec::new();
    for (name, value) in members {
        let values = match value {
            Value::Array(values) => values.as_slice(),
            one => std::slice::from_ref(one),
        };
        for value in values {
            let text = plain(value).ok_or_else(|| "a form has no objects, nor lists of lists".to_owned())?;
            pairs.push(format!("{}={}", form_encoded(name), form_encoded(&text)));
        }
    }
    Ok(pairs.join("&"))
}

fn form_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            byte if byte.is_ascii_alphanumeric() || b"*-._".contains(&byte) => encoded.push(char::from(byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// The text of a value that is no list and no object.
fn plain(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Null => Some(Cow::Borrowed("")),
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(_) | Value::Number(_) => Some(Cow::Owned(value.to_string())),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// A document as an object with one member, its root. Document types and entities that they would define are refused.
pub(super) fn from_xml(text: &str) -> Result<Value, String> {
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    let wrong = |reader: &Reader<&[u8]>| format!("the XML is not well-formed at byte {}", reader.buffer_position());
    loop {
        let event = reader.read_event().map_err(|_| wrong(&reader))?;
        let depth = open.len();
        let Some(element) = open.last_mut() else {
            return Err(wrong(&reader));
        };
        match event {
            Event::Start(start) if depth <= DEPTH => open.push(Element::new(&start).ok_or_else(|| wrong(&reader))?),
            Event::Start(_) => return Err("the XML is nested too deep".to_owned()),
            Event::Empty(start) => {
                let empty = Element::new(&start).ok_or_else(|| wrong(&reader))?;
                element.put(empty);
            }
            Event::End(_) => {
                let ended = open.pop().unwrap_or_default();
                match open.last_mut() {
                    Some(parent) => parent.put(ended),
                    None => return Err(wrong(&reader)),
                }
            }
            Event::Text(text) => element.text.push_str(&text),
            Event::CData(text) => element.text.push_str(&text),
            Event::GeneralRef(name) => match name.resolve_char_ref().map_err(|_| wrong(&reader))? {
                Some(character) => element.text.push(character),
                None => match resolve_predefined_entity(&name) {
                    Some(text) => element.text.push_str(text),
                    None => return Err("the XML has an unknown entity".to_owned()),
                },
            },
            Event::DocType(_) => return Err("the XML has a document type".to_owned()),
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
            Event::Eof => break,
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some(document), true) if document.members.len() == 1 && document.text.trim().is_empty() => {
            Ok(Value::Object(document.members))
        }
        _ => Err("the XML has no one root".to_owned()),
    }
}

/// An element while it is read.
#[derive(Default)]
struct Element {
    name: String,
    members: Map<String, Value>,
    text: String,
}

impl Element {
    fn new(start: &BytesStart<'_>) -> Option<Self> {
        let mut members = Map::new();
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute.ok()?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
            members.insert(format!("@{}", attribute.key.0), value.into_owned().into());
        }
        Some(Self {
            name: start.name().0.to_owned(),
            members,
            text: String::new(),
        })
    }

    fn put(&mut self, element: Self) {
        let Self {
            name,
            mut members,
            text,
        } = element;
        let text = text.trim();
        let value = match members.is_empty() {
            true => Value::String(text.to_owned()),
            false => {
                if !text.is_empty() {
                    members.insert("#text".to_owned(), text.into());
                }
                Value::Object(members)
            }
        };
        add(&mut self.members, name, value);
    }
}

/// An element of that name, with what [`from_xml`] would read as this value.
pub(super) fn to_xml(name: &str, value: &Value) -> Result<String, String> {
    let mut text = String::new();
    write(&mut text, name, value, DEPTH)?;
    Ok(text)
}

fn write(text: &mut String, name: &str, value: &Value, depth: usize) -> Result<(), String> {
    let depth = depth
        .checked_sub(1)
        .ok_or_else(|| "it is nested too deep for XML".to_owned())?;
    if !is_name(name) {
        return Err(format!("{name:?} is not the name of an element"));
    }
    if let Value::Array(values) = value {
        return values.iter().try_for_each(|value| write(text, name, value, depth));
    }
    text.push('<');
    text.push_str(name);
    let members = value.as_object();
    for (key, value) in members.into_iter().flatten() {
        if let (Some(key), Some(value)) = (key.strip_prefix('@'), plain(value)) {
            if !is_name(key) {
                return Err(format!("{key:?} is not the name of an attribute"));
            }
            text.push_str(&format!(" {key}=\"{}\"", escape(value.as_ref())));
        }
    }
    text.push('>');
    match members {
        None => text.push_str(&escape(plain(value).unwrap_or_default().as_ref())),
        Some(members) => {
            for (key, value) in members.iter().filter(|(key, _)| !key.starts_with('@')) {
                match (key.as_str(), plain(value)) {
                    ("#text", Some(value)) => text.push_str(&escape(value.as_ref())),
                    _ => write(text, key, value, depth)?,
                }
            }
        }
    }
    text.push_str(&format!("</{name}>"));
    Ok(())
}

/// Names that every parser takes for one.
fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    let starts = characters
        .next()
        .is_some_and(|first| first.is_alphabetic() || first == '_');
    starts && characters.all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'))
}
