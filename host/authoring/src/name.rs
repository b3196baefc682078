//! Names of new plugins: good as a file, as a key in the configuration, and as a package in every language.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// The name of a new plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginName(String);

const LONGEST: usize = 64;

impl FromStr for PluginName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let is_part =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let reason = if text.is_empty() || text.len() > LONGEST {
            "it has 1 to 64 characters"
        } else if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
            "it begins with a lower-case letter"
        } else if !text.split('-').all(is_part) {
            "it has lower-case letters, digits, and single `-` between them, as `tenant-authorizer`"
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(Error::Name {
            name: text.to_owned(),
            reason,
        })
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_good_in_every_language() {
        for good in ["a", "doorkeeper", "tenant-authorizer", "v2-check3"] {
            assert_eq!(good.parse::<PluginName>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "-a",
            "a-",
            "a--b",
            "A",
            "2fa",
            "a_b",
            "a.b",
            "a/b",
            "../a",
            "ä",
            &"a".repeat(65),
        ] {
            assert!(bad.parse::<PluginName>().is_err(), "{bad}");
        }
    }
}
