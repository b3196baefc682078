//! Values of an exchange put into text.

use gatewright_config::{TemplatePart, ValueTemplate};
use gatewright_core::Exchange;

/// The text, or none when a value that it needs is absent: half a value is worse than none.
pub fn render(template: &ValueTemplate, exchange: &Exchange) -> Option<String> {
    let mut text = String::new();
    for part in &template.0 {
        push(&mut text, part, exchange)?;
    }
    Some(text)
}

/// The same for a path. A `{rest}` that stands for nothing leaves no slash behind that the request did not have: with
/// `/v2/{rest}`, `/api` becomes `/v2`, and `/api/` becomes `/v2/`.
pub fn render_path(template: &ValueTemplate, exchange: &Exchange) -> Option<String> {
    let mut text = String::new();
    let mut parts = template.0.iter().peekable();
    while let Some(part) = parts.next() {
        let before = text.len();
        push(&mut text, part, exchange)?;
        if let (TemplatePart::Path(name), true) = (part, text.len() == before) {
            let slash_follows = matches!(parts.peek(), Some(TemplatePart::Text(next)) if next.starts_with('/'));
            let is_superfluous = slash_follows || exchange.parameters.ends_before(name);
            if is_superfluous && text.ends_with('/') && (slash_follows || text.len() > 1) {
                text.pop();
            }
        }
    }
    Some(text)
}

fn push(text: &mut String, part: &TemplatePart, exchange: &Exchange) -> Option<()> {
    match part {
        TemplatePart::Text(literal) => text.push_str(literal),
        TemplatePart::Path(name) => text.push_str(exchange.parameters.get(name)?),
        TemplatePart::Attribute(name) => text.push_str(&exchange.attributes.get(name)?.to_string()),
    }
    Some(())
}
