//! `[[credential]]` of a file of access keys.

use std::collections::HashMap;

use super::Resolver;
use crate::credentials::CredentialEntry;
use crate::file::{Credential, Located, Section};

/// The longest access key id of AWS.
const LONGEST_ID: usize = 128;

impl Resolver<'_> {
    pub(super) fn credentials(&mut self, sections: &[Section<Credential>]) -> Vec<CredentialEntry> {
        let mut lines = HashMap::new();
        let mut entries = Vec::with_capacity(sections.len());
        for section in sections {
            let id = section.value.access_key_id.as_ref();
            if let Some(id) = id {
                let line = self.report.line(&id.span);
                if let Some(first) = lines.insert(id.value.clone(), line) {
                    let message = format!("there is a key with this id already, at line {first}");
                    self.error(&id.span, message, "remove one of them");
                }
            }
            entries.extend(self.credential(section));
        }
        entries
    }

    fn credential(&mut self, section: &Section<Credential>) -> Option<CredentialEntry> {
        let Section { value, span, .. } = section;
        let Credential {
            access_key_id,
            principal,
            secret,
            session_token,
            enabled,
        } = value;
        let id = self.required(access_key_id.as_ref(), span, "access_key_id", "\"AKIDPARTNERA\"");
        let id = id.and_then(|id| self.access_key_id(id));
        let principal = self.required(principal.as_ref(), span, "principal", "\"partner-a\"");
        let principal = principal.and_then(|name| self.principal(name));
        let secret = self.required(secret.as_ref(), span, "secret", "\"env:PARTNER_A_SECRET\"");
        let secret = secret.and_then(|reference| self.secret(reference));
        let token = session_token.as_ref().map(|reference| self.secret(reference));
        Some(CredentialEntry {
            access_key_id: id?,
            principal: principal?,
            secret: secret?,
            session_token: match token {
                Some(token) => Some(token?),
                None => None,
            },
            enabled: *enabled,
        })
    }

    /// Slashes and commas end it where it is used.
    fn access_key_id(&mut self, id: &Located<String>) -> Option<String> {
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'=');
        if id.value.is_empty() || id.value.len() > LONGEST_ID || !id.value.bytes().all(valid) {
            let hint =
                format!("write 1 to {LONGEST_ID} letters, digits, `-`, `_`, `.` and `=`, such as \"AKIDPARTNERA\"");
            self.error(&id.span, "it is not an access key id", hint);
            return None;
        }
        Some(id.value.clone())
    }

    /// The name of a client.
    pub(super) fn principal(&mut self, name: &Located<String>) -> Option<String> {
        let text = name.value.as_str();
        if text.is_empty() || text.len() > 256 || text.chars().any(char::is_control) {
            let hint = "write 1 to 256 characters, such as \"partner-a\"";
            self.error(&name.span, "it is not the name of a client", hint);
            return None;
        }
        Some(name.value.clone())
    }
}
