//! The demo and the machine it ran on.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{
    cluster::{self, alone, wait_until},
    machine::Machine,
};

#[test]
fn a_demo_that_succeeds_leaves_the_machine_as_it_was() -> Result<()> {
    alone()?;
    let before = Machine::now()?;
    let output = demo(&["--json"])?.stderr(Stdio::inherit()).output()?;
    let said = String::from_utf8(output.stdout)?;
    let last: Value = serde_json::from_str(said.lines().last().context("it said nothing")?)?;
    assert_eq!((output.status.code(), &last["verdict"]), (Some(0), &"pass".into()), "{last:#}");
    is_as(&before)
}

#[test]
fn a_demo_that_is_interrupted_leaves_the_machine_as_it_was() -> Result<()> {
    alone()?;
    let before = Machine::now()?;
    let status = signal_amid("INT")?;
    assert_eq!(status.code(), Some(1), "{status}");
    is_as(&before)
}

#[test]
fn a_demo_that_is_killed_leaves_names_which_the_next_one_removes() -> Result<()> {
    alone()?;
    let before = Machine::now()?;
    let status = signal_amid("KILL")?;
    assert_eq!(status.code(), None, "{status}");
    let unnamed = before.clone().without_names();
    wait_until(|| Ok(Machine::now()?.without_names() == unnamed)).with_context(|| {
        format!("before: {unnamed:#?}\nafter: {:#?}", Machine::now().map(Machine::without_names))
    })?;
    ensure!(Machine::now()? != before, "it was killed before it had made anything");
    ensure!(demo(&["--clean"])?.status()?.success(), "the next one fails");
    is_as(&before)
}

fn demo(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(cluster::tool()?);
    command.arg("demo").args(arguments).stdin(Stdio::null());
    Ok(command)
}

/// Sends a signal to a demo while it plays, and waits for its end.
fn signal_amid(signal: &str) -> Result<ExitStatus> {
    let mut child: Child = demo(&[])?.stdout(Stdio::piped()).spawn()?;
    let mut said = BufReader::new(child.stdout.take().context("output is piped")?).lines();
    let playing = said.find(|line| line.as_ref().is_ok_and(|line| line.contains("ok      spread")));
    let sent =
        Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status()?;
    ensure!(playing.is_some() && sent.success(), "the demo ended before it played");
    Ok(child.wait()?)
}

/// The kernel frees namespaces and programs in its own time.
fn is_as(before: &Machine) -> Result<()> {
    let same = wait_until(|| Ok(Machine::now()? == *before));
    if same.is_err() {
        assert_eq!(Machine::now()?, *before);
    }
    Ok(())
}
