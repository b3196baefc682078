//! One JSON Web Key (RFC 7517) that can verify signatures, and the algorithms that it may be used with. What it is for is
//! settled here, once, by the key itself, so that no token can have it used for something else.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_config::Algorithm;
use serde_json::{Map, Value};

/// Bytes of moduli of RSA: 2048 to 8192 bits.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// A key.
pub struct Key {
    /// Its name (`kid`).
    pub id: Option<String>,
    verifiers: Vec<(Algorithm, ParsedPublicKey)>,
}

impl Key {
    /// Reads a key.
    ///
    /// # Errors
    /// Why it cannot be used to verify signatures.
    pub fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, &'static str> {
        let id = match said(jwk, "kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err("its `kid` is not text"),
        };
        if said(jwk, "use").is_some_and(|use_| use_ != "sig") {
            return Err("it is not for signatures (`use`)");
        }
        match said(jwk, "key_ops") {
            None => {}
            Some(Value::Array(operations)) if operations.iter().any(|one| one == "verify") => {}
            Some(_) => return Err("it is not for verifying (`key_ops`)"),
        }
        let only = match said(jwk, "alg") {
            None => None,
            Some(name) => {
                let algorithm = name.as_str().and_then(Algorithm::from_name);
                Some(algorithm.ok_or("its algorithm (`alg`) is none that the gateway verifies")?)
            }
        };
        let wanted = |algorithm: Algorithm| only.is_none_or(|only| only == algorithm);
        let verifiers = match jwk.get("kty").and_then(Value::as_str) {
            Some("RSA") => rsa(jwk, wanted)?,
            Some("EC") => elliptic(jwk, wanted)?,
            Some("OKP") => edwards(jwk, wanted)?,
            _ => return Err("its type (`kty`) is none of RSA, EC and OKP"),
        };
        if verifiers.is_empty() {
            return Err("its algorithm (`alg`) is not for its type (`kty`, `crv`)");
        }
        Ok(Self { id, verifiers })
    }

    /// What verifies signatures of that algorithm, if this key may.
    pub fn verifier(&self, algorithm: Algorithm) -> Option<&ParsedPublicKey> {
        let mut verifiers = self.verifiers.iter();
        verifiers.find(|(known, _)| *known == algorithm).map(|(_, key)| key)
    }
}

type Verifiers = Result<Vec<(Algorithm, ParsedPublicKey)>, &'static str>;

/// RFC 7518, section 6.3.1.
fn rsa(jwk: &Map<String, Value>, wanted: impl Fn(Algorithm) -> bool) -> Verifiers {
    const ALGORITHMS: [(Algorithm, &RsaParameters); 6] = [
        (Algorithm::RS256, &RSA_PKCS1_2048_8192_SHA256),
        (Algorithm::RS384, &RSA_PKCS1_2048_8192_SHA384),
        (Algorithm::RS512, &RSA_PKCS1_2048_8192_SHA512),
        (Algorithm::PS256, &RSA_PSS_2048_8192_SHA256),
        (Algorithm::PS384, &RSA_PSS_2048_8192_SHA384),
        (Algorithm::PS512, &RSA_PSS_2048_8192_SHA512),
    ];
    let (n, e) = (integer(jwk, "n")?, integer(jwk, "e")?);
    if !RSA_BYTES.contains(&n.len()) {
        return Err("its modulus has less than 2048 or more than 8192 bits");
    }
    // With an exponent of 1 everything is a signature.
    let exponent = e.iter().try_fold(0_u64, |number, byte| {
        number.checked_mul(256)?.checked_add(u64::from(*byte))
    });
    if exponent.is_none_or(|exponent| exponent < 3 || exponent % 2 == 0) {
        return Err("its exponent is not one of an RSA key");
    }
    if has_roca_fingerprint(&n) {
        return Err("its modulus was made by a library whose keys can be factored (ROCA, CVE-2017-15361)");
    }
    let components = RsaPublicKeyComponents { n, e };
    let parsed = ALGORITHMS
        .into_iter()
        .filter(|(algorithm, _)| wanted(*algorithm))
        .map(|(algorithm, parameters)| {
            let key = components.to_parsed_public_key(parameters);
            Ok((algorithm, key.map_err(|_| "it is not an RSA key")?))
        });
    parsed.collect()
}

/// Moduli made by the library of CVE-2017-15361 are powers of 65537 modulo small primes; others are so for all of these
/// primes in one of 2^27 cases.
fn has_roca_fingerprint(modulus: &[u8]) -> bool {
    const PRIMES: [u64; 17] = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];
    PRIMES.iter().all(|prime| {
        let rest = modulus
            .iter()
            .fold(0, |rest, byte| (rest * 256 + u64::from(*byte)) % prime);
        let powers = std::iter::successors(Some(1), |power| Some(power * 65537 % prime));
        powers.take(*prime as usize).any(|power| power == rest)
    })
}

/// RFC 7518, section 6.2.1. A curve has one algorithm (section 3.4).
fn elliptic(jwk: &Map<String, Value>, wanted: impl Fn(Algorithm) -> bool) -> Verifiers {
    let (algorithm, parameters, length) = match jwk.get("crv").and_then(Value::as_str) {
        Some("P-256") => (Algorithm::ES256, &ECDSA_P256_SHA256_FIXED, 32),
        Some("P-384") => (Algorithm::ES384, &ECDSA_P384_SHA384_FIXED, 48),
        Some("P-521") => (Algorithm::ES512, &ECDSA_P521_SHA512_FIXED, 66),
        _ => return Err("its curve (`crv`) is none of P-256, P-384 and P-521"),
    };
    let (Some(x), Some(y)) = (padded(&integer(jwk, "x")?, length), padded(&integer(jwk, "y")?, length)) else {
        return Err("its coordinates are longer than its curve's");
    };
    if !wanted(algorithm) {
        return Ok(Vec::new());
    }
    let point = [&[4][..], &x, &y].concat();
    let key = ParsedPublicKey::new(parameters, point).map_err(|_| "its point is not on its curve")?;
    Ok(vec![(algorithm, key)])
}

/// RFC 8037, section 2.
fn edwards(jwk: &Map<String, Value>, wanted: impl Fn(Algorithm) -> bool) -> Verifiers {
    if jwk.get("crv").is_none_or(|curve| curve != "Ed25519") {
        return Err("its curve (`crv`) is not Ed25519");
    }
    let x = member(jwk, "x")?;
    if !wanted(Algorithm::EdDSA) {
        return Ok(Vec::new());
    }
    let key = ParsedPublicKey::new(&ED25519, x).map_err(|_| "it is not a key of Ed25519")?;
    Ok(vec![(Algorithm::EdDSA, key)])
}

fn member(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, &'static str> {
    let text = jwk.get(name).and_then(Value::as_str);
    let text = text.ok_or("a member of its type is missing")?;
    // RFC 7515, section 2, has no padding; some issuers write it all the same, and it can mean nothing else.
    URL_SAFE_NO_PAD
        .decode(text.trim_end_matches('='))
        .map_err(|_| "a member of its type is not base64url")
}

/// A number without the zero bytes before it, which libraries that know signed numbers write (RFC 7518, section 6.3.1.1, forbids
/// them) and which do not change it.
fn integer(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, &'static str> {
    let bytes = member(jwk, name)?;
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    Ok(bytes.get(start..).unwrap_or_default().to_vec())
}

/// A number in so many bytes; none when it needs more.
fn padded(number: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length.checked_sub(number.len())?];
    bytes.extend_from_slice(number);
    Some(bytes)
}

/// An optional member that says something: `null` and `""` are how some issuers write that it is absent.
fn said<'k>(jwk: &'k Map<String, Value>, name: &str) -> Option<&'k Value> {
    jwk.get(name).filter(|value| !value.is_null() && *value != "")
}
