//! Signs requests as clients of AWS do, and as nobody should.

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

/// A request that is signed, with what can be wrong about it.
#[derive(Clone, Debug)]
pub(super) struct Signer {
    pub(super) method: &'static str,
    /// As it is signed, in canonical form.
    pub(super) path: String,
    pub(super) query: String,
    pub(super) host: String,
    pub(super) key: &'static str,
    pub(super) secret: &'static str,
    pub(super) service: &'static str,
    pub(super) region: &'static str,
    /// Seconds since it was signed.
    pub(super) age: i64,
    pub(super) payload: String,
    /// Further fields, in lower case, with their values.
    pub(super) fields: Vec<(&'static str, String)>,
}

impl Signer {
    /// Of what the harness's client sends when it is told nothing.
    pub(super) fn new() -> Self {
        Self {
            method: "GET",
            path: "/items".to_owned(),
            query: String::new(),
            host: "localhost".to_owned(),
            key: "AKIDPARTNERA",
            secret: "partner-a-secret",
            service: "execute-api",
            region: "eu-central-1",
            age: 0,
            payload: sha256(b""),
            fields: Vec::new(),
        }
    }

    /// The header fields of the signed request, without `host`.
    pub(super) fn headers(&self) -> Vec<(&'static str, String)> {
        let time = self.time();
        let mut fields = self.fields.clone();
        fields.push(("x-amz-date", time.clone()));
        let mut signed = fields.clone();
        signed.push(("host", self.host.clone()));
        signed.sort_unstable();
        let (names, signature) = self.sign(&time, &self.query, &signed);
        let credential = format!("{}/{}", self.key, self.scope(&time));
        let value = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}");
        fields.push(("authorization", value));
        fields
    }

    /// The presigned target.
    pub(super) fn presigned(&self, expires: u64) -> String {
        let time = self.time();
        let credential = format!("{}/{}", self.key, self.scope(&time)).replace('/', "%2F");
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={time}&X-Amz-Expires={expires}\
             &X-Amz-SignedHeaders=host"
        );
        // All of a test's own parameters come after these.
        let query = [query, self.query.clone()].into_iter().filter(|part| !part.is_empty());
        let query = query.collect::<Vec<_>>().join("&");
        let (_, signature) = self.sign(&time, &query, &[("host", self.host.clone())]);
        format!("{}?{query}&X-Amz-Signature={signature}", self.path)
    }

    fn time(&self) -> String {
        let at = Timestamp::now() - SignedDuration::from_secs(self.age);
        at.strftime("%Y%m%dT%H%M%SZ").to_string()
    }

    fn scope(&self, time: &str) -> String {
        format!("{}/{}/{}/aws4_request", &time[..8], self.region, self.service)
    }

    fn sign(&self, time: &str, query: &str, signed: &[(&'static str, String)]) -> (String, String) {
        let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let fields: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!(
            "{}\n{}\n{query}\n{fields}\n{names}\n{}",
            self.method, self.path, self.payload
        );
        let scope = self.scope(time);
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", sha256(canonical.as_bytes()));
        let key = scope
            .split('/')
            .fold(format!("AWS4{}", self.secret).into_bytes(), |key, part| mac(&key, part));
        (names, hex(&mac(&key, &text)))
    }
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.chain_update(text).finalize().into_bytes().to_vec()
}
