//! `by` of limits: whose requests they count.

use crate::file::Located;
use crate::gateway::LimitKey;
use crate::names;
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
                let hint = match names::right_name(other)
                    .as_deref()
                    .map(|right| (right, right.split_once('.')))
                {
                    Some(("client.address", _)) => "write \"client\"".to_owned(),
                    Some(("auth.principal", _)) => "write \"principal\"".to_owned(),
                    Some(("auth.api_key", _)) => "write \"api-key\"".to_owned(),
                    Some(("route.name", _)) => "write \"route\"".to_owned(),
                    Some((_, Some(("header", name)))) => format!("write \"header:{name}\""),
                    Some((name, Some(("auth" | "plugin", _)))) => format!("write \"attribute:{name}\""),
                    _ => {
                        "write \"route\", \"client\", \"api-key\", \"principal\", \"attribute:NAME\" or \"header:NAME\""
                            .to_owned()
                    }
                };
                self.error(&by.span, format!("`{other}` is not what can be counted by"), hint);
                None
            }
        }
    }
}
