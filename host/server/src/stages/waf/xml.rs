//! XML bodies: text and attributes are values, named by their elements. A document type is refused: nothing of it is ever
//! expanded here, and whoever would expand it behind the gateway should not get the chance.

use gatewright_config::{WafPart, WafRule};
use gatewright_seclang::List;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::charset;
use super::inspection::Inspection;

/// Inspects a document, or the start of one.
pub(super) fn inspect(inspection: &mut Inspection<'_>, document: &[u8], complete: bool) {
    // UTF-16 without a byte order mark is UTF-8 with NULs.
    if !charset::of_xml(document).is_readable() || memchr::memchr(0, document).is_some() {
        return inspection.found(WafRule::BodyEncoding, WafPart::Body, b"");
    }
    let text = match std::str::from_utf8(document) {
        Ok(text) => text,
        Err(error) if !complete && error.error_len().is_none() => {
            let valid = document.get(..error.valid_up_to()).unwrap_or_default();
            std::str::from_utf8(valid).unwrap_or_default()
        }
        Err(_) => return inspection.found(WafRule::Utf8, WafPart::Body, b""),
    };
    let good = read(inspection, text, complete);
    if good.is_none() {
        inspection.found(WafRule::BodySyntax, WafPart::Body, b"");
    }
}

/// None when it is not well-formed, too deep, or has a document type.
fn read(inspection: &mut Inspection<'_>, text: &str, complete: bool) -> Option<()> {
    let mut reader = Reader::from_str(text);
    let mut names: Vec<String> = Vec::new();
    let mut content = String::new();
    loop {
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(_) if !complete => Event::Eof,
            Err(_) => return None,
        };
        match &event {
            Event::Text(text) => content.push_str(text),
            Event::CData(text) => content.push_str(text),
            Event::GeneralRef(reference) => match reference.resolve_char_ref().ok()? {
                Some(character) => content.push(character),
                None => content.push_str(resolve_predefined_entity(reference)?),
            },
            Event::DocType(_) => return None,
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
            Event::Start(_) | Event::Empty(_) | Event::End(_) | Event::Eof => {
                let name = names.last().map(String::as_bytes).unwrap_or_default();
                inspection.tell(List::XmlText, name, content.as_bytes());
                inspection.value(WafPart::Body, name, content.as_bytes());
                content.clear();
            }
        }
        match event {
            Event::Start(element) => {
                attributes(inspection, &element)?;
                names.push(element.name().0.to_owned());
                if names.len() > inspection.config().depth {
                    return None;
                }
            }
            Event::Empty(element) => attributes(inspection, &element)?,
            Event::End(_) => {
                names.pop();
            }
            Event::Eof => return (names.is_empty() || !complete).then_some(()),
            _ => {}
        }
        if inspection.is_over() {
            return Some(());
        }
    }
}

fn attributes(inspection: &mut Inspection<'_>, element: &BytesStart<'_>) -> Option<()> {
    for attribute in element.attributes().with_checks(false) {
        let attribute = attribute.ok()?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
        inspection.tell(List::XmlAttributes, attribute.key.0.as_bytes(), value.as_bytes());
        inspection.value(WafPart::Body, attribute.key.0.as_bytes(), value.as_bytes());
    }
    Some(())
}
