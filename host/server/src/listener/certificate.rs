//! What a client's certificate says. The TLS library has verified it; here it is only read, once for a connection.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_core::ClientCertificate;
use sha2::{Digest as _, Sha256};
use x509_cert::Certificate;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::{Ia5StringRef, ObjectIdentifier, PrintableStringRef, TeletexStringRef, Utf8StringRef};
use x509_cert::der::{Decode as _, Tag, Tagged as _};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;
use x509_cert::time::Time;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
const UNIT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.11");

/// Until when a certificate is good: seconds since 1970.
pub fn expiry(der: &[u8]) -> Option<u64> {
    let certificate = Certificate::from_der(der).ok()?;
    Some(seconds(&certificate.tbs_certificate().validity().not_after))
}

/// Reads a certificate; none when something of it cannot be read, which is as good as no certificate.
pub fn read(der: &[u8]) -> Option<ClientCertificate> {
    let certificate = Certificate::from_der(der).ok()?;
    let certificate = certificate.tbs_certificate();
    let (subject, validity) = (certificate.subject(), certificate.validity());
    let mut read = ClientCertificate {
        subject: subject.to_string(),
        issuer: certificate.issuer().to_string(),
        serial: certificate.serial_number().as_bytes().to_vec(),
        sha256: Sha256::digest(der).into(),
        not_before: seconds(&validity.not_before),
        not_after: seconds(&validity.not_after),
        common_names: values(subject, COMMON_NAME)?,
        organizations: values(subject, ORGANIZATION)?,
        units: values(subject, UNIT)?,
        der: der.to_vec(),
        ..ClientCertificate::default()
    };
    if let Some((_, SubjectAltName(names))) = certificate.get_extension::<SubjectAltName>().ok()? {
        for name in names {
            match name {
                GeneralName::DnsName(name) => read.dns_names.push(name.to_string()),
                GeneralName::UniformResourceIdentifier(name) => read.uris.push(name.to_string()),
                GeneralName::Rfc822Name(name) => read.emails.push(name.to_string()),
                _ => {}
            }
        }
    }
    read.attributes = attributes(&read);
    Some(read)
}

fn seconds(time: &Time) -> u64 {
    time.to_unix_duration().as_secs()
}

/// All values of a kind in a name; none when one of them is no text.
fn values(name: &Name, kind: ObjectIdentifier) -> Option<Vec<String>> {
    name.iter().filter(|value| value.oid == kind).map(text).collect()
}

fn text(value: &AttributeTypeAndValue) -> Option<String> {
    let value = &value.value;
    let text = match value.tag() {
        Tag::PrintableString => PrintableStringRef::try_from(value).ok()?.as_str(),
        Tag::Utf8String => Utf8StringRef::try_from(value).ok()?.as_str(),
        Tag::Ia5String => Ia5StringRef::try_from(value).ok()?.as_str(),
        Tag::TeletexString => TeletexStringRef::try_from(value).ok()?.as_str(),
        _ => return None,
    };
    Some(text.to_owned())
}

fn attributes(certificate: &ClientCertificate) -> Vec<(&'static str, String)> {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let time = |seconds: u64| {
        let time = i64::try_from(seconds)
            .ok()
            .and_then(|seconds| jiff::Timestamp::new(seconds, 0).ok());
        time.map(|time| time.to_string()).unwrap_or_default()
    };
    let names = [
        ("DNS", &certificate.dns_names),
        ("URI", &certificate.uris),
        ("email", &certificate.emails),
    ];
    let names = names
        .into_iter()
        .flat_map(|(kind, names)| names.iter().map(move |name| format!("{kind}:{name}")));
    let mut attributes = vec![
        ("auth.certificate.subject", certificate.subject.clone()),
        ("auth.certificate.issuer", certificate.issuer.clone()),
        ("auth.certificate.serial", hex(&certificate.serial)),
        ("auth.certificate.fingerprint", hex(&certificate.sha256)),
        ("auth.certificate.not_before", time(certificate.not_before)),
        ("auth.certificate.not_after", time(certificate.not_after)),
        ("auth.certificate.san", names.collect::<Vec<_>>().join(", ")),
        ("auth.certificate.der", STANDARD.encode(&certificate.der)),
    ];
    if let [name] = certificate.common_names.as_slice() {
        attributes.push(("auth.certificate.cn", name.clone()));
    }
    attributes
}
