//! Real Redis servers: one, a primary with a sentinel, or a cluster. Each in a folder of its own that is gone afterwards.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::eventually;

/// Keys of `[redis]` for tests that are not about time: a busy machine may take longer than an operator would wait.
pub const PATIENT: &str = "timeout = \"10s\"\nconnect_timeout = \"10s\"";

/// A server, which ends with it.
pub struct RedisServer {
    child: Option<Child>,
    directory: TempDir,
    port: u16,
    arguments: Vec<String>,
}

impl RedisServer {
    /// Starts one that keeps nothing on disk.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with further arguments, such as `--requirepass`. `DIRECTORY` stands for its folder.
    pub fn start_with(arguments: &[&str]) -> Self {
        Self::start_as("redis-server", arguments)
    }

    /// Starts a sentinel that knows `primary` as `name`.
    pub fn sentinel(name: &str, primary: &Self) -> Self {
        Self::sentinel_with(name, primary, "")
    }

    /// The same with further lines of its configuration.
    pub fn sentinel_with(name: &str, primary: &Self, more: &str) -> Self {
        let mut server = Self::prepared(&[]);
        let config = server.directory.path().join("sentinel.conf");
        let port = primary.port;
        let text = format!(
            "sentinel monitor {name} 127.0.0.1 {port} 1\n\
             sentinel down-after-milliseconds {name} 500\n\
             sentinel failover-timeout {name} 2000\n{more}"
        );
        std::fs::write(&config, text).unwrap();
        server.arguments = vec![config.display().to_string(), "--sentinel".to_owned()];
        server.run("redis-server");
        server
    }

    fn start_as(program: &str, arguments: &[&str]) -> Self {
        let mut server = Self::prepared(arguments);
        server.run(program);
        server
    }

    fn prepared(arguments: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        let place = directory.path().display().to_string();
        let arguments = arguments.iter().map(|text| text.replace("DIRECTORY", &place)).collect();
        Self {
            child: None,
            directory,
            port: free_port(),
            arguments,
        }
    }

    fn run(&mut self, program: &str) {
        let port = self.port.to_string();
        let mut command = Command::new(program);
        command
            .args(&self.arguments)
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
            .arg(self.directory.path());
        if !self.arguments.iter().any(|argument| argument == "--tls-port") {
            command.args(["--port", &port]);
        }
        let arguments: Vec<_> = command
            .get_args()
            .map(|argument| argument.to_string_lossy().replace("PORT", &port))
            .collect();
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn();
        self.child = Some(
            child.unwrap_or_else(|error| panic!("cannot start {program}, which `cargo xtask test` installs: {error}")),
        );
        let addr = self.addr();
        eventually("the server listens", || TcpStream::connect(addr).ok());
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Its URL for `[redis]`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.addr())
    }

    /// The keys of `[redis]` that lead to it.
    pub fn keys(&self) -> String {
        format!("servers = [\"{}\"]\n{PATIENT}", self.url())
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        self.directory.path()
    }

    /// Sends a command of words and returns the answer's bytes as far as they come at once.
    pub fn ask(&self, words: &[&str]) -> String {
        let mut stream = TcpStream::connect(self.addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut text = format!("*{}\r\n", words.len());
        for word in words {
            text += &format!("${}\r\n{word}\r\n", word.len());
        }
        stream.write_all(text.as_bytes()).unwrap();
        let mut bytes = vec![0; 1 << 20];
        let length = stream.read(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    /// Stops it for a while: it is there and does not answer.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.as_ref().expect("it runs").id();
        kill_process(Pid::from_raw(id.try_into().unwrap()).unwrap(), signal).unwrap();
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again where it was, empty.
    pub fn restart(&mut self) {
        self.kill();
        self.run("redis-server");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A cluster of three nodes, which share all slots.
pub struct RedisCluster(pub Vec<RedisServer>);

impl RedisCluster {
    /// Starts it.
    pub fn start() -> Self {
        let nodes: Vec<_> = (0..3)
            .map(|_| {
                let bus = free_port().to_string();
                RedisServer::start_with(&["--cluster-enabled", "yes", "--cluster-port", &bus])
            })
            .collect();
        let addresses: Vec<_> = nodes.iter().map(|node| node.addr().to_string()).collect();
        let made = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(&addresses)
            .args(["--cluster-yes"])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        for node in &nodes {
            eventually("the cluster is whole", || {
                node.ask(&["CLUSTER", "INFO"])
                    .contains("cluster_state:ok")
                    .then_some(())
            });
        }
        Self(nodes)
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
