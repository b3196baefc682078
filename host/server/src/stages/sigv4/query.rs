//! The query of a request, as it is signed, and without what signs it.

use std::borrow::Cow;

use http::uri::PathAndQuery;
use percent_encoding::percent_decode_str;

/// The parameter with the signature, which is not itself signed.
pub(super) const SIGNATURE: &str = "X-Amz-Signature";

/// What a presigned URL has of its signer.
const SIGNING: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
    SIGNATURE,
    "X-Amz-SignedHeaders",
];

/// Names and values, decoded. A `+` is a space, as in forms; signers write `%20`.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
}

fn decoded(text: &str) -> Cow<'_, [u8]> {
    match text.contains('+') {
        true => Cow::Owned(percent_decode_str(&text.replace('+', " ")).collect()),
        false => percent_decode_str(text).into(),
    }
}

/// The target without the parameters that sign it; none when that is no target, which cannot be.
pub(super) fn without_signature(target: &PathAndQuery) -> Option<PathAndQuery> {
    let signs = |pair: &&str| {
        let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
        let name = decoded(name);
        SIGNING.iter().any(|signing| signing.as_bytes() == &*name)
    };
    let kept: Vec<_> = target.query()?.split('&').filter(|pair| !signs(pair)).collect();
    let path = target.path();
    let text = match kept.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{}", kept.join("&")),
    };
    PathAndQuery::try_from(text).ok()
}
