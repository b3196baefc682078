//! How a browser keeps what is sealed: in cookies that scripts do not see and other sites do not send along, in several where one
//! would be too long (RFC 6265, section 6.1).

use gatewright_config::LoginCookie;
use gatewright_core::Request;
use http::header::HeaderValue;

use crate::token::carriers::{cookie, cookies, remove_cookie};

/// Bytes of one cookie's value: browsers keep 4096 with its name and attributes.
const LONGEST: usize = 3600;
/// Cookies of one session. More would not fit into the header section that servers read.
const MOST: usize = 4;

/// Logins under way that a browser keeps: of the windows that somebody has open, and of those that were given up.
const MOST_LOGINS: usize = 5;
/// Bytes of all of them. With the longest session they fit into the header section that listeners read.
const LOGIN_BYTES: usize = 12 << 10;
/// Cookies that one response makes a browser forget. The next response has the rest.
const MOST_FORGOTTEN: usize = 40;

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

    /// What a request brings along of a session.
    #[must_use]
    pub fn session(&self, request: &Request, secure: bool) -> Option<String> {
        whole(request, &self.prefixed(secure))
    }

    /// The fields that make a browser keep this for its session, and forget what is left of a longer one; none when it is too long.
    #[must_use]
    pub fn keep_session(
        &self,
        request: &Request,
        secure: bool,
        sealed: &str,
        seconds: u64,
    ) -> Option<Vec<HeaderValue>> {
        let name = self.prefixed(secure);
        let mut fields = self.keep(&name, sealed, secure, seconds)?;
        fields.extend(self.forget_parts(request, secure, fields.len()));
        Some(fields)
    }

    /// The fields that make a browser forget the session.
    #[must_use]
    pub fn forget_session(&self, request: &Request, secure: bool) -> Vec<HeaderValue> {
        self.forget_parts(request, secure, 0)
    }

    fn forget_parts(&self, request: &Request, secure: bool, from: usize) -> Vec<HeaderValue> {
        let name = self.prefixed(secure);
        (from..MOST)
            .map(|number| part_name(&name, number))
            .filter(|name| cookie(request, name).is_some())
            .filter_map(|name| self.field(&name, "", secure, 0))
            .collect()
    }

    /// What a request brings along of a login under way, sealed. Logins of several windows do not know of each other.
    #[must_use]
    pub fn login(&self, request: &Request, secure: bool, state: &str) -> Option<String> {
        whole(request, &self.login_name(secure, state))
    }

    /// The fields that make a browser keep a login under way for so many seconds, and forget the oldest ones where they become
    /// too many: a server that reads no more than its limit would refuse whatever it sends. None when it is too long.
    #[must_use]
    pub fn keep_login(
        &self,
        request: &Request,
        secure: bool,
        state: &str,
        sealed: &str,
        seconds: u64,
    ) -> Option<Vec<HeaderValue>> {
        if sealed.len() > LOGIN_BYTES {
            return None;
        }
        let name = self.login_name(secure, state);
        let mut fields = self.keep(&name, sealed, secure, seconds)?;
        // Browsers send the cookies that they have had for longest first (RFC 6265, section 5.4).
        let mut kept: Vec<(&str, usize)> = Vec::new();
        for (login, bytes) in self.logins(request, secure).filter(|(login, _)| *login != name) {
            match kept.iter_mut().find(|(other, _)| *other == login) {
                Some((_, all)) => *all += bytes,
                None => kept.push((login, bytes)),
            }
        }
        let mut total = sealed.len() + kept.iter().map(|(_, bytes)| bytes).sum::<usize>();
        let mut count = kept.len() + 1;
        for (login, bytes) in kept {
            if count <= MOST_LOGINS && total <= LOGIN_BYTES {
                break;
            }
            (count, total) = (count - 1, total - bytes);
            fields.extend(self.forget_login(request, secure, login));
        }
        fields.truncate(MOST + MOST_FORGOTTEN);
        Some(fields)
    }

    /// The fields that make a browser forget a login that is over.
    #[must_use]
    pub fn forget_this_login(&self, request: &Request, secure: bool, state: &str) -> Vec<HeaderValue> {
        self.forget_login(request, secure, &self.login_name(secure, state))
    }

    /// The fields that make a browser forget all logins under way, because one of them has succeeded.
    #[must_use]
    pub fn forget_logins(&self, request: &Request, secure: bool) -> Vec<HeaderValue> {
        let prefix = self.login_prefix(secure);
        cookies(request)
            .filter(|(name, _)| name.starts_with(&prefix))
            .filter_map(|(name, _)| self.field(name, "", secure, 0))
            .take(MOST_FORGOTTEN)
            .collect()
    }

    fn forget_login(&self, request: &Request, secure: bool, login: &str) -> Vec<HeaderValue> {
        (0..MOST)
            .map(|number| part_name(login, number))
            .filter(|name| cookies(request).any(|(other, _)| other == name))
            .filter_map(|name| self.field(&name, "", secure, 0))
            .collect()
    }

    /// The cookies of logins under way: the login's name, and the bytes of the cookie.
    fn logins<'r>(&self, request: &'r Request, secure: bool) -> impl Iterator<Item = (&'r str, usize)> {
        let prefix = self.login_prefix(secure);
        cookies(request).filter_map(move |(name, value)| {
            let state = name.strip_prefix(prefix.as_str())?.split('-').next()?;
            Some((name.get(..prefix.len() + state.len())?, name.len() + value.len()))
        })
    }

    /// The fields that make a browser keep this, in as many cookies as it takes. The first says how many there are: what is left
    /// over of something longer is not a part of it.
    fn keep(&self, name: &str, sealed: &str, secure: bool, seconds: u64) -> Option<Vec<HeaderValue>> {
        let count = sealed.len().div_ceil(LONGEST);
        if count > MOST || !sealed.is_ascii() {
            return None;
        }
        let parts = sealed.as_bytes().chunks(LONGEST).enumerate();
        let fields = parts.map(|(number, part)| {
            let part = str::from_utf8(part).ok()?;
            match number {
                0 => self.field(name, &format!("{count}.{part}"), secure, seconds),
                _ => self.field(&part_name(name, number), part, secure, seconds),
            }
        });
        fields.collect()
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
        format!("{}{state}", self.login_prefix(secure))
    }

    fn login_prefix(&self, secure: bool) -> String {
        format!("{}-login-", self.prefixed(secure))
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

/// What a request brings along in the cookies of that name.
fn whole(request: &Request, name: &str) -> Option<String> {
    let (count, text) = cookie(request, name)?.split_once('.')?;
    let count: usize = count.parse().ok().filter(|count| (1..=MOST).contains(count))?;
    let mut sealed = text.to_owned();
    for number in 1..count {
        sealed.push_str(cookie(request, &part_name(name, number))?);
    }
    Some(sealed)
}

fn part_name(name: &str, number: usize) -> String {
    match number {
        0 => name.to_owned(),
        _ => format!("{name}-{number}"),
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
            encodings: gatewright_core::path::Encodings::default(),
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
        for secure in [true, false] {
            fields.extend(cookies.keep_login(&request(&[]), secure, "state", "y", 60).unwrap());
        }
        assert!(fields[0].to_str().unwrap().ends_with("; Domain=example.com"));
        let mut request = request(&fields);
        cookies.settle(&mut request);
        assert_eq!(request.headers.get("cookie").unwrap(), "a=b");
    }

    #[test]
    fn of_logins_that_were_given_up_a_few_are_kept_and_the_oldest_are_forgotten() {
        let cookies = cookies(None);
        let mut jar: Vec<HeaderValue> = Vec::new();
        for number in 0..20 {
            let fields = cookies.keep_login(&request(&jar), true, &format!("state{number}"), &"x".repeat(1000), 60);
            for field in fields.unwrap() {
                let name = field.to_str().unwrap().split('=').next().unwrap().to_owned();
                jar.retain(|other| !other.to_str().unwrap().starts_with(&format!("{name}=")));
                if !field.to_str().unwrap().contains("Max-Age=0") {
                    jar.push(field);
                }
            }
        }
        let names: Vec<_> = jar
            .iter()
            .map(|field| field.to_str().unwrap().split('=').next().unwrap())
            .collect();
        let expected: Vec<_> = (15..20).map(|number| format!("__Host-s-login-state{number}")).collect();
        assert_eq!(names, expected);
        let forgotten = cookies.forget_logins(&request(&jar), true);
        assert_eq!(forgotten.len(), 5);
    }

    #[test]
    fn long_logins_are_kept_in_parts_and_fewer_of_them() {
        let cookies = cookies(None);
        let sealed = "x".repeat(LONGEST * 2 + 1);
        let first = cookies.keep_login(&request(&[]), true, "one", &sealed, 60).unwrap();
        assert_eq!(first.len(), 3);
        assert_eq!(cookies.login(&request(&first), true, "one").as_ref(), Some(&sealed));
        let second = cookies.keep_login(&request(&first), true, "two", &sealed, 60).unwrap();
        let forgotten = second
            .iter()
            .filter(|field| field.to_str().unwrap().contains("-login-one"));
        assert_eq!(forgotten.count(), 3, "{second:?}");
        assert_eq!(
            cookies.keep_login(&request(&[]), true, "one", &"x".repeat(LOGIN_BYTES + 1), 60),
            None
        );
    }
}
