//! A worker's connection to the server: made when it is first needed, watched, and made again when it breaks.
//!
//! A task owns it, so that no exchange waits longer than an operation may take, however long connecting takes. While
//! there is no connection operations fail at once; nobody queues up behind a server that is away.

use std::hash::{BuildHasher as _, RandomState};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, FromRedisValue, IntoConnectionInfo, RedisConnectionInfo, RedisError,
    RedisResult, ScriptInvocation, TlsCertificates, TlsMode,
};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::telemetry::StateMetrics;

/// Operations in a row without an answer in time, after which the connection counts as broken.
const LATE: u32 = 5;
/// More than any number of a connection.
const OVER: u64 = u64::MAX;
/// Between two looks at a connection that is not used.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Before the second attempt to connect, and before all after some.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Where the server is, and how to talk to it.
#[derive(Clone)]
pub struct RedisSettings {
    /// The servers.
    pub servers: Servers,
    /// The user, if not the default one.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<String>,
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

/// The connection of one worker.
pub(super) struct Link {
    shared: Arc<Shared>,
    /// Whether the task runs that owns the connection.
    kept: AtomicBool,
}

struct Shared {
    settings: Arc<RedisSettings>,
    metrics: StateMetrics,
    health: watch::Sender<Health>,
    /// Operations in a row that had no answer in time.
    late: AtomicU32,
    /// The last connection of which somebody found that it is broken; [`OVER`] when nobody needs one any more.
    broken: watch::Sender<u64>,
}

#[derive(Clone)]
enum Health {
    /// Nobody has asked for long enough to know.
    Starting,
    /// With its number, so that what goes wrong on one connection is not held against the next.
    Up(Connection, u64),
    Down(Arc<str>),
}

#[derive(Clone)]
enum Connection {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Link {
    pub(super) fn new(settings: &Arc<RedisSettings>, metrics: &StateMetrics) -> Self {
        Self {
            shared: Arc::new(Shared {
                settings: Arc::clone(settings),
                metrics: metrics.clone(),
                health: watch::Sender::new(Health::Starting),
                late: AtomicU32::new(0),
                broken: watch::Sender::new(0),
            }),
            kept: AtomicBool::new(false),
        }
    }

    /// Runs a script, or says why it could not be.
    pub(super) async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, String> {
        if !self.kept.swap(true, Ordering::Relaxed) {
            tokio::spawn(keep(Arc::downgrade(&self.shared)));
        }
        let shared = &*self.shared;
        let began = std::time::Instant::now();
        let limit = shared.settings.timeout;
        let result = match timeout(limit, shared.run(script)).await {
            Ok(result) => result,
            Err(_) => {
                shared.was_late();
                Err(format!("no answer within {limit:?}"))
            }
        };
        shared.metrics.operation(result.is_ok(), began.elapsed());
        result
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.is_broken(OVER);
    }
}

impl Shared {
    async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, String> {
        let (connection, number) = self.connection().await?;
        let result = match connection {
            Connection::Server(mut connection) => script.invoke_async(&mut connection).await,
            Connection::Cluster(mut connection) => script.invoke_async(&mut connection).await,
        };
        match result {
            Ok(value) => {
                self.late.store(0, Ordering::Relaxed);
                Ok(value)
            }
            Err(error) => {
                if is_broken(&error) {
                    self.is_broken(number);
                }
                Err(error.to_string())
            }
        }
    }

    /// The connection and its number, as soon as there is one; at once when there is known to be none.
    async fn connection(&self) -> Result<(Connection, u64), String> {
        let mut health = self.health.subscribe();
        let known = health.wait_for(|health| !matches!(health, Health::Starting)).await;
        match known.as_deref() {
            Ok(Health::Up(connection, number)) => Ok((connection.clone(), *number)),
            Ok(Health::Down(reason)) => Err(reason.to_string()),
            Ok(Health::Starting) | Err(_) => Err("there is no connection yet".to_owned()),
        }
    }

    fn was_late(&self) {
        if self.late.fetch_add(1, Ordering::Relaxed) + 1 >= LATE {
            self.late.store(0, Ordering::Relaxed);
            if let Health::Up(_, number) = &*self.health.borrow() {
                self.is_broken(*number);
            }
        }
    }

    fn is_broken(&self, number: u64) {
        self.broken.send_modify(|known| *known = number.max(*known));
    }
}

/// Whether another connection may do better.
fn is_broken(error: &RedisError) -> bool {
    // What was the primary is a replica now.
    error.is_unrecoverable_error() || error.is_io_error() || error.code() == Some("READONLY")
}

/// Makes the connection of a worker, and makes it again each time it breaks, until nobody needs it.
async fn keep(shared: Weak<Shared>) {
    let mut pause = PAUSES.0;
    let mut number = 0;
    while let Some(shared) = shared.upgrade() {
        let reason = match connect(&shared.settings).await {
            Ok(connection) => {
                pause = PAUSES.0;
                number += 1;
                shared.health.send_replace(Health::Up(connection.clone(), number));
                shared.metrics.connected();
                tracing::info!("connected to the state server");
                let reason = until_broken(&shared, connection, number).await;
                shared.metrics.disconnected();
                reason
            }
            Err(reason) => reason,
        };
        if *shared.broken.borrow() == OVER {
            return;
        }
        // Once, and not at each attempt while the server is away.
        if !matches!(&*shared.health.borrow(), Health::Down(_)) {
            tracing::warn!(
                reason,
                "no connection to the state server; trying again until there is one"
            );
        }
        shared.health.send_replace(Health::Down(reason.into()));
        drop(shared);
        sleep(jittered(pause)).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Until an operation or a look says that it is broken. Why.
async fn until_broken(shared: &Shared, mut connection: Connection, number: u64) -> String {
    let mut broken = shared.broken.subscribe();
    loop {
        let found = timeout(KEEP_ALIVE, broken.wait_for(|broken| *broken >= number))
            .await
            .is_ok();
        if found {
            return "operations failed".to_owned();
        }
        if let Err(reason) = ping(&mut connection, shared.settings.connect_timeout).await {
            return reason;
        }
    }
}

/// Half of it to all of it, so that workers and gateways do not come back all at once.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(0) % 512;
    pause.mul_f64((512 + random) as f64 / 1024.0)
}

/// A connection over which the server has answered.
async fn connect(settings: &RedisSettings) -> Result<Connection, String> {
    let limit = settings.connect_timeout;
    let connecting = async {
        match &settings.servers {
            Servers::Single(address) => single(settings, address).await.map(Connection::Server),
            Servers::Sentinel(sentinels, name) => sentinel(settings, sentinels, name).await.map(Connection::Server),
            Servers::Cluster(nodes) => cluster(settings, nodes).await.map(Connection::Cluster),
        }
    };
    let connected = timeout(limit, connecting).await;
    let mut connection = connected
        .map_err(|_| format!("no connection within {limit:?}"))?
        .map_err(|error| error.to_string())?;
    ping(&mut connection, limit).await?;
    Ok(connection)
}

async fn single(settings: &RedisSettings, address: &Address) -> RedisResult<MultiplexedConnection> {
    let info = settings.address(address).into_connection_info()?;
    let info = info.set_redis_settings(settings.login());
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
    if let Some(username) = &settings.username {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = &settings.password {
        builder = builder.set_client_to_redis_password(password);
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
    if let Some(username) = &settings.username {
        builder = builder.username(username);
    }
    if let Some(password) = &settings.password {
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

    fn login(&self) -> RedisConnectionInfo {
        let mut login = RedisConnectionInfo::default().set_db(self.database);
        if let Some(username) = &self.username {
            login = login.set_username(username);
        }
        if let Some(password) = &self.password {
            login = login.set_password(password);
        }
        login
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

async fn ping(connection: &mut Connection, limit: Duration) -> Result<(), String> {
    let command = redis::cmd("PING");
    let asked = async {
        match connection {
            Connection::Server(connection) => command.query_async::<()>(connection).await,
            Connection::Cluster(connection) => command.query_async::<()>(connection).await,
        }
    };
    let answered = timeout(limit, asked).await;
    answered
        .map_err(|_| format!("no answer within {limit:?}"))?
        .map_err(|error| error.to_string())
}
