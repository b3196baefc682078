//! What operators say is to be forgotten: `POST /cache/purge` and `gatewright cache purge`.

use http::uri::Uri;
use serde::{Deserialize, Serialize};

use super::AS_KEPT;
use super::key::Target;
use super::store::Store;
use super::stored::Stored;

/// What is to be forgotten: exactly one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Purge {
    /// All responses to requests for this URL, or for this path of any host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// All whose URL, or path, begins with this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// All that have this tag, in `Surrogate-Key` or `Cache-Tag`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// All of this route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// All.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
}

/// Why nothing is forgotten.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PurgeError {
    /// It says nothing, or several things.
    #[error("write exactly one of `url`, `prefix`, `tag`, `route`, and `\"all\": true`")]
    NotOne,
    /// It is neither a URL nor a path.
    #[error("`{0}` is neither a URL such as `https://api.example.com/users` nor a path such as `/users`")]
    NotAUrl(String),
}

/// A URL as keys have it.
#[derive(Debug)]
struct Place {
    authority: Option<String>,
    path: String,
    query: Option<String>,
}

/// What is to be forgotten, understood.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) purge: Purge,
    what: What,
}

#[derive(Debug)]
enum What {
    Url(Place),
    Prefix(Place),
    Tag(String),
    Route(String),
    All,
}

impl Purge {
    /// Forgets it. How many responses in memory that were.
    ///
    /// # Errors
    /// When it says nothing that can be done.
    pub fn run(&self, store: &Store) -> Result<u64, PurgeError> {
        let removed = store.purge(&self.wanted()?);
        store.metrics().purged(removed);
        Ok(removed)
    }

    pub(super) fn wanted(&self) -> Result<Wanted, PurgeError> {
        let Self {
            url,
            prefix,
            tag,
            route,
            all,
        } = self;
        let what = match (url, prefix, tag, route, all) {
            (Some(url), None, None, None, false) => What::Url(Place::of(url)?),
            (None, Some(prefix), None, None, false) => What::Prefix(Place::of(prefix)?),
            (None, None, Some(tag), None, false) => What::Tag(tag.clone()),
            (None, None, None, Some(route), false) => What::Route(route.clone()),
            (None, None, None, None, true) => What::All,
            _ => return Err(PurgeError::NotOne),
        };
        Ok(Wanted {
            purge: self.clone(),
            what,
        })
    }
}

impl Wanted {
    /// Whether all is meant that is kept under a key.
    pub(super) fn is_of_key(&self, target: &Target<'_>) -> bool {
        match &self.what {
            What::Url(place) => place.is(target),
            What::Prefix(place) => place.begins(target),
            What::Route(route) => target.route == route.as_bytes(),
            What::Tag(_) => false,
            What::All => true,
        }
    }

    /// Whether a response is meant for what it says itself.
    pub(super) fn is_of_response(&self, stored: &Stored) -> bool {
        match &self.what {
            What::Tag(tag) => stored.head.tags.iter().any(|known| **known == **tag),
            What::Url(_) | What::Prefix(_) | What::Route(_) | What::All => false,
        }
    }

    /// Whether nobody knows of what has not come yet that it is not meant.
    pub(super) fn may_be_any(&self) -> bool {
        matches!(self.what, What::Tag(_) | What::All)
    }
}

impl Place {
    fn of(text: &str) -> Result<Self, PurgeError> {
        let wrong = || PurgeError::NotAUrl(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let is_place = text.starts_with('/') || matches!(uri.scheme_str(), Some("http" | "https"));
        let path = AS_KEPT.normalise(uri.path()).map_err(|_| wrong())?.into_owned();
        is_place
            .then(|| Self {
                authority: uri.authority().map(|authority| authority.as_str().to_ascii_lowercase()),
                path,
                query: uri.query().map(str::to_owned),
            })
            .ok_or_else(wrong)
    }

    fn is_on(&self, target: &Target<'_>) -> bool {
        let authority = self.authority.as_deref();
        authority.is_none_or(|authority| bare(authority.as_bytes()) == bare(target.authority))
    }

    /// With a query, of the responses whose key has it only those to this one.
    fn is(&self, target: &Target<'_>) -> bool {
        let query = self.query.as_deref().unwrap_or_default();
        self.is_on(target)
            && self.path.as_bytes() == target.path
            && target.query.is_none_or(|known| known == query.as_bytes())
    }

    fn begins(&self, target: &Target<'_>) -> bool {
        let in_query = |query: &String| {
            let known = target.query.unwrap_or_default();
            target.path == self.path.as_bytes() && known.starts_with(query.as_bytes())
        };
        self.is_on(target)
            && self
                .query
                .as_ref()
                .map_or(target.path.starts_with(self.path.as_bytes()), in_query)
    }
}

/// An authority without the port that goes without saying.
fn bare(authority: &[u8]) -> &[u8] {
    [&b":80"[..], b":443"]
        .iter()
        .find_map(|port| authority.strip_suffix(*port))
        .unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(query: Option<&'static str>) -> Target<'static> {
        Target {
            route: b"route",
            authority: b"a.test",
            path: b"/users/1",
            query: query.map(str::as_bytes),
        }
    }

    #[test]
    fn a_url_means_what_was_asked_for_by_it() {
        let is = |text: &str, query| Place::of(text).unwrap().is(&target(query));
        for text in [
            "http://A.test/users/1",
            "https://a.test:443/users/1",
            "/users/1",
            "/x/../users/1",
        ] {
            assert!(is(text, Some("")), "{text}");
            assert!(!is(text, Some("a=b")), "{text}");
            // Where only parts of the query are in the key, it is not told from others.
            assert!(is(text, None), "{text}");
        }
        assert!(is("/users/1?a=b", Some("a=b")) && !is("/users/1?a=b", Some("")));
        assert!(!is("http://b.test/users/1", Some("")) && !is("/users", Some("")));
    }

    #[test]
    fn a_prefix_means_all_that_begin_with_it() {
        let begins = |text: &str| Place::of(text).unwrap().begins(&target(Some("a=b&c")));
        for text in ["/", "/users/", "/us", "http://a.test/users", "/users/1", "/users/1?a=b"] {
            assert!(begins(text), "{text}");
        }
        for text in ["http://a/", "http://b.test/users", "/users/1/", "/users/1?c"] {
            assert!(!begins(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_url_and_what_is_not_one_thing_is_refused() {
        for text in ["", "users", "a.test/users", "ftp://a.test/", "/%2e%zz"] {
            assert!(Place::of(text).is_err(), "{text}");
        }
        let store = Store::new(1, None, crate::telemetry::Metrics::default().cache());
        let both = Purge {
            all: true,
            tag: Some("a".to_owned()),
            ..Purge::default()
        };
        assert_eq!(both.run(&store), Err(PurgeError::NotOne));
        assert_eq!(Purge::default().run(&store), Err(PurgeError::NotOne));
    }
}
