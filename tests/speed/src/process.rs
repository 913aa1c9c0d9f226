//! A function's process: started on a core of its own, with the time and memory that the kernel says it took.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, ensure};

/// Keeps the calling thread, and whatever it starts, on one core. Says whether that worked; without it ratios
/// swing by the factor of two.
pub(crate) fn pin(core: usize) -> bool {
    // `PID/task/TID`
    let Ok(thread) = fs::read_link("/proc/thread-self") else { return false };
    let Some(thread) = thread.file_name() else { return false };
    let mut taskset = Command::new("taskset");
    taskset.args(["-p", "-c", &core.to_string()]).arg(thread).stdout(Stdio::null()).stderr(Stdio::null());
    taskset.status().is_ok_and(|status| status.success())
}

/// The core of the measured process; whatever it talks to has the others.
pub(crate) const CORE: usize = 0;

/// A running function. Dropping it kills it.
pub(crate) struct Process(Child);

impl Process {
    /// Starts a command with these variables and no others.
    pub(crate) fn start(command: &[OsString], variables: &BTreeMap<String, String>) -> Result<Self> {
        let (program, arguments) = command.split_first().context("nothing to start")?;
        let mut start = Command::new(program);
        start.args(arguments).env_clear().envs(variables).stdout(Stdio::null()).stderr(Stdio::null());
        // A child stays where the thread was that started it; going there itself would be in its time.
        let start = move || {
            pin(CORE);
            start.spawn()
        };
        let started = thread::spawn(start).join().map_err(|_| anyhow!("the starter panicked"))?;
        let child = started.with_context(|| format!("cannot start `{}`", Path::new(program).display()))?;
        Ok(Self(child))
    }

    /// The processor time of all its threads so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let mut sum = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.0.id()))? {
            // A thread may end between the two; what it took is then missing from all looks alike.
            let Ok(times) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
            sum += times.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0);
        }
        ensure!(sum > 0, "the kernel tells no processor time (`/proc/PID/task/TID/schedstat`)");
        Ok(Duration::from_nanos(sum))
    }

    /// The most memory that it held so far, in bytes.
    pub(crate) fn peak(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        Ok(kilobytes.context("the kernel tells no peak of memory")? * 1024)
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn end(mut self) -> Result<()> {
        let asked = Command::new("kill").arg(self.0.id().to_string()).status();
        ensure!(asked.is_ok_and(|status| status.success()), "cannot end a process");
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
