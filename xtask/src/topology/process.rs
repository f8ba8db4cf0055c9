//! A process that was started inside a node.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

use super::cgroup::Cgroup;

/// How long processes live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// No longer than the thread that started them, however that ends.
    Caller,
    /// Until they are swept away.
    Kept,
}

/// A process with the launcher (`nsenter`, `unshare`) that stands between it and us.
#[derive(Debug)]
pub struct Process {
    launcher: Child,
    pid: Pid,
    log: PathBuf,
    lifetime: Lifetime,
}

impl Process {
    /// Starts a launcher, which has joined a cgroup, and whose one child is the process; standard
    /// error goes to the end of `log`.
    pub(super) fn start(mut command: Command, lifetime: Lifetime, log: &Path) -> Result<Self> {
        let file = fs::File::options().create(true).append(true).open(log);
        let file = file.with_context(|| format!("opening the log {}", log.display()))?;
        command.stdin(Stdio::null()).stderr(file);
        // A Ctrl-C at the terminal is the caller's to handle.
        command.process_group(0);
        let launcher = command.spawn().with_context(|| format!("starting {command:?}"))?;
        let mut process =
            Self { pid: Pid::from_child(&launcher), launcher, log: log.to_owned(), lifetime };
        process.pid = process.find_child()?;
        Ok(process)
    }

    /// Its number outside the node.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Where its complaints are.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.launcher.try_wait(), Ok(None))
    }

    /// Waits for the one line `ready` that a server prints once it listens.
    pub(super) fn wait_ready(&mut self) -> Result<()> {
        let stdout = self.launcher.stdout.take().ok_or_else(|| anyhow!("output is not piped"))?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).context("waiting for `ready`")?;
        if line.trim() != "ready" {
            bail!("it ended before it was ready; {}: {}", self.log.display(), self.log_tail());
        }
        Ok(())
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(&mut self) -> Result<()> {
        self.end_by(Signal::KILL)
    }

    /// Asks it to end and waits.
    pub fn stop(&mut self) -> Result<()> {
        self.end_by(Signal::TERM)
    }

    fn end_by(&mut self, signal: Signal) -> Result<()> {
        if !self.is_running() {
            return Ok(());
        }
        kill_process(self.pid, signal).context("signalling a process of a node")?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.is_running() {
            if Instant::now() > deadline {
                bail!("{signal:?} did not end it; {}: {}", self.log.display(), self.log_tail());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// The launcher's child: that is where the process-number namespace begins.
    fn find_child(&mut self) -> Result<Pid> {
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.is_running() && Instant::now() < deadline {
            if let Some(child) = child_of(self.launcher.id())? {
                return Ok(child);
            }
            thread::sleep(Duration::from_millis(1));
        }
        bail!("nothing was started; {}: {}", self.log.display(), self.log_tail())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        match self.lifetime {
            Lifetime::Caller => drop(self.kill()),
            Lifetime::Kept => {}
        }
    }
}

/// Makes the child of `command` join `cgroup` and die with its parent if it should.
pub(super) fn join(command: &mut Command, cgroup: &Cgroup, lifetime: Lifetime) -> Result<()> {
    let procs = cgroup.procs();
    let procs =
        fs::File::options().write(true).open(&procs).context(procs.display().to_string())?;
    // SAFETY: between fork and exec the closure makes two system calls and allocates nothing.
    unsafe {
        command.pre_exec(move || {
            rustix::io::write(&procs, b"0")?;
            match lifetime {
                Lifetime::Caller => set_parent_process_death_signal(Some(Signal::KILL))?,
                Lifetime::Kept => {}
            }
            Ok(())
        });
    }
    Ok(())
}

/// The first child of a process.
fn child_of(parent: u32) -> Result<Option<Pid>> {
    for entry in fs::read_dir("/proc").context("reading /proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_string_lossy().parse().ok().and_then(Pid::from_raw)
        else {
            continue;
        };
        // One that ended since the listing is nobody's child.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        if after_name.split_whitespace().nth(1) == Some(&parent.to_string()) {
            return Ok(Some(pid));
        }
    }
    Ok(None)
}
