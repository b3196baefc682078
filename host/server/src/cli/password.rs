//! `gatewright password`

use std::io::Read as _;
use std::process::ExitCode;

use argon2::Argon2;
use argon2::password_hash::PasswordHasher as _;
use clap::Args;

use super::key::{random_key, read_key};
use super::output::{failure, mistake, print, reveal};

const SALT_BYTES: usize = 16;

/// Makes a password for the stage `basic`.
///
/// The password is shown once, on standard error. Standard output has what the file of users gets: its hash, by argon2id.
#[derive(Debug, Args)]
pub(super) struct Password {
    /// The user: the principal of its requests.
    name: String,
    /// Read the password from standard input instead of making one up.
    #[arg(long)]
    stdin: bool,
}

impl Password {
    /// Does it.
    pub(super) fn execute(self) -> ExitCode {
        if self.name.is_empty() || self.name.starts_with('#') || self.name.contains([':', '\n', '\r']) {
            return mistake("the name of a user is not empty, begins with no `#` and has no colon");
        }
        let password = if self.stdin { read_key() } else { random_key() };
        let password = match password {
            Ok(password) if password.is_empty() => return mistake("the password is empty"),
            Ok(password) => password,
            Err(error) => return failure(format_args!("cannot get a password: {error}")),
        };
        match hash(&password) {
            Ok(hash) => {
                if !self.stdin {
                    reveal("password", &password);
                }
                print(format_args!("{}:{hash}\n", self.name));
                ExitCode::SUCCESS
            }
            Err(error) => failure(format_args!("cannot hash the password: {error}")),
        }
    }
}

/// With what OWASP's "Password Storage Cheat Sheet" names first for argon2id, which is the crate's default.
fn hash(password: &str) -> Result<String, String> {
    let mut salt = [0; SALT_BYTES];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut salt));
    read.map_err(|error| error.to_string())?;
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string()).map_err(|error| error.to_string())
}
