//! `{ use = "mtls", … }`

use crate::file::{self, Located, MtlsStage};
use crate::gateway::{CertificateRule, MtlsConfig};
use crate::report::Span;
use crate::resolve::Resolver;

impl Resolver<'_> {
    pub(super) fn mtls(&mut self, stage: &MtlsStage, _: &Span) -> Option<MtlsConfig> {
        let MtlsStage {
            stage: _,
            principal,
            allow,
        } = stage;
        if let Some(allow) = allow.as_ref().filter(|allow| allow.value.is_empty()) {
            let hint = "name some, or leave `allow` out for all that the listener has verified";
            self.error(&allow.span, "no certificate at all may pass", hint);
        }
        let allow = allow.as_ref().map(|allow| {
            let rules: Vec<_> = allow.value.iter().map(|rule| self.certificate_rule(rule)).collect();
            rules.into_iter().collect::<Option<Vec<_>>>()
        });
        Some(MtlsConfig {
            principal: *principal,
            allow: match allow {
                Some(allow) => Some(allow?),
                None => None,
            },
        })
    }

    fn certificate_rule(&mut self, rule: &Located<file::CertificateRule>) -> Option<CertificateRule> {
        let file::CertificateRule {
            cn,
            o,
            ou,
            dns,
            uri,
            email,
            issuer,
            fingerprint,
        } = &rule.value;
        let fingerprint = fingerprint.as_ref().map(|text| self.fingerprint(text));
        let rule = CertificateRule {
            cn: cn.clone(),
            o: o.clone(),
            ou: ou.clone(),
            dns: dns.as_ref().map(|name| name.to_ascii_lowercase()),
            uri: uri.clone(),
            email: email.clone(),
            issuer: issuer.clone(),
            fingerprint: match fingerprint {
                Some(fingerprint) => Some(fingerprint?),
                None => None,
            },
        };
        Some(rule)
    }

    fn fingerprint(&mut self, text: &Located<String>) -> Option<String> {
        let digits: String = text.value.chars().filter(|c| *c != ':').collect();
        if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            let hint = "write what `openssl x509 -noout -fingerprint -sha256 -in client.crt` says";
            self.error(&text.span, "it is not the SHA-256 of a certificate", hint);
            return None;
        }
        Some(digits.to_ascii_lowercase())
    }
}
