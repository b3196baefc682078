//! `basic`: who the client is, by a name and a password (RFC 7617).
//!
//! A name that nobody has costs the same as a wrong password. Passwords that are tried are counted by address and by name;
//! those that were right not long ago are not tried again, and cost nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_config::{BasicConfig, PasswordHash, Rate, UserEntry};
use gatewright_core::{Exchange, Flow, Limit, Problem, ProblemKind, Scope, Stage, State, Step, TokenBucket};
use http::header::{self, HeaderMap, HeaderValue};

use crate::passwords::{Digest, Passwords, is_hash};

/// Nobody's password is longer.
const LONGEST_PASSWORD: usize = 1024;
/// What is compared with where there is no user at all.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Lets users pass that know their password.
pub struct Basic {
    users: HashMap<String, Arc<PasswordHash>>,
    /// Stands for the hash of a user that is not there: the one that costs most.
    decoy: Arc<PasswordHash>,
    challenge: HeaderValue,
    remember: Duration,
    forward: bool,
    /// Names the limits: all routes with these users count together.
    limit: String,
    of_client: TokenBucket,
    of_user: TokenBucket,
    passwords: Arc<Passwords>,
    state: Arc<dyn State>,
}

struct Credentials {
    name: String,
    password: Vec<u8>,
}

impl Stage for Basic {
    fn name(&self) -> &str {
        "basic"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        let Some(credentials) = Credentials::read(&exchange.request.headers) else {
            return Step::ready(Err(self.unauthorized("no credentials")));
        };
        let Some(hash) = self.users.get(&credentials.name) else {
            return Step::waiting(self.refuse_unknown(exchange.client.counted_as(), credentials));
        };
        let digest = self.passwords.digest(&credentials.name, &credentials.password, hash);
        if self.passwords.remembers(digest, self.remember) {
            return Step::ready(Ok(self.apply(exchange, &credentials.name)));
        }
        Step::waiting(self.verify(exchange, credentials, Arc::clone(hash), digest))
    }
}

impl Basic {
    /// A stage that knows these users.
    ///
    /// # Errors
    /// The name of the first whose hash is none.
    pub fn new(
        config: &BasicConfig,
        users: Vec<UserEntry>,
        passwords: Arc<Passwords>,
        state: Arc<dyn State>,
    ) -> Result<Self, String> {
        if let Some(user) = users.iter().find(|user| !is_hash(&user.hash)) {
            return Err(user.name.clone());
        }
        let challenge = format!("Basic realm=\"{}\", charset=\"UTF-8\"", config.realm);
        let users: HashMap<_, _> = users.into_iter().map(|user| (user.name, Arc::new(user.hash))).collect();
        let costliest = users.values().max_by_key(|hash| work(hash)).cloned();
        Ok(Self {
            users,
            decoy: costliest.unwrap_or_else(|| Arc::new(PasswordHash::Argon2id(NOBODY.to_owned()))),
            // The configuration has checked the realm.
            challenge: HeaderValue::from_str(&challenge).unwrap_or(HeaderValue::from_static("Basic")),
            remember: config.remember,
            forward: config.forward,
            limit: format!("basic:{}", config.users.path.display()),
            of_client: bucket(config.attempts, 1),
            of_user: bucket(config.attempts, 10),
            passwords,
            state,
        })
    }

    async fn verify(
        &self,
        exchange: &mut Exchange,
        credentials: Credentials,
        hash: Arc<PasswordHash>,
        digest: Digest,
    ) -> Result<Flow, Problem> {
        let Credentials { name, password } = credentials;
        let client = exchange.client.counted_as();
        self.count(&client, &name).await?;
        if !self.passwords.verify(password, hash).await? {
            return Err(self.unauthorized("wrong name or password"));
        }
        self.passwords.remember(digest);
        Ok(self.apply(exchange, &name))
    }

    async fn refuse_unknown(&self, client: String, credentials: Credentials) -> Result<Flow, Problem> {
        let Credentials { name, password } = credentials;
        self.count(&client, &name).await?;
        self.passwords.verify(password, Arc::clone(&self.decoy)).await?;
        Err(self.unauthorized("wrong name or password"))
    }

    /// Counts a password that is tried.
    async fn count(&self, client: &str, name: &str) -> Result<(), Problem> {
        for (key, bucket) in [
            (format!("client:{client}"), self.of_client),
            (format!("user:{name}"), self.of_user),
        ] {
            let limit = Limit {
                name: &self.limit,
                scope: Scope::Instance,
            };
            let taken = self.state.take(limit, &key, bucket).await;
            let taken = taken.map_err(|error| Problem::new(ProblemKind::StateUnavailable).with_cause(error))?;
            if !taken.allowed {
                return Err(Problem::new(ProblemKind::Throttled)
                    .with_cause("too many passwords were tried")
                    .with_retry_after(taken.retry_after));
            }
        }
        Ok(())
    }

    fn apply(&self, exchange: &mut Exchange, name: &str) -> Flow {
        exchange.authenticate("basic", name);
        if !self.forward {
            exchange.request.headers.remove(header::AUTHORIZATION);
        }
        Flow::Proceed
    }

    fn unauthorized(&self, cause: &str) -> Problem {
        Problem::new(ProblemKind::Unauthorized)
            .with_cause(cause)
            .with_header(header::WWW_AUTHENTICATE, self.challenge.clone())
    }
}

impl Credentials {
    /// What `Authorization` says; none when there are two, or anything is not as RFC 7617 has it.
    fn read(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let value = values.next()?.as_bytes();
        let (scheme, encoded) = value.split_at_checked("Basic ".len())?;
        if values.next().is_some() || !scheme.eq_ignore_ascii_case(b"Basic ") {
            return None;
        }
        let decoded = String::from_utf8(STANDARD.decode(encoded.trim_ascii()).ok()?).ok()?;
        let (name, password) = decoded.split_once(':')?;
        let is_good = !decoded.chars().any(char::is_control) && password.len() <= LONGEST_PASSWORD;
        is_good.then(|| Self {
            name: name.to_owned(),
            password: password.as_bytes().to_vec(),
        })
    }
}

fn bucket(rate: Rate, times: u64) -> TokenBucket {
    let tokens = rate.tokens.saturating_mul(times);
    let interval = rate.per / u32::try_from(tokens).unwrap_or(u32::MAX).max(1);
    TokenBucket {
        interval,
        burst: tokens,
    }
}

/// About how long a hash takes, in no unit: one step of bcrypt's cost doubles it, and argon2id of 19 MiB and two passes takes as
/// long as bcrypt of cost 9.
fn work(hash: &PasswordHash) -> u64 {
    let number = |text: &str, before: &str| {
        let rest = text.split_once(before).map_or("", |(_, rest)| rest);
        let digits = rest.find(|c: char| !c.is_ascii_digit()).and_then(|end| rest.get(..end));
        digits.and_then(|digits| digits.parse::<u64>().ok()).unwrap_or(1)
    };
    match hash {
        PasswordHash::Bcrypt(text) => {
            let cost = text.get(4..6).and_then(|cost| cost.parse().ok()).unwrap_or(0_u32);
            (19_456 * 2) >> 9_u32.saturating_sub(cost) << cost.saturating_sub(9)
        }
        PasswordHash::Argon2id(text) => number(text, "m=").saturating_mul(number(text, "t=")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &'static str) -> Option<(String, Vec<u8>)> {
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))]);
        Credentials::read(&headers).map(|found| (found.name, found.password))
    }

    #[test]
    fn credentials_are_a_name_and_whatever_follows_its_colon() {
        // The examples of RFC 7617, sections 2 and 2.1.
        let aladdin = Some(("Aladdin".to_owned(), b"open sesame".to_vec()));
        assert_eq!(read("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), aladdin);
        assert_eq!(read("bASIC  QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), aladdin);
        assert_eq!(read("Basic dGVzdDoxMjPCow=="), Some(("test".to_owned(), "123£".into())));
        assert_eq!(read("Basic YTpiOmM="), Some(("a".to_owned(), b"b:c".to_vec())));
    }

    #[test]
    fn what_is_no_credentials_is_none() {
        for value in [
            "Basic",
            "Basic ",
            "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ",
            "Basic QWxhZGRpbg==",
            "Basic dGVzdDoxMjOj",
            "Basic YQo6Yg==",
            "Basic !",
        ] {
            assert_eq!(read(value), None, "{value}");
        }
        let mut headers = HeaderMap::new();
        for _ in 0..2 {
            headers.append(
                header::AUTHORIZATION,
                HeaderValue::from_static("Basic QWxhZGRpbjpvcGVu"),
            );
        }
        assert!(Credentials::read(&headers).is_none());
    }

    #[test]
    fn the_costliest_hash_stands_for_users_that_are_not_there() {
        let bcrypt = |cost: &str| PasswordHash::Bcrypt(format!("$2y${cost}$"));
        let argon2 = |costs: &str| PasswordHash::Argon2id(format!("$argon2id$v=19${costs},p=1$"));
        assert!(work(&bcrypt("12")) > work(&bcrypt("05")));
        assert!(work(&bcrypt("12")) > work(&argon2("m=19456,t=2")));
        assert!(work(&argon2("m=65536,t=3")) > work(&bcrypt("09")));
        assert!(is_hash(&PasswordHash::Argon2id(NOBODY.to_owned())));
    }
}
