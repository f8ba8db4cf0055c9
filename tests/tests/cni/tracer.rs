//! strace: the calls that a plugin makes, and its end at one of them.

use std::{collections::BTreeMap, fs, os::unix::process::ExitStatusExt as _, process::Command};

use anyhow::{Result, ensure};
use rustix::process::Signal;
use tempfile::NamedTempFile;

use super::plugin::{Call, program};

const STRACE: &str = "/usr/bin/strace";

/// What changes anything outside of the process, or begins or ends it: closing a file gives up a lock
/// and detaches a program that is not pinned yet.
const CALLS: &str = "?mkdir,?mkdirat,?open,openat,write,?rename,?renameat,?renameat2,?unlink,\
                     ?unlinkat,close,flock,bpf,socket,bind,sendto,sendmsg,setns,?clone,?clone3,\
                     exit_group";

/// One call of a run: the process ends right before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Instant {
    call: String,
    /// Which one of those by this name and by the same thread.
    number: usize,
    /// Whether a thread beside the first makes it.
    is_aside: bool,
}

impl Instant {
    /// The command that runs the plugin until then.
    fn command(&self) -> Result<Command> {
        let Self { call, number, is_aside } = self;
        let mut command = strace(call)?;
        command.arg("-e").arg(format!("inject={call}:signal=KILL:when={number}"));
        // The number is counted for each thread, and the first that gets there counts.
        if *is_aside {
            command.arg("-f");
        }
        command.args(["-o", "/dev/null"]).arg(program()?);
        Ok(command)
    }
}

impl Call {
    /// Makes the call to its end and returns its instants in order.
    ///
    /// What a thread does that another thread has done as often before cannot be told from that by
    /// strace, and is left out: it is between its neighbours.
    pub(super) fn instants(self) -> Result<Vec<Instant>> {
        let log = NamedTempFile::new()?;
        let mut command = strace(CALLS)?;
        command.arg("-f").arg("-o").arg(log.path()).arg(program()?);
        let ended = self.start(&mut command)?.wait()?;
        ensure!(ended.success(), "the plugin under strace ended with {ended}");
        Ok(instants(&fs::read_to_string(log.path())?))
    }

    /// Makes the call up to an instant.
    pub(super) fn kill_at(self, instant: &Instant) -> Result<()> {
        let ended = self.start(&mut instant.command()?)?.wait()?;
        let killed = Some(Signal::KILL.as_raw());
        ensure!(ended.signal() == killed, "{instant:?} did not come: {ended}");
        Ok(())
    }
}

fn strace(calls: &str) -> Result<Command> {
    ensure!(fs::exists(STRACE)?, "{STRACE} is not there: run this suite by `cargo xtask test cni`");
    let mut command = Command::new(STRACE);
    command.args(["-qqq", "-e", "signal=none", "-e"]).arg(format!("trace={calls}"));
    Ok(command)
}

fn instants(log: &str) -> Vec<Instant> {
    let lines: Vec<(&str, &str)> = log.lines().filter_map(call).collect();
    let Some((first, _)) = lines.first() else { return Vec::new() };
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut instants: Vec<Instant> = Vec::new();
    for (thread, call) in &lines {
        let count = counts.entry((thread, call)).or_default();
        *count += 1;
        let instant =
            Instant { call: (*call).to_owned(), number: *count, is_aside: thread != first };
        let is_same = |other: &Instant| other.call == *call && other.number == instant.number;
        if !instant.is_aside || !instants.iter().any(is_same) {
            instants.push(instant);
        }
    }
    instants
}

/// The thread and the call of a line: `71 close(3) = 0`.
fn call(line: &str) -> Option<(&str, &str)> {
    let (thread, rest) = line.split_once(' ')?;
    let (call, _) = rest.trim_start().split_once('(')?;
    call.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then_some((thread, call))
}

#[test]
fn instants_are_those_that_strace_can_tell_apart() {
    let log = "71 openat(AT_FDCWD, \"a\") = 3\n71 clone(x <unfinished ...>\n72 close(4) = 0\n\
               71 <... clone resumed>) = 72\n72 openat(AT_FDCWD, \"b\") = 4\n72 openat(3) = 5\n\
               71 close(3) = 0\n72 +++ exited with 0 +++\n71 exit_group(0) = ?\n";
    let instant = |call: &str, number, is_aside| Instant { call: call.into(), number, is_aside };
    let expected = [
        instant("openat", 1, false),
        instant("clone", 1, false),
        instant("close", 1, true),
        instant("openat", 2, true),
        instant("close", 1, false),
        instant("exit_group", 1, false),
    ];
    assert_eq!(instants(log), expected);
}
