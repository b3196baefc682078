//! `[admin]`

use super::Resolver;
use crate::file::Admin;
use crate::gateway::AdminConfig;

impl Resolver<'_> {
    pub(super) fn admin(&mut self) -> Option<AdminConfig> {
        let section = &self.file.admin;
        let Admin {
            enabled,
            address,
            token,
            explain_key,
        } = &section.value;
        let token = token.as_ref().map(|token| self.secret_source(token, "admin.token"));
        let explain_key = explain_key
            .as_ref()
            .and_then(|key| self.secret_source(key, "admin.explain_key"));
        let address_span = &address.span;
        let address = self.socket_address(address)?;
        if *enabled && section.whole && token.is_none() && !address.ip().is_loopback() {
            let message = format!("`{address}` can be reached from elsewhere, so the admin needs a token");
            self.error(
                address_span,
                message,
                "add `token = \"env:NAME\"`, or listen on \"127.0.0.1:9901\"",
            );
        }
        // Where it is left out it is the section's.
        let place = match address_span.is_empty() {
            true => &section.span,
            false => address_span,
        };
        enabled.then_some(AdminConfig {
            address,
            token: token.flatten(),
            explain_key,
            place: self.report.place(place, "admin.address".to_owned()),
        })
    }
}
