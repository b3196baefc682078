//! `by` of limits: whose requests they count.

use crate::file::Located;
use crate::gateway::LimitKey;
use crate::resolve::Resolver;

impl Resolver<'_> {
    pub(super) fn limit_key(&mut self, by: &Located<String>) -> Option<LimitKey> {
        match by.value.as_str() {
            "route" => Some(LimitKey::Route),
            "client" => Some(LimitKey::Client),
            "api-key" => Some(LimitKey::ApiKey),
            "principal" => Some(LimitKey::Principal),
            other => {
                if let Some(name) = other.strip_prefix("header:") {
                    return self.readable_header(name, &by.span).map(LimitKey::Header);
                }
                if let Some(name) = other.strip_prefix("attribute:").filter(|name| !name.is_empty()) {
                    return Some(LimitKey::Attribute(name.to_owned()));
                }
                let hint =
                    "write \"route\", \"client\", \"api-key\", \"principal\", \"attribute:NAME\" or \"header:NAME\"";
                self.error(&by.span, format!("`{other}` is not what can be counted by"), hint);
                None
            }
        }
    }
}
