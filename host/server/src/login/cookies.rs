//! How a browser keeps what is sealed: in cookies that scripts do not see and other sites do not send along, in several where one
//! would be too long (RFC 6265, section 6.1).

use gatewright_config::LoginCookie;
use gatewright_core::Request;
use http::header::HeaderValue;

use crate::token::carriers::{cookie, remove_cookie};

/// Bytes of one cookie's value: browsers keep 4096 with its name and attributes.
const LONGEST: usize = 3600;
/// Cookies of one session. More would not fit into the header section that servers read.
const MOST: usize = 4;

/// The cookies of one login.
pub struct Cookies {
    name: String,
    domain: Option<String>,
}

impl Cookies {
    /// Those that the configuration names.
    #[must_use]
    pub fn new(config: &LoginCookie) -> Self {
        Self {
            name: config.name.clone(),
            domain: config.domain.clone(),
        }
    }

    /// The session that a request brings along, sealed.
    #[must_use]
    pub fn session(&self, request: &Request, secure: bool) -> Option<String> {
        let name = self.prefixed(secure);
        let first = cookie(request, &name)?;
        // The first says how many there are: what is left over of a longer session is not a part of this one.
        let (count, text) = first.split_once('.')?;
        let count: usize = count.parse().ok().filter(|count| (1..=MOST).contains(count))?;
        let mut sealed = text.to_owned();
        for number in 1..count {
            sealed.push_str(cookie(request, &format!("{name}-{number}"))?);
        }
        Some(sealed)
    }

    /// The fields that make a browser keep this session, and forget what is left of a longer one; none when it is too long.
    #[must_use]
    pub fn keep_session(
        &self,
        request: &Request,
        secure: bool,
        sealed: &str,
        seconds: u64,
    ) -> Option<Vec<HeaderValue>> {
        let name = self.prefixed(secure);
        let count = sealed.len().div_ceil(LONGEST);
        if count > MOST || !sealed.is_ascii() {
            return None;
        }
        let mut fields = Vec::with_capacity(count);
        for (number, part) in sealed.as_bytes().chunks(LONGEST).enumerate() {
            let part = str::from_utf8(part).ok()?;
            let field = match number {
                0 => self.field(&name, &format!("{count}.{part}"), secure, seconds),
                _ => self.field(&format!("{name}-{number}"), part, secure, seconds),
            };
            fields.push(field?);
        }
        fields.extend(self.forget_parts(request, secure, count.max(1)));
        Some(fields)
    }

    /// The fields that make a browser forget the session.
    #[must_use]
    pub fn forget_session(&self, request: &Request, secure: bool) -> Vec<HeaderValue> {
        self.forget_parts(request, secure, 0)
    }

    fn forget_parts(&self, request: &Request, secure: bool, from: usize) -> Vec<HeaderValue> {
        let name = self.prefixed(secure);
        let names = (from..MOST).map(|number| match number {
            0 => name.clone(),
            _ => format!("{name}-{number}"),
        });
        names
            .filter(|name| cookie(request, name).is_some())
            .filter_map(|name| self.field(&name, "", secure, 0))
            .collect()
    }

    /// What a request brings along of a login under way, sealed. Logins of several windows do not know of each other.
    #[must_use]
    pub fn login<'r>(&self, request: &'r Request, secure: bool, state: &str) -> Option<&'r str> {
        cookie(request, &self.login_name(secure, state))
    }

    /// The field that makes a browser keep a login under way for so many seconds; zero: forget it.
    #[must_use]
    pub fn keep_login(&self, secure: bool, state: &str, sealed: &str, seconds: u64) -> Option<HeaderValue> {
        self.field(&self.login_name(secure, state), sealed, secure, seconds)
    }

    /// Takes them out of a request: nobody behind the gateway needs to know them.
    pub fn settle(&self, request: &mut Request) {
        let names = [true, false].map(|secure| self.prefixed(secure));
        remove_cookie(request, |other| {
            names.iter().any(|name| {
                let rest = other.strip_prefix(name.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
            })
        });
    }

    /// A browser keeps a name with this prefix only as it is told here (RFC 6265bis, section 4.1.3).
    fn prefixed(&self, secure: bool) -> String {
        let prefix = match (secure, &self.domain) {
            (true, None) => "__Host-",
            (true, Some(_)) => "__Secure-",
            (false, _) => "",
        };
        format!("{prefix}{}", self.name)
    }

    fn login_name(&self, secure: bool, state: &str) -> String {
        let state: String = state.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        format!("{}-login-{state}", self.prefixed(secure))
    }

    fn field(&self, name: &str, value: &str, secure: bool, seconds: u64) -> Option<HeaderValue> {
        let mut field = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax");
        if secure {
            field.push_str("; Secure");
        }
        if let Some(domain) = &self.domain {
            field.push_str("; Domain=");
            field.push_str(domain);
        }
        let mut field = HeaderValue::try_from(field).ok()?;
        field.set_sensitive(true);
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, Method, Version};

    fn cookies(domain: Option<&str>) -> Cookies {
        Cookies {
            name: "s".to_owned(),
            domain: domain.map(str::to_owned),
        }
    }

    fn request(fields: &[HeaderValue]) -> Request {
        let pairs: Vec<_> = fields
            .iter()
            .map(|field| field.to_str().unwrap().split(';').next().unwrap().to_owned())
            .collect();
        let mut headers = HeaderMap::new();
        headers.insert("cookie", format!("a=b; {}", pairs.join("; ")).parse().unwrap());
        Request {
            method: Method::GET,
            secure: true,
            authority: HeaderValue::from_static("a"),
            host: "a".to_owned(),
            target: "/".parse().unwrap(),
            version: Version::HTTP_11,
            headers,
        }
    }

    #[test]
    fn what_is_kept_comes_back_however_long_it_is() {
        let cookies = cookies(None);
        let nothing = request(&[]);
        for length in [1, LONGEST, LONGEST + 1, LONGEST * MOST] {
            let sealed = "x".repeat(length);
            let fields = cookies.keep_session(&nothing, true, &sealed, 60).unwrap();
            assert_eq!(fields.len(), length.div_ceil(LONGEST));
            assert!(fields.iter().all(|field| field.len() < 4096));
            assert_eq!(cookies.session(&request(&fields), true).as_ref(), Some(&sealed));
            assert_eq!(cookies.session(&request(&fields), false), None);
        }
        assert_eq!(
            cookies.keep_session(&nothing, true, &"x".repeat(LONGEST * MOST + 1), 60),
            None
        );
    }

    #[test]
    fn a_shorter_session_leaves_nothing_of_a_longer_one() {
        let cookies = cookies(None);
        let long = cookies
            .keep_session(&request(&[]), true, &"x".repeat(LONGEST * 3), 60)
            .unwrap();
        let request = request(&long);
        let short = cookies.keep_session(&request, true, "y", 60).unwrap();
        let texts: Vec<_> = short.iter().map(|field| field.to_str().unwrap()).collect();
        assert_eq!(texts.len(), 3);
        assert!(texts[0].starts_with("__Host-s=1.y; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"));
        assert!(texts[1].starts_with("__Host-s-1=; Path=/; Max-Age=0;"));
        assert!(texts[2].starts_with("__Host-s-2=; Path=/; Max-Age=0;"));
        assert_eq!(cookies.forget_session(&request, true).len(), 3);
    }

    #[test]
    fn a_count_that_is_none_is_no_session() {
        let cookies = cookies(None);
        for value in ["x", "0.x", "5.x", "2.x", "-1.x", ".x", "99999999999999999999.x"] {
            let field: HeaderValue = format!("__Host-s={value}").parse().unwrap();
            assert_eq!(cookies.session(&request(&[field]), true), None, "{value}");
        }
    }

    #[test]
    fn nobody_behind_the_gateway_sees_them() {
        let cookies = cookies(Some("example.com"));
        let mut fields = cookies
            .keep_session(&request(&[]), true, &"x".repeat(LONGEST + 1), 60)
            .unwrap();
        fields.push(cookies.keep_login(true, "state", "y", 60).unwrap());
        fields.push(cookies.keep_login(false, "state", "y", 60).unwrap());
        assert!(fields[0].to_str().unwrap().ends_with("; Domain=example.com"));
        let mut request = request(&fields);
        cookies.settle(&mut request);
        assert_eq!(request.headers.get("cookie").unwrap(), "a=b");
    }
}
