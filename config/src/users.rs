//! The file of users that the `basic` stage names: one `name:hash` a line, as `htpasswd` writes it.

use std::collections::HashMap;
use std::path::Path;

use crate::error::{ConfigError, ConfigErrors};

/// A cost of bcrypt above which one verification takes many seconds.
const MOST_BCRYPT_COST: u32 = 16;
/// The most that one verification may take of memory, in KiB.
const MOST_MEMORY_KIB: u32 = 256 << 10;
/// Times memory: above it one verification takes many seconds.
const MOST_PASSES_KIB: u64 = 1 << 20;
const HINT: &str = "make one with `gatewright password NAME` or `htpasswd -B -C 12`";

/// One user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserEntry {
    /// The user's name: the principal.
    pub name: String,
    /// The hash of the password.
    pub hash: PasswordHash,
}

/// The hash of a password, in the text form of its scheme.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PasswordHash {
    /// `$2y$12$…`
    Bcrypt(String),
    /// `$argon2id$v=19$m=19456,t=2,p=1$…`
    Argon2id(String),
}

impl PasswordHash {
    /// The text.
    pub fn text(&self) -> &str {
        match self {
            Self::Bcrypt(text) | Self::Argon2id(text) => text,
        }
    }
}

/// Reads and checks a file of users.
///
/// # Errors
/// When the file cannot be read or is not UTF-8, and for every mistake in it.
pub fn load_users(path: &Path) -> Result<Vec<UserEntry>, ConfigErrors> {
    parse_users(&crate::read(path)?, path)
}

/// Checks the text of a file of users. `path` names it in messages, which never repeat a hash.
///
/// # Errors
/// For every mistake in the text.
pub fn parse_users(text: &str, path: &Path) -> Result<Vec<UserEntry>, ConfigErrors> {
    let mut users = Vec::new();
    let mut errors = Vec::new();
    let mut lines = HashMap::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let user = user(line).and_then(|user| match lines.insert(user.name.clone(), number) {
            Some(first) => Err(Wrong {
                message: format!("there is a user `{}` already, at line {first}", user.name),
                hint: "remove one of them",
            }),
            None => Ok(user),
        });
        match user {
            Ok(user) => users.push(user),
            Err(Wrong { message, hint }) => errors.push(ConfigError {
                file: path.to_owned(),
                line: number,
                column: 1,
                key: String::new(),
                message,
                hint: Some(hint.to_owned()),
            }),
        }
    }
    match errors.is_empty() {
        true => Ok(users),
        false => Err(ConfigErrors { errors }),
    }
}

struct Wrong {
    message: String,
    hint: &'static str,
}

fn user(line: &str) -> Result<UserEntry, Wrong> {
    let Some((name, hash)) = line.split_once(':') else {
        return Err(Wrong {
            message: "it is not a name, a colon and a hash".to_owned(),
            hint: HINT,
        });
    };
    if name.is_empty() || name.len() > 256 || name.chars().any(char::is_control) {
        return Err(Wrong {
            message: "it is not the name of a user".to_owned(),
            hint: "write 1 to 256 characters, without a colon",
        });
    }
    Ok(UserEntry {
        name: name.to_owned(),
        hash: password_hash(hash.trim())?,
    })
}

fn password_hash(text: &str) -> Result<PasswordHash, Wrong> {
    let wrong = |message: &str| Wrong {
        message: message.to_owned(),
        hint: HINT,
    };
    if let Some(rest) = ["$2a$", "$2b$", "$2y$"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
    {
        let cost = rest
            .split_once('$')
            .filter(|(cost, rest)| cost.len() == 2 && rest.len() == 53);
        return match cost.and_then(|(cost, _)| cost.parse::<u32>().ok()) {
            None | Some(0..4) => Err(wrong("it is not a hash of bcrypt")),
            Some(cost) if cost > MOST_BCRYPT_COST => Err(wrong("its cost is above 16: nobody could wait for it")),
            Some(_) => Ok(PasswordHash::Bcrypt(text.to_owned())),
        };
    }
    match text.strip_prefix("$argon2id$v=19$").map(argon2_cost) {
        None => Err(wrong("it is neither a hash of bcrypt nor of argon2id")),
        Some(None) => Err(wrong("it is not a hash of argon2id")),
        Some(Some((memory, passes)))
            if memory > MOST_MEMORY_KIB || u64::from(memory) * u64::from(passes) > MOST_PASSES_KIB =>
        {
            Err(wrong(
                "it takes more than 256 MiB or too long: nobody could wait for it",
            ))
        }
        Some(Some(_)) => Ok(PasswordHash::Argon2id(text.to_owned())),
    }
}

/// Memory in KiB and passes of `m=19456,t=2,p=1$SALT$HASH`.
fn argon2_cost(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('$');
    let (costs, _salt, _hash) = (parts.next()?, parts.next()?, parts.next()?);
    let cost = |name: &str| {
        let mut pairs = costs.split(',').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name)?.1.parse::<u32>().ok()
    };
    parts.next().is_none().then_some((cost("m")?, cost("t")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BCRYPT: &str = "$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC";
    const ARGON2: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE";

    fn line_errors(text: &str) -> Vec<usize> {
        let errors = parse_users(text, Path::new("users")).unwrap_err().errors;
        errors.iter().map(|error| error.line).collect()
    }

    #[test]
    fn users_are_read_as_htpasswd_writes_them() {
        let text = format!("# staff\nalice:{BCRYPT}\n\n  bob:{ARGON2}  \r\n");
        let users = parse_users(&text, Path::new("users")).unwrap();
        let names: Vec<_> = users.iter().map(|user| user.name.as_str()).collect();
        assert_eq!(names, ["alice", "bob"]);
        assert_eq!(users[0].hash, PasswordHash::Bcrypt(BCRYPT.to_owned()));
        assert_eq!(users[1].hash, PasswordHash::Argon2id(ARGON2.to_owned()));
    }

    #[test]
    fn a_hash_that_is_weak_wrong_or_without_end_is_refused_where_it_is() {
        let text = [
            "alice".to_owned(),
            format!(":{BCRYPT}"),
            "a:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/".to_owned(),
            "b:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=".to_owned(),
            "c:secret".to_owned(),
            format!("d:{}", BCRYPT.replace("$05$", "$31$")),
            format!("e:{}x", BCRYPT),
            format!("f:{}", ARGON2.replace("m=19456", "m=4194304")),
            format!("g:{}", ARGON2.replace("t=2", "t=4294967295")),
            format!("h:{}", ARGON2.replace("argon2id", "argon2i")),
            format!("i:{BCRYPT}"),
            format!("i:{ARGON2}"),
        ];
        assert_eq!(line_errors(&text.join("\n")), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12]);
    }
}
