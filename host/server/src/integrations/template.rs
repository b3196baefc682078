//! Values of an exchange put into text.

use gatewright_config::{TemplatePart, ValueTemplate};
use gatewright_core::Exchange;

/// The text, or none when a value that it needs is absent: half a value is worse than none.
pub fn render(template: &ValueTemplate, exchange: &Exchange) -> Option<String> {
    let mut text = String::new();
    for part in &template.0 {
        match part {
            TemplatePart::Text(literal) => text.push_str(literal),
            TemplatePart::Path(name) => text.push_str(exchange.parameters.get(name)?),
            TemplatePart::Attribute(name) => text.push_str(&exchange.attributes.get(name)?.to_string()),
        }
    }
    Some(text)
}
