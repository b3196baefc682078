//! What `[redis]` says to a connection: the secret and the certificate authorities are read, nothing is connected.

use gatewright_config::{ConfigError, Place, RedisAddress, RedisConfig, RedisServers, SecretSource};
use rustls::pki_types::{CertificateDer, pem::PemObject};

use super::redis::{Address, Login, Redis, RedisSettings, Servers, Tls};
use crate::secret::{self, SecretError};
use crate::telemetry::StateMetrics;
use crate::words;

/// Bytes of a file of certificate authorities. What is longer is another file.
const LONGEST_CA: u64 = 4 << 20;

/// Why it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A password cannot be read.
    #[error("cannot read the password: {source}")]
    Password {
        /// Where the configuration names it.
        place: Place,
        /// Why.
        source: SecretError,
    },
    /// The certificate authorities cannot be read.
    #[error("cannot use {file}: {reason}")]
    Authorities {
        /// Where the configuration names them.
        place: Place,
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
}

impl OpenError {
    /// What is wrong, where the configuration says it.
    #[must_use]
    pub fn mistake(&self) -> ConfigError {
        let hint = match self {
            Self::Password { source, .. } => source.hint(),
            Self::Authorities { .. } => {
                "name a PEM file with the certificates of authorities; this user must be able to read it"
            }
        };
        self.place().mistake(self).with_hint(hint)
    }

    /// Where the configuration names it.
    #[must_use]
    pub fn place(&self) -> &Place {
        match self {
            Self::Password { place, .. } | Self::Authorities { place, .. } => place,
        }
    }
}

/// The state server that a configuration names.
///
/// # Errors
/// When the password or the certificate authorities cannot be read.
pub fn open(config: &RedisConfig, workers: usize, metrics: &StateMetrics) -> Result<Redis, OpenError> {
    let login = login(config.username.as_ref(), config.password.as_ref())?;
    let (user, password) = (config.sentinel_username.as_ref(), config.sentinel_password.as_ref());
    let sentinel_login = self::login(user, password)?;
    let tls = match (config.tls, &config.ca) {
        (false, _) => None,
        (true, None) => Some(Tls::default()),
        (true, Some(file)) => {
            let ca = authorities(&file.path).map_err(|reason| OpenError::Authorities {
                place: file.place.clone(),
                file: file.path.display().to_string(),
                reason,
            })?;
            Some(Tls { ca: Some(ca) })
        }
    };
    let settings = RedisSettings {
        servers: servers(&config.servers),
        login,
        sentinel_login,
        database: config.database.into(),
        tls,
        prefix: config.prefix.clone(),
        connect_timeout: config.connect_timeout,
        timeout: config.timeout,
    };
    Ok(Redis::new(settings, workers, metrics))
}

fn login(username: Option<&String>, password: Option<&SecretSource>) -> Result<Login, OpenError> {
    let read = |password: &SecretSource| {
        secret::read(&password.reference).map_err(|source| OpenError::Password {
            place: password.place.clone(),
            source,
        })
    };
    Ok(Login {
        username: username.cloned(),
        password: password.map(read).transpose()?,
    })
}

fn servers(servers: &RedisServers) -> Servers {
    let address = |address: &RedisAddress| match address {
        RedisAddress::Tcp(host, port) => Address::Tcp(host.clone(), *port),
        RedisAddress::Unix(path) => Address::Unix(path.clone()),
    };
    match servers {
        RedisServers::Single(server) => Servers::Single(address(server)),
        RedisServers::Sentinel { sentinels, primary } => {
            Servers::Sentinel(sentinels.iter().map(address).collect(), primary.clone())
        }
        RedisServers::Cluster(nodes) => Servers::Cluster(nodes.iter().map(address).collect()),
    }
}

fn authorities(file: &std::path::Path) -> Result<Vec<u8>, String> {
    let length = std::fs::metadata(file)
        .map_err(|error| gatewright_config::reason(&error))?
        .len();
    if length > LONGEST_CA {
        return Err(format!("it is longer than {LONGEST_CA} bytes"));
    }
    let pem = std::fs::read(file).map_err(|error| gatewright_config::reason(&error))?;
    let found = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    match found {
        Ok(found) if found.is_empty() => Err("it has no section `CERTIFICATE`".to_owned()),
        Ok(_) => Ok(pem),
        Err(error) => Err(words::of_pem(&error, "CERTIFICATE")),
    }
}
