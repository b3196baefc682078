//! `mtls`: who the client is, by the certificate that the listener has verified.
//!
//! Whether it is good is settled in the handshake; here it is decided whether it is one of those that may pass, and that it
//! has not expired on a connection that is kept.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use gatewright_config::{CertificateRule, MtlsConfig, PrincipalField};
use gatewright_core::wildcard::matches;
use gatewright_core::{ClientCertificate, Exchange, Flow, Problem, ProblemKind, Stage, Step, Value};

use crate::words;

/// Lets clients pass whose certificate is good here.
pub struct Mtls {
    principal: PrincipalField,
    allow: Option<Vec<CertificateRule>>,
}

impl Stage for Mtls {
    fn name(&self) -> &str {
        "mtls"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        Step::ready(self.decide(exchange))
    }
}

impl Mtls {
    /// A stage with these rules.
    #[must_use]
    pub fn new(config: &MtlsConfig) -> Self {
        Self {
            principal: config.principal,
            allow: config.allow.clone(),
        }
    }

    fn decide(&self, exchange: &mut Exchange) -> Result<Flow, Problem> {
        let Some(certificate) = exchange.client.certificate.clone() else {
            return Err(denied("the client has shown no certificate").with_detail("A client certificate is required"));
        };
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        if certificate.not_after < now {
            return Err(denied("the client's certificate has expired since it connected").closing());
        }
        let subject = &certificate.subject;
        if let Some(rules) = &self.allow
            && !rules.iter().any(|rule| allows(rule, &certificate))
        {
            return Err(denied(&format!(
                "no rule of `allow` is for the certificate of {subject}"
            )));
        }
        let Some(principal) = self.principal_of(&certificate) else {
            let field = words::of_choice(&self.principal);
            return Err(denied(&format!(
                "the certificate of {subject} has none or several of `{field}`"
            )));
        };
        exchange.authenticate("mtls", &principal);
        for (name, value) in &certificate.attributes {
            exchange.attributes.set(*name, Value::Text(value.clone()));
        }
        Ok(Flow::Proceed)
    }

    /// None when the certificate has no such name, or several: which of them would be a matter of chance.
    fn principal_of(&self, certificate: &Arc<ClientCertificate>) -> Option<String> {
        let attribute = |wanted: &str| {
            let mut attributes = certificate.attributes.iter();
            attributes
                .find(|(name, _)| *name == wanted)
                .map(|(_, value)| value.clone())
        };
        let only = |names: &[String]| match names {
            [name] => Some(name.clone()),
            _ => None,
        };
        let name = match self.principal {
            PrincipalField::Cn => only(&certificate.common_names),
            PrincipalField::Subject => Some(certificate.subject.clone()),
            PrincipalField::Dns => only(&certificate.dns_names),
            PrincipalField::Uri => only(&certificate.uris),
            PrincipalField::Email => only(&certificate.emails),
            PrincipalField::Serial => attribute("auth.certificate.serial"),
            PrincipalField::Fingerprint => attribute("auth.certificate.fingerprint"),
        };
        name.filter(|name| !name.is_empty())
    }
}

fn denied(cause: &str) -> Problem {
    Problem::new(ProblemKind::AccessDenied).with_cause(cause)
}

fn allows(rule: &CertificateRule, certificate: &ClientCertificate) -> bool {
    let CertificateRule {
        cn,
        o,
        ou,
        dns,
        uri,
        email,
        issuer,
        fingerprint,
    } = rule;
    let any = |pattern: &Option<String>, names: &[String]| match pattern {
        Some(pattern) => names.iter().any(|name| matches(pattern, name)),
        None => true,
    };
    let fingerprint_is = |expected: &String| {
        let mut digits = expected.as_bytes().chunks_exact(2).map(|pair| {
            let digits = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(digits, 16).ok()
        });
        certificate
            .sha256
            .iter()
            .all(|byte| digits.next().flatten() == Some(*byte))
    };
    // Names of hosts are the same in upper and lower case.
    let dns_names: Vec<_> = certificate
        .dns_names
        .iter()
        .map(|name| name.to_ascii_lowercase())
        .collect();
    any(cn, &certificate.common_names)
        && any(o, &certificate.organizations)
        && any(ou, &certificate.units)
        && any(dns, &dns_names)
        && any(uri, &certificate.uris)
        && any(email, &certificate.emails)
        && issuer
            .as_ref()
            .is_none_or(|pattern| matches(pattern, &certificate.issuer))
        && fingerprint.as_ref().is_none_or(fingerprint_is)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate() -> ClientCertificate {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        ClientCertificate {
            issuer: "CN=Clients,O=Example".to_owned(),
            sha256: [0xab; 32],
            common_names: own(&["orders"]),
            organizations: own(&["Example"]),
            dns_names: own(&["A.example.com", "b.example.com"]),
            uris: own(&["spiffe://example.com/orders/1"]),
            ..ClientCertificate::default()
        }
    }

    #[test]
    fn a_rule_is_for_a_certificate_that_matches_all_that_it_says() {
        let rule = |edit: &dyn Fn(&mut CertificateRule)| {
            let mut rule = CertificateRule::default();
            edit(&mut rule);
            allows(&rule, &certificate())
        };
        let some = |text: &str| Some(text.to_owned());
        assert!(rule(&|_| {}));
        assert!(rule(&|rule| rule.cn = some("orders")));
        assert!(!rule(&|rule| rule.cn = some("order")));
        assert!(rule(&|rule| rule.dns = some("a.example.com")));
        assert!(rule(&|rule| rule.uri = some("spiffe://example.com/*")));
        assert!(!rule(&|rule| rule.uri = some("spiffe://example.org/*")));
        assert!(!rule(&|rule| rule.ou = some("*")), "it has none");
        assert!(!rule(&|rule| rule.email = some("*")));
        assert!(rule(&|rule| rule.issuer = some("*,O=Example")));
        assert!(rule(&|rule| rule.fingerprint = Some("ab".repeat(32))));
        assert!(!rule(&|rule| rule.fingerprint = Some("ac".repeat(32))));
        assert!(!rule(&|rule| (rule.cn, rule.o) = (some("orders"), some("Other"))));
    }

    #[test]
    fn a_name_that_is_there_twice_is_nobodys() {
        let principal = |field| {
            let config = MtlsConfig {
                principal: field,
                allow: None,
            };
            Mtls::new(&config).principal_of(&Arc::new(certificate()))
        };
        assert_eq!(principal(PrincipalField::Cn), Some("orders".to_owned()));
        assert_eq!(
            principal(PrincipalField::Uri),
            Some("spiffe://example.com/orders/1".to_owned())
        );
        assert_eq!(principal(PrincipalField::Dns), None);
        assert_eq!(principal(PrincipalField::Email), None);
        assert_eq!(principal(PrincipalField::Subject), None);
    }
}
