//! What a process takes: memory, processor time, file descriptors, children. From `/proc`.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Pid;

/// Resident memory.
pub(crate) fn resident_bytes(pid: Pid) -> usize {
    status(pid, "VmRSS:")
}

/// The most resident memory since [`forget_peak`].
pub(crate) fn peak_bytes(pid: Pid) -> usize {
    status(pid, "VmHWM:")
}

/// Begins a new peak.
pub(crate) fn forget_peak(pid: Pid) {
    fs::write(format!("/proc/{}/clear_refs", pid.as_raw_nonzero()), "5").unwrap();
}

/// Processor time of all threads.
pub(crate) fn cpu_time(pid: Pid) -> Duration {
    let fields = stat(pid).unwrap();
    // User and system time are the 14th and 15th field of the file.
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
}

/// The children of a process that have not ended.
pub(crate) fn children(parent: Pid) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    let parent = parent.as_raw_nonzero().to_string();
    pids.filter(|pid| stat(*pid).is_some_and(|fields| fields[1] == parent))
        .filter(|pid| is_alive(*pid))
        .collect()
}

/// Whether a process runs: it has not ended, and is not one that nobody has waited for either.
pub(crate) fn is_alive(pid: Pid) -> bool {
    stat(pid).is_some_and(|fields| !matches!(fields[0].as_str(), "Z" | "X"))
}

/// Open file descriptors.
pub(crate) fn open_files(pid: Pid) -> usize {
    fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero()))
        .unwrap()
        .count()
}

/// What open file descriptors lead to.
pub(crate) fn open_file_names(pid: Pid) -> Vec<PathBuf> {
    let entries = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).unwrap();
    entries
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .collect()
}

/// The fields of a process's line after its name in parentheses, from the third of the file on.
fn stat(pid: Pid) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

fn status(pid: Pid, name: &str) -> usize {
    let text = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
