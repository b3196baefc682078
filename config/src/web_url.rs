//! URLs that the gateway itself asks for something that decides who may pass: nobody on the way may have a say in it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;
use serde::{Serialize, Serializer};

/// Longer ones are a mistake or an attack.
const LONGEST: usize = 2048;

/// `https://HOST[:PORT][/PATH][?QUERY]`; or `http://` to this machine itself, where nobody is on the way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WebUrl {
    text: String,
    /// TLS is spoken.
    pub tls: bool,
    /// Host name or address, lower case, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path and query, as they are asked for.
    pub target: String,
}

impl WebUrl {
    /// The URL as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for WebUrl {
    type Err = String;

    /// Says what is wrong without the text, which may hold a password.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("a URL has at most {LONGEST} bytes"));
        }
        // `Uri` cuts a fragment off in silence.
        if text.contains('#') {
            return Err("the URL has a fragment".to_owned());
        }
        let uri: Uri = text.parse().map_err(|_| format!("it is not a URL: {}", no_url(text)))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("it is not a URL that begins with `https://`".to_owned()),
        };
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            return Err("the URL has a user name or password".to_owned());
        }
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        if host.is_empty() {
            return Err("the URL has no host".to_owned());
        }
        if !tls && !is_loopback(&host) {
            return Err("`http://` is for this machine itself: on the way to another, anybody could answer".to_owned());
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let port = match uri.port_u16() {
            Some(port) if port > 0 => port,
            None if !has_port && tls => 443,
            None if !has_port => 80,
            _ => return Err("the URL has an impossible port".to_owned()),
        };
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        Ok(Self {
            text: text.to_owned(),
            tls,
            host,
            port,
            target: target.to_owned(),
        })
    }
}

/// Why a text that the library does not read is no URL, in words for whoever wrote it. Nothing of the text is repeated but one
/// character: it may hold a password.
pub(crate) fn no_url(text: &str) -> String {
    let wrong = text
        .chars()
        .find(|c| !c.is_ascii_graphic() || "\"<>\\^`{|}".contains(*c));
    match wrong {
        _ if text.is_empty() => "it is empty".to_owned(),
        Some(' ') => "it has a space".to_owned(),
        Some(c) if c.is_control() => "it has a control character".to_owned(),
        Some(c) if c.is_ascii() => format!("it has the character `{c}`, which is written percent-encoded"),
        Some(c) => format!("it has the character `{c}`: write a host as `xn--…`, and a path percent-encoded"),
        None => "it is not written as `SCHEME://HOST[:PORT][/PATH]`".to_owned(),
    }
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for WebUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let url: WebUrl = "https://Idp.example.com/a?p=b".parse().unwrap();
        assert_eq!(
            (url.tls, url.host.as_str(), url.port, url.target.as_str()),
            (true, "idp.example.com", 443, "/a?p=b")
        );
        let url: WebUrl = "http://[::1]:8080".parse().unwrap();
        assert_eq!(
            (url.tls, url.host.as_str(), url.port, url.target.as_str()),
            (false, "::1", 8080, "/")
        );
    }

    #[test]
    fn a_text_that_is_no_url_is_refused_with_the_reason_and_without_the_text() {
        for (text, reason) in [
            ("", "it is empty"),
            ("https://user:hunter2@a b", "it has a space"),
            ("https://a/\n", "it has a control character"),
            ("https://user:hunter2@a|b", "it has the character `|`"),
            ("https://käse.example", "write a host as `xn--…`"),
            ("https:/a", "SCHEME://HOST"),
            ("https://[::1", "SCHEME://HOST"),
        ] {
            let said = text.parse::<WebUrl>().unwrap_err();
            assert!(said.contains(reason), "{text}: {said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn what_others_on_the_way_could_answer_is_refused() {
        let urls = "http://idp.example.com|http://10.0.0.1|ftp://a|idp.example.com|https://|https://u:p@a|https://a#b|https://a:0|\
                    https://a:|/a|http://localhost.example.com";
        for url in urls.split('|') {
            assert!(url.parse::<WebUrl>().is_err(), "{url}");
        }
    }
}
