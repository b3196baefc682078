//! Where the servers are, connections to them, and why there is none: in words that name the server and the key of the
//! configuration to look at.

use std::fmt;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use gatewright_config::units::format_duration;
use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, FromRedisValue, IntoConnectionInfo, RedisConnectionInfo,
    RedisError, RedisResult, Script, ScriptInvocation, ServerErrorKind, TlsCertificates, TlsMode,
};
use tokio::time::timeout;

/// Whether the servers do what every operation needs: a script that may write under keys with the prefix. There is no such
/// key.
static PROBE: LazyLock<Script> = LazyLock::new(|| Script::new("return redis.call('DEL', KEYS[1])"));

/// Where the server is, and how to talk to it.
#[derive(Clone)]
pub struct RedisSettings {
    /// The servers.
    pub servers: Servers,
    /// Who the gateway is there.
    pub login: Login,
    /// Who it is at the sentinels.
    pub sentinel_login: Login,
    /// The number of the database; clusters have only 0.
    pub database: i64,
    /// Whether to talk TLS, and with certificate authorities other than the system's, as PEM.
    pub tls: Option<Tls>,
    /// What all keys begin with.
    pub prefix: String,
    /// TCP connect, TLS handshake, authentication.
    pub connect_timeout: Duration,
    /// One operation.
    pub timeout: Duration,
}

/// Who somebody is.
#[derive(Clone, Default)]
pub struct Login {
    /// The user, if not the default one.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<String>,
}

/// TLS to the servers.
#[derive(Clone, Default)]
pub struct Tls {
    /// Certificate authorities instead of the system's, as PEM.
    pub ca: Option<Vec<u8>>,
}

/// Which servers.
#[derive(Clone, Debug)]
pub enum Servers {
    /// One.
    Single(Address),
    /// Sentinels, which know the current primary of this name.
    Sentinel(Vec<Address>, String),
    /// Some nodes of a cluster, which know the others.
    Cluster(Vec<Address>),
}

/// Where a server listens.
#[derive(Clone, Debug)]
pub enum Address {
    /// Host and port.
    Tcp(String, u16),
    /// A Unix socket.
    Unix(PathBuf),
}

/// A connection that works.
#[derive(Clone)]
pub(super) enum Connection {
    /// To one server.
    Server(MultiplexedConnection),
    /// To a cluster.
    Cluster(ClusterConnection),
}

impl Connection {
    /// Runs a script there.
    pub(super) async fn run<T: FromRedisValue>(&mut self, script: &ScriptInvocation<'_>) -> RedisResult<T> {
        match self {
            Self::Server(connection) => script.invoke_async(connection).await,
            Self::Cluster(connection) => script.invoke_async(connection).await,
        }
    }
}

/// A connection over which the server has done what operations need.
pub(super) async fn connect(settings: &RedisSettings) -> Result<Connection, String> {
    let limit = settings.connect_timeout;
    let connecting = async {
        match &settings.servers {
            Servers::Single(address) => single(settings, address, &settings.login, settings.database)
                .await
                .map(Connection::Server),
            Servers::Sentinel(sentinels, name) => sentinel(settings, sentinels, name).await.map(Connection::Server),
            Servers::Cluster(nodes) => cluster(settings, nodes).await.map(Connection::Cluster),
        }
    };
    let mut connection = match timeout(limit, connecting).await {
        Ok(Ok(connection)) => connection,
        failed => {
            if let Servers::Sentinel(sentinels, name) = &settings.servers {
                return Err(diagnose(settings, sentinels, name).await);
            }
            let reason = match failed {
                Err(_) => format!("no connection within {}", format_duration(limit)),
                Ok(Err(error)) => said(&error, "redis.username", "redis.password"),
                Ok(Ok(_)) => String::new(),
            };
            return Err(format!("{}: {reason}", settings.servers));
        }
    };
    probe(&mut connection, settings).await?;
    Ok(connection)
}

/// Whether the server does what operations need.
pub(super) async fn probe(connection: &mut Connection, settings: &RedisSettings) -> Result<(), String> {
    let works = works(connection, settings).await;
    works.map_err(|reason| format!("{}: {reason}", settings.servers))
}

async fn works(connection: &mut Connection, settings: &RedisSettings) -> Result<(), String> {
    let limit = settings.connect_timeout;
    let mut script = PROBE.prepare_invoke();
    script.key(format!("{}:probe", settings.prefix));
    match timeout(limit, connection.run::<u64>(&script)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(said(&error, "redis.username", "redis.password")),
        Err(_) => Err(format!("no answer within {}", format_duration(limit))),
    }
}

/// Which of the sentinels, or the primary that they name, cannot be used.
async fn diagnose(settings: &RedisSettings, sentinels: &[Address], name: &str) -> String {
    let limit = settings.connect_timeout;
    let mut reasons = Vec::new();
    for sentinel in sentinels {
        let reason = match timeout(limit, primary(settings, sentinel, name)).await {
            Err(_) => format!("no answer within {}", format_duration(limit)),
            Ok(Err(error)) => said(&error, "redis.sentinel_username", "redis.sentinel_password"),
            Ok(Ok(None)) => format!("it knows no primary `{name}` (`redis.primary`)"),
            Ok(Ok(Some(primary))) => {
                let connected = single(settings, &primary, &settings.login, settings.database);
                let reason = match timeout(limit, connected).await {
                    Err(_) => format!("no connection within {}", format_duration(limit)),
                    Ok(Err(error)) => said(&error, "redis.username", "redis.password"),
                    Ok(Ok(connection)) => match works(&mut Connection::Server(connection), settings).await {
                        Ok(()) => "it has just come back".to_owned(),
                        Err(reason) => reason,
                    },
                };
                return format!("{primary}, the primary `{name}` that sentinel {sentinel} names: {reason}");
            }
        };
        reasons.push(format!("sentinel {sentinel}: {reason}"));
    }
    reasons.join("; ")
}

/// Where a sentinel says that the primary of that name is.
async fn primary(settings: &RedisSettings, sentinel: &Address, name: &str) -> RedisResult<Option<Address>> {
    let mut connection = single(settings, sentinel, &settings.sentinel_login, 0).await?;
    let mut command = redis::cmd("SENTINEL");
    command.arg("get-master-addr-by-name").arg(name);
    let found: Option<(String, u16)> = command.query_async(&mut connection).await?;
    Ok(found.map(|(host, port)| Address::Tcp(host, port)))
}

/// What an error says, with the keys to look at where it is about who the gateway is.
fn said(error: &RedisError, user: &str, password: &str) -> String {
    let text = gatewright_config::without_number(&error.to_string());
    if error.kind() == ErrorKind::AuthenticationFailed || text.contains("WRONGPASS") || text.contains("NOAUTH") {
        return format!("it does not accept who the gateway says it is; look at `{user}` and `{password}` ({text})");
    }
    if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) || text.contains("NOPERM") {
        return format!("the user (`{user}`) may not do what the gateway needs ({text})");
    }
    text
}

async fn single(
    settings: &RedisSettings,
    address: &Address,
    login: &Login,
    database: i64,
) -> RedisResult<MultiplexedConnection> {
    let info = settings.address(address).into_connection_info()?;
    let info = info.set_redis_settings(login.info(database));
    let client = match settings.certificates() {
        Some(certificates) => Client::build_with_tls(info, certificates)?,
        None => Client::open(info)?,
    };
    client
        .get_multiplexed_async_connection_with_config(&settings.config())
        .await
}

async fn sentinel(settings: &RedisSettings, sentinels: &[Address], name: &str) -> RedisResult<MultiplexedConnection> {
    let sentinels = sentinels.iter().map(|address| settings.address(address));
    let mut builder = SentinelClientBuilder::new(sentinels, name, SentinelServerType::Master)?
        .set_client_to_redis_db(settings.database);
    if let Some(username) = &settings.login.username {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = &settings.login.password {
        builder = builder.set_client_to_redis_password(password);
    }
    if let Some(username) = &settings.sentinel_login.username {
        builder = builder.set_client_to_sentinel_username(username);
    }
    if let Some(password) = &settings.sentinel_login.password {
        builder = builder.set_client_to_sentinel_password(password);
    }
    if settings.tls.is_some() {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
    }
    if let Some(certificates) = settings.certificates() {
        builder = builder
            .set_client_to_redis_certificates(certificates.clone())
            .set_client_to_sentinel_certificates(certificates);
    }
    let mut client = builder.build()?;
    client.get_async_connection_with_config(&settings.config()).await
}

async fn cluster(settings: &RedisSettings, nodes: &[Address]) -> RedisResult<ClusterConnection> {
    let nodes = nodes.iter().map(|address| settings.address(address));
    let mut builder = ClusterClientBuilder::new(nodes)
        .connection_timeout(settings.connect_timeout)
        .response_timeout(settings.timeout)
        // An operation that is over for its exchange need not be tried again.
        .retries(1);
    if let Some(username) = &settings.login.username {
        builder = builder.username(username);
    }
    if let Some(password) = &settings.login.password {
        builder = builder.password(password);
    }
    if settings.tls.is_some() {
        builder = builder.tls(TlsMode::Secure);
    }
    if let Some(certificates) = settings.certificates() {
        builder = builder.certs(certificates);
    }
    builder.build()?.get_async_connection().await
}

impl RedisSettings {
    fn address(&self, address: &Address) -> ConnectionAddr {
        match address {
            Address::Unix(path) => ConnectionAddr::Unix(path.clone()),
            Address::Tcp(host, port) if self.tls.is_some() => ConnectionAddr::TcpTls {
                host: host.clone(),
                port: *port,
                insecure: false,
                tls_params: None,
            },
            Address::Tcp(host, port) => ConnectionAddr::Tcp(host.clone(), *port),
        }
    }

    /// For TLS, the certificate authorities; none without TLS.
    fn certificates(&self) -> Option<TlsCertificates> {
        self.tls.as_ref().map(|tls| TlsCertificates {
            client_tls: None,
            root_cert: tls.ca.clone(),
        })
    }

    fn config(&self) -> AsyncConnectionConfig {
        AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            // Operations have a limit of their own, which also counts waiting for the connection.
            .set_response_timeout(None)
    }
}

impl Login {
    fn info(&self, database: i64) -> RedisConnectionInfo {
        let mut info = RedisConnectionInfo::default().set_db(database);
        if let Some(username) = &self.username {
            info = info.set_username(username);
        }
        if let Some(password) = &self.password {
            info = info.set_password(password);
        }
        info
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, addresses) = match self {
            Self::Single(address) => return write!(f, "{address}"),
            Self::Sentinel(addresses, name) => (format!("primary `{name}` of the sentinels"), addresses),
            Self::Cluster(addresses) => ("cluster".to_owned(), addresses),
        };
        let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        write!(f, "{what} {}", addresses.join(", "))
    }
}
