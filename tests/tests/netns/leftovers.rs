//! The demo and the machine it ran on.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{
    cluster::{self, Alone, alone},
    machine::Machine,
};

/// The kernel frees namespaces and programs in its own time, and others may be at work.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_demo_that_succeeds_leaves_the_machine_as_it_was() -> Result<()> {
    let (_alone, before) = clean()?;
    let output = demo(&["--json"])?.output()?;
    let (said, aside) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    let last: Value = serde_json::from_str(said.lines().last().context("it said nothing")?)?;
    assert_eq!(
        (output.status.code(), &last["verdict"]),
        (Some(0), &"pass".into()),
        "{aside}{last:#}"
    );
    assert_eq!(changes(&before, |_| false)?, Vec::<String>::new());
    Ok(())
}

#[test]
fn a_demo_that_is_interrupted_leaves_the_machine_as_it_was() -> Result<()> {
    let (_alone, before) = clean()?;
    let status = signal_amid(Signal::INT)?;
    assert_eq!(status.code(), Some(1), "{status}");
    assert_eq!(changes(&before, |_| false)?, Vec::<String>::new());
    Ok(())
}

#[test]
fn a_demo_that_is_killed_leaves_names_which_the_next_one_removes() -> Result<()> {
    let (_alone, before) = clean()?;
    let status = signal_amid(Signal::KILL)?;
    assert_eq!(status.code(), None, "{status}");
    let is_name = |thing: &str| {
        thing.starts_with("came: namespace waggle-demo-") || thing.starts_with("came: cgroup ")
    };
    assert_eq!(changes(&before, is_name)?, Vec::<String>::new());
    let left = Machine::now()?.changes_since(&before);
    ensure!(left.iter().any(|thing| is_name(thing)), "it was killed before it had made anything");
    ensure!(demo(&["--clean"])?.output()?.status.success(), "the next one fails");
    assert_eq!(changes(&before, |_| false)?, Vec::<String>::new());
    Ok(())
}

/// The machine without anything that an earlier demo left, or that another test makes.
fn clean() -> Result<(Alone, Machine)> {
    let alone = alone()?;
    ensure!(demo(&["--clean"])?.output()?.status.success(), "cleaning fails");
    Ok((alone, Machine::now()?))
}

fn demo(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(cluster::tool()?);
    command.arg("demo").args(arguments).stdin(Stdio::null());
    Ok(command)
}

/// Sends a signal to a demo while it plays, and waits for its end.
fn signal_amid(signal: Signal) -> Result<ExitStatus> {
    let mut child = demo(&[])?.stdout(Stdio::piped()).spawn()?;
    let mut said = BufReader::new(child.stdout.take().context("output is piped")?).lines();
    let playing = said.find(|line| line.as_ref().is_ok_and(|line| line.contains("ok      spread")));
    kill_process(Pid::from_child(&child), signal)?;
    let status = child.wait()?;
    ensure!(playing.is_some(), "the demo ended before it played: {status}");
    Ok(status)
}

/// What differs, once nothing but what is `allowed` does, or after all patience.
fn changes(before: &Machine, allowed: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    let start = Instant::now();
    loop {
        let mut changes = Machine::now()?.changes_since(before);
        changes.retain(|thing| !allowed(thing));
        if start.elapsed() > PATIENCE || changes.is_empty() {
            return Ok(changes);
        }
        thread::sleep(Duration::from_millis(100));
    }
}
