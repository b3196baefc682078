//! A gateway in this process, from a configuration in a temporary folder.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Once;

use gatewright::process::{self, Options, Running};
use gatewright_wasm::Compiler;
use serde_json::Value;
use tempfile::TempDir;

use crate::raw_client::http;

/// A gateway that runs until it is dropped. Its configuration is `gateway.toml` in a folder of its own.
pub struct TestGateway {
    // Stops before the folder goes.
    running: Running,
    directory: TempDir,
}

/// Files that must be there before the gateway starts: keys, plugins.
#[derive(Debug)]
pub struct TestFiles(TempDir);

impl TestGateway {
    /// Starts a gateway. `{dir}` in `config` stands for the folder that it is put in. What it leaves out is added:
    /// an admin address, an access log, a short drain.
    pub fn start(config: &str) -> Self {
        Self::try_start(config).unwrap_or_else(|error| panic!("the gateway does not start: {error}"))
    }

    /// Starts a gateway.
    ///
    /// # Errors
    /// What it says when it does not start.
    pub fn try_start(config: &str) -> Result<Self, String> {
        TestFiles::default().try_start(config)
    }

    /// The address of a TCP listener.
    pub fn addr(&self, listener: &str) -> SocketAddr {
        match self.running.listeners.get(listener) {
            Some(address) => *address,
            None => panic!("there is no TCP listener `{listener}`"),
        }
    }

    /// `http://ADDRESS` of a listener.
    pub fn url(&self, listener: &str) -> String {
        format!("http://{}", self.addr(listener))
    }

    /// The admin address.
    pub fn admin(&self) -> SocketAddr {
        self.running
            .admin
            .expect("the configuration switches the admin address off")
    }

    /// The folder of its files.
    pub fn dir(&self) -> &Path {
        self.directory.path()
    }

    /// Replaces a file at once, as a careful operator does: under another name first.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        write(self.dir(), name, bytes.as_ref());
    }

    /// Replaces the configuration. The gateway notices by itself, after a while.
    pub fn rewrite_config(&self, config: &str) {
        self.write("gateway.toml", complete(config, self.dir()));
    }

    /// Loads the configuration anew and waits until it serves.
    ///
    /// # Errors
    /// Why it does not.
    pub fn reload(&self) -> Result<u64, String> {
        self.running.reload()
    }

    /// Every access record so far.
    pub fn access_log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.dir().join("access.log")).unwrap_or_default();
        // The last line may be half written.
        text.split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .map(|line| serde_json::from_str(line).expect("an access record is JSON"))
            .collect()
    }

    /// Waits until there are so many access records, and returns all there are.
    pub fn wait_for_records(&self, count: usize) -> Vec<Value> {
        crate::eventually(&format!("{count} access records"), || {
            Some(self.access_log()).filter(|records| records.len() >= count)
        })
    }

    /// The metrics page, in OpenMetrics.
    pub fn metrics(&self) -> String {
        let accept = ("accept", "application/openmetrics-text; version=1.0.0");
        http(self.admin(), "GET", "/metrics", &[accept], b"").text()
    }

    /// A metric: the sum of all series of that name that have these labels, such as
    /// `gatewright_requests_total{status="200"}`. 0 when there is none.
    pub fn metric(&self, name_and_labels: &str) -> f64 {
        let (name, labels) = series(name_and_labels);
        self.metrics()
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(' '))
            .filter(|(text, _)| {
                let (other, others) = series(text);
                other == name && labels.iter().all(|label| others.contains(label))
            })
            .filter_map(|(_, value)| value.parse::<f64>().ok())
            .sum()
    }

    /// What the admin address shows of it.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// Stops and waits for the end. Returns the folder, so that the log can still be read.
    pub fn stop(self) -> TempDir {
        let Self { running, directory } = self;
        running.stop();
        running.wait();
        drop(running);
        directory
    }
}

impl TestFiles {
    /// Adds a file.
    #[must_use]
    pub fn with(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        write(self.0.path(), name, bytes.as_ref());
        self
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        self.0.path()
    }

    /// Starts a gateway in this folder.
    pub fn start(self, config: &str) -> TestGateway {
        self.try_start(config)
            .unwrap_or_else(|error| panic!("the gateway does not start: {error}"))
    }

    /// Starts a gateway in this folder.
    ///
    /// # Errors
    /// What it says when it does not start.
    pub fn try_start(self, config: &str) -> Result<TestGateway, String> {
        show_messages();
        let options = Options {
            config: self.write_config(config),
            watch: true,
            compiler: Compiler::InProcess.into(),
        };
        let running = process::start(options).map_err(|error| error.to_string())?;
        Ok(TestGateway {
            running,
            directory: self.0,
        })
    }

    /// Writes `gateway.toml`, with `{dir}` put in and completed.
    pub fn write_config(&self, config: &str) -> PathBuf {
        write(self.dir(), "gateway.toml", complete(config, self.dir()).as_bytes());
        self.dir().join("gateway.toml")
    }
}

impl Default for TestFiles {
    fn default() -> Self {
        Self(tempfile::tempdir().expect("a folder for the gateway"))
    }
}

/// The configuration with what every test wants and does not say.
fn complete(config: &str, directory: &Path) -> String {
    let mut text = config.to_owned();
    let sections = [
        ("[admin]", "address = \"127.0.0.1:0\""),
        ("[access_log]", "output = \"file:{dir}/access.log\""),
        ("[server]", "workers = 2\ndrain_timeout = \"2s\""),
    ];
    for (section, lines) in sections {
        if !config.lines().any(|line| line.trim_start().starts_with(section)) {
            text.push_str(&format!("\n{section}\n{lines}\n"));
        }
    }
    text.replace("{dir}", &directory.display().to_string())
}

fn write(directory: &Path, name: &str, bytes: &[u8]) {
    let path = directory.join(name);
    let folder = path.parent().unwrap_or(directory);
    std::fs::create_dir_all(folder).unwrap();
    // Outside of folders that are watched for files of a certain ending.
    let mut file = tempfile::Builder::new().suffix(".part").tempfile_in(folder).unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
    file.persist(&path).unwrap();
}

fn series(text: &str) -> (&str, Vec<&str>) {
    let (name, labels) = text.split_once('{').unwrap_or((text, ""));
    let labels = labels
        .trim_end_matches('}')
        .split(',')
        .filter(|label| !label.is_empty());
    (name, labels.collect())
}

/// The gateway's own messages go to the test's output when `GATEWRIGHT_TEST_LOG` is set, to a filter such as `debug`.
fn show_messages() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Ok(filter) = std::env::var("GATEWRIGHT_TEST_LOG") {
            let _ = tracing_subscriber::fmt()
                .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
                .with_test_writer()
                .try_init();
        }
    });
}
