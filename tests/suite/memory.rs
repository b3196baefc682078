//! What a process takes: memory, processor time, file descriptors. From `/proc`.

use std::fs;
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
    let text = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap();
    // After the name in parentheses; user and system time are the 14th and 15th field.
    let fields: Vec<&str> = text.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
}

/// Open file descriptors.
pub(crate) fn open_files(pid: Pid) -> usize {
    fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero()))
        .unwrap()
        .count()
}

fn status(pid: Pid, name: &str) -> usize {
    let text = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
