//! The change itself: read, replace, write.

use gatewright_sdk::Fault;
use serde_json::Value as Json;

/// What to replace, and with what.
pub(crate) struct Mask<'a> {
    pub(crate) names: &'a [String],
    pub(crate) pointers: &'a [String],
    pub(crate) with: &'a str,
}

impl Mask<'_> {
    /// The body with its masks; none when there is nothing to mask, so that such a body stays as it is to the byte.
    pub(crate) fn apply(&self, body: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let mut json: Json =
            serde_json::from_slice(body).map_err(|error| Fault::BadInput(format!("the body is not JSON: {error}")))?;
        let mut masked = false;
        for pointer in self.pointers {
            if let Some(place) = json.pointer_mut(pointer) {
                *place = Json::String(self.with.to_owned());
                masked = true;
            }
        }
        masked |= self.mask_names(&mut json);
        if !masked {
            return Ok(None);
        }
        let body = serde_json::to_vec(&json).map_err(|error| Fault::Internal(format!("cannot write JSON: {error}")))?;
        Ok(Some(body))
    }

    /// Recursion is bounded: the parser refuses more than 128 levels.
    fn mask_names(&self, json: &mut Json) -> bool {
        match json {
            Json::Object(object) => object.iter_mut().fold(false, |masked, (name, value)| {
                if self.names.contains(name) {
                    *value = Json::String(self.with.to_owned());
                    true
                } else {
                    self.mask_names(value) | masked
                }
            }),
            Json::Array(items) => items
                .iter_mut()
                .fold(false, |masked, item| self.mask_names(item) | masked),
            _ => false,
        }
    }
}
