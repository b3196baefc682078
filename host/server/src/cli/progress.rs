//! Says which plugins are compiled: a line when it begins and one when it ends, and on a terminal how long it has taken so
//! far. Compiling a large component takes a minute, in which a command that said nothing would seem to hang.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gatewright_wasm::CompileWatcher;
use tracing_subscriber::fmt::MakeWriter;

/// How often a terminal shows how long it has taken.
const INTERVAL: Duration = Duration::from_millis(200);
/// Takes back the line that the cursor is on.
const ERASE: &str = "\r\x1b[2K";

/// What is shown in the last line of the terminal; empty when that is nothing.
static LAST_LINE: Mutex<String> = Mutex::new(String::new());

/// Standard error, for whole lines: they come above what the last line of a terminal shows.
#[derive(Clone, Copy)]
pub(super) struct Lines;

/// Says which plugins are compiled.
pub(super) struct Progress {
    /// As messages of the gateway, not as plain lines.
    logged: bool,
    compiling: Arc<Mutex<Vec<Compiled>>>,
}

/// A plugin that is compiled.
struct Compiled {
    plugin: String,
    began: Instant,
}

impl Progress {
    /// For a gateway, whose messages are written to standard error.
    pub(super) fn logged() -> Arc<dyn CompileWatcher> {
        Arc::new(Self::of(true))
    }

    /// For a command.
    pub(super) fn printed() -> Arc<dyn CompileWatcher> {
        Arc::new(Self::of(false))
    }

    fn of(logged: bool) -> Self {
        Self {
            logged,
            compiling: Arc::default(),
        }
    }
}

impl CompileWatcher for Progress {
    fn begins(&self, plugin: &str, file_bytes: usize) {
        let kibibytes = file_bytes.div_ceil(1024);
        match self.logged {
            true => tracing::info!(plugin, kibibytes, "compiling a plugin"),
            false => print(format_args!("compiling plugin `{plugin}` ({kibibytes} KiB)")),
        }
        let mut compiling = lock(&self.compiling);
        compiling.push(Compiled {
            plugin: plugin.to_owned(),
            began: Instant::now(),
        });
        if compiling.len() == 1 && io::stderr().is_terminal() {
            let compiling = Arc::clone(&self.compiling);
            // Without it the lines at the beginning and the end have to do.
            let _ = std::thread::Builder::new()
                .name("progress".to_owned())
                .spawn(move || show(&compiling));
        }
    }

    fn ended(&self, plugin: &str, compiled: bool, took: Duration) {
        let mut compiling = lock(&self.compiling);
        if let Some(index) = compiling.iter().position(|other| other.plugin == plugin) {
            compiling.remove(index);
        }
        drop(compiling);
        let seconds = (took.as_secs_f64() * 1000.0).round() / 1000.0;
        match (self.logged, compiled) {
            (true, true) => tracing::info!(plugin, seconds, "plugin compiled"),
            (true, false) => tracing::warn!(plugin, seconds, "plugin not compiled"),
            (false, true) => print(format_args!("compiled plugin `{plugin}` in {seconds} s")),
            (false, false) => print(format_args!("plugin `{plugin}` is not compiled, after {seconds} s")),
        }
    }
}

/// Shows what is compiled and for how long, until nothing is.
fn show(compiling: &Mutex<Vec<Compiled>>) {
    loop {
        std::thread::sleep(INTERVAL);
        // Held until it is shown, so that nothing is shown of a plugin after its last line.
        let compiling = lock(compiling);
        let mut line = String::new();
        for Compiled { plugin, began } in compiling.iter() {
            let separator = if line.is_empty() { "compiling " } else { ", " };
            let _ = write!(line, "{separator}{plugin} {} s", began.elapsed().as_secs());
        }
        let mut shown = last_line();
        if *shown != line {
            let _ = write!(io::stderr(), "{ERASE}{line}");
            *shown = line;
        }
        if compiling.is_empty() {
            return;
        }
    }
}

fn print(line: impl std::fmt::Display) {
    let _ = Lines.write_all(format!("{line}\n").as_bytes());
}

impl Write for Lines {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let mut shown = last_line();
        if !shown.is_empty() {
            // It comes again by itself.
            shown.clear();
            io::stderr().write_all(ERASE.as_bytes())?;
        }
        io::stderr().write(lines)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

fn last_line() -> MutexGuard<'static, String> {
    lock(&LAST_LINE)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
