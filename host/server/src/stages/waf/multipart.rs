//! Bodies of forms with files (RFC 7578). They are read as strictly as clients write them, because what is left to guess
//! is guessed in another way behind the gateway: no preamble, lines end with CRLF, and a boundary is where it says.
//!
//! Of fields the value is inspected, of files only the names.

use gatewright_config::{WafPart, WafRule};
use gatewright_seclang::List;
use memchr::memmem;

use super::charset;
use super::inspection::{Inspection, split_at};

/// Longer ones are not allowed (RFC 2046, section 5.1.1).
const BOUNDARY_BYTES: usize = 70;
/// Bytes of the header section of a part.
const HEADER_BYTES: usize = 8 << 10;

/// Inspects a body, or the start of one.
pub(super) fn inspect(inspection: &mut Inspection<'_>, boundary: Option<&str>, body: &[u8], complete: bool) {
    let boundary = boundary.filter(|boundary| (1..=BOUNDARY_BYTES).contains(&boundary.len()));
    let read = boundary.and_then(|boundary| parts(inspection, boundary, body));
    let ended = matches!(read, Some(End::Closed)) || (matches!(read, Some(End::Cut)) && !complete);
    if !ended {
        inspection.found(WafRule::BodySyntax, WafPart::Body, b"");
    }
}

/// How a body ends.
enum End {
    /// With its last boundary.
    Closed,
    /// Before that.
    Cut,
    /// Enough was found.
    Over,
}

/// Reads the parts; none when it is not what it should be.
fn parts(inspection: &mut Inspection<'_>, boundary: &str, body: &[u8]) -> Option<End> {
    let delimiter = format!("\r\n--{boundary}");
    // The first one is at the very start.
    let mut rest = body.strip_prefix(delimiter.as_bytes().get(2..)?)?;
    let finder = memmem::Finder::new(delimiter.as_bytes());
    loop {
        if inspection.is_over() {
            return Some(End::Over);
        }
        if let Some(end) = rest.strip_prefix(b"--") {
            return (end.is_empty() || end == b"\r\n").then_some(End::Closed);
        }
        if rest.len() < 2 {
            return Some(End::Cut);
        }
        rest = rest.strip_prefix(b"\r\n")?;
        let Some(end) = finder.find(rest) else {
            part(inspection, rest)?;
            return Some(End::Cut);
        };
        part(inspection, rest.get(..end)?)?;
        rest = rest.get(end + delimiter.len()..)?;
    }
}

/// One part, or what there is of it.
fn part(inspection: &mut Inspection<'_>, part: &[u8]) -> Option<()> {
    // Of one that has no end there may be no header section yet.
    let end = memmem::find(part, b"\r\n\r\n").unwrap_or(part.len());
    if end > HEADER_BYTES {
        return None;
    }
    let (headers, content) = (part.get(..end)?, part.get(end + 4..).unwrap_or_default());
    let mut disposition = None;
    for line in headers.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // A line that goes on is read by some and not by others.
        if line.first().is_some_and(u8::is_ascii_whitespace) {
            return None;
        }
        let (field, value) = split_at(line, b':');
        if field.eq_ignore_ascii_case(b"content-disposition") {
            // Two of them are two answers.
            if disposition.replace(value).is_some() {
                return None;
            }
        } else if !is_as_it_stands(field, value) {
            inspection.found(WafRule::BodyEncoding, WafPart::Body, b"");
        }
    }
    let parameters = parameters(disposition?)?;
    let of = |name: &[u8]| {
        parameters
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_slice())
    };
    // Names in pieces or encoded (RFC 2231) are not for forms (RFC 7578, section 4.2).
    if parameters.iter().any(|(name, _)| name.starts_with(b"name*")) {
        return None;
    }
    let name = of(b"name").unwrap_or_default();
    for line in headers.split(|byte| *byte == b'\n') {
        inspection.tell(List::PartHeaders, name, line.strip_suffix(b"\r").unwrap_or(line));
    }
    let mut is_file = false;
    for file in [of(b"filename"), of(b"filename*")].into_iter().flatten() {
        is_file = true;
        inspection.tell(List::Files, name, file);
        inspection.value(WafPart::Body, name, file);
    }
    inspection.parameter(WafPart::Body, name, if is_file { b"" } else { content });
    Some(())
}

/// Whether a header field of a part leaves its content as it is, and in a charset that can be read.
fn is_as_it_stands(field: &[u8], value: &[u8]) -> bool {
    if field.eq_ignore_ascii_case(b"content-transfer-encoding") {
        let known: [&[u8]; 3] = [b"7bit", b"8bit", b"binary"];
        return known.iter().any(|known| value.trim_ascii().eq_ignore_ascii_case(known));
    }
    !field.eq_ignore_ascii_case(b"content-type") || charset::of_content_type(value).is_readable()
}

/// Parameters behind the first `;` of a field's value, quoted or not, with names in lower case; none when one is there twice.
pub(super) fn parameters(value: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut parameters: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut rest = split_at(value, b';').1;
    while !rest.trim_ascii().is_empty() {
        let (key, after) = split_at(rest, b'=');
        let (text, next) = match after.trim_ascii_start().strip_prefix(b"\"") {
            Some(quoted) => unquoted(quoted),
            None => {
                let (text, next) = split_at(after, b';');
                (text.trim_ascii().to_vec(), next)
            }
        };
        let key = key.trim_ascii().to_ascii_lowercase();
        if parameters.iter().any(|(known, _)| *known == key) {
            return None;
        }
        parameters.push((key, text));
        rest = next;
    }
    Some(parameters)
}

/// What is between quotes, and what follows the next `;`.
fn unquoted(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut value = Vec::new();
    let mut bytes = text.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return (value, split_at(text.get(at..).unwrap_or_default(), b';').1),
            // Browsers write a quote in a name so.
            b'\\' => value.extend(bytes.next().map(|(_, byte)| *byte)),
            other => value.push(*other),
        }
    }
    (value, b"")
}
