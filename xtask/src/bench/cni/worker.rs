//! The runtime on a node: a process inside, so that no launcher is measured, which connects and
//! disconnects pods for each line that it is told, and answers with numbers.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use xtask::topology::Node;

use crate::bench::{calibration::calibrate, transactions::this};

const VERB: &str = "bench-runtime";

/// How long the kernel has after a namespace ended, which it takes down behind everybody's back.
const SETTLING: Duration = Duration::from_millis(10);

/// A node's runtime, as the bench knows it.
#[derive(Debug)]
pub(super) struct Worker {
    process: Child,
    /// Closed, to end it.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts it, with a plugin and its configuration.
    pub(super) fn start(node: &Node, plugin: &Path, config: &str) -> Result<Self> {
        let mut command = node.command(this()?)?;
        command.arg(VERB).arg(plugin).arg(config).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let orders = process.stdin.take();
        let answers = process.stdout.take().context("a runtime without output")?;
        Ok(Self { process, orders, answers: BufReader::new(answers) })
    }

    /// What it measured for an order.
    pub(super) fn ask(&mut self, order: &str) -> Result<Vec<u64>> {
        let mut said = String::new();
        self.orders.as_ref().map_or(Ok(()), |mut orders| writeln!(orders, "{order}"))?;
        self.answers.read_line(&mut said)?;
        let numbers: Result<Vec<u64>, _> = said.split_whitespace().map(str::parse).collect();
        let numbers = numbers.unwrap_or_default();
        ensure!(!numbers.is_empty(), "{order}: {}", said.trim());
        Ok(numbers)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.orders.take());
        // Whether it ended well was seen with its last answer.
        let _ = self.process.wait();
    }
}

/// Runs the hidden verb if `arguments` name it.
pub(in crate::bench) fn run_inside(arguments: &[String]) -> Option<Result<()>> {
    match arguments {
        [verb, program, config] if verb == VERB => {
            let plugin = Plugin { program: program.into(), config: config.clone() };
            Some(obey(&plugin))
        }
        _ => None,
    }
}

fn obey(plugin: &Plugin) -> Result<()> {
    for order in io::stdin().lines() {
        let order = order?;
        let answer = match order.split(' ').collect::<Vec<_>>()[..] {
            ["window"] => window(plugin),
            ["crowd", count] => crowd(plugin, count.parse()?),
            ["cycles", count] => cycles(plugin, count.parse()?),
            _ => bail!("{order} is no order"),
        };
        match answer {
            Ok(numbers) => {
                let words: Vec<_> = numbers.iter().map(u64::to_string).collect();
                writeln!(io::stdout(), "{}", words.join(" "))?;
            }
            Err(error) => writeln!(io::stdout(), "{}", format!("{error:#}").replace('\n', " "))?,
        }
    }
    Ok(())
}

/// One pod: calibrations before and after it, and nanoseconds of ADD and DEL.
fn window(plugin: &Plugin) -> Result<Vec<u64>> {
    let pod = Pod::make("window")?;
    let before = calibrate();
    let (add, del) = (plugin.call("ADD", &pod)?, plugin.call("DEL", &pod)?);
    Ok(vec![before, calibrate(), add.nanoseconds, del.nanoseconds])
}

/// Many pods at once: nanoseconds of each ADD, then of each DEL.
fn crowd(plugin: &Plugin, count: usize) -> Result<Vec<u64>> {
    let pods: Vec<Pod> = (0..count).map(|_| Pod::make("crowd")).collect::<Result<_>>()?;
    let mut numbers = Vec::new();
    for verb in ["ADD", "DEL"] {
        let calls = thread::scope(|scope| {
            let call = |pod| scope.spawn(move || plugin.call(verb, pod));
            let calls: Vec<_> = pods.iter().map(call).collect();
            let join = |call: thread::ScopedJoinHandle<'_, Result<Call>>| {
                call.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            calls.into_iter().map(join).collect::<Result<Vec<_>>>()
        })?;
        numbers.extend(calls.iter().map(|call| call.nanoseconds));
    }
    Ok(numbers)
}

/// Pods one after the other in one namespace: the most memory that a call took, in KiB.
fn cycles(plugin: &Plugin, count: usize) -> Result<Vec<u64>> {
    let namespace = Pod::make("cycle")?;
    let mut most = 0;
    for _ in 0..count {
        let (container, netns) = (container("cycle"), namespace.netns.clone());
        let pod = Pod { container, netns, is_borrowed: true };
        for verb in ["ADD", "DEL"] {
            most = most.max(plugin.call(verb, &pod)?.kibibytes);
        }
    }
    Ok(vec![most])
}

/// A plugin with its configuration.
#[derive(Debug)]
struct Plugin {
    program: PathBuf,
    config: String,
}

/// What a call took.
#[derive(Clone, Copy, Debug)]
struct Call {
    nanoseconds: u64,
    /// Most memory in use.
    kibibytes: u64,
}

impl Plugin {
    fn call(&self, verb: &str, pod: &Pod) -> Result<Call> {
        let folder = self.program.parent().context("the plugin has no folder")?;
        let start = Instant::now();
        let mut child = Command::new(&self.program)
            .env_clear()
            .env("CNI_COMMAND", verb)
            .env("CNI_CONTAINERID", &pod.container)
            .env("CNI_NETNS", format!("/run/netns/{}", pod.netns))
            .env("CNI_IFNAME", "eth0")
            .env("CNI_PATH", folder)
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| self.program.display().to_string())?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(self.config.as_bytes())?;
        }
        let mut said = String::new();
        child.stdout.take().context("a plugin without output")?.read_to_string(&mut said)?;
        let (status, kibibytes) = reap(&child)?;
        let nanoseconds = u64::try_from(start.elapsed().as_nanos())?;
        ensure!(status.success(), "{verb} of {}: {status}: {said}", pod.container);
        Ok(Call { nanoseconds, kibibytes })
    }
}

/// Waits for a child; also says the most memory that it had.
fn reap(child: &Child) -> Result<(ExitStatus, u64)> {
    let mut status = 0;
    // SAFETY: all-zero bytes are a valid rusage.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let pid = libc::pid_t::try_from(child.id())?;
    // SAFETY: both pointers are to live values, and nobody else waits for the child.
    let outcome = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    if outcome < 0 {
        return Err(io::Error::last_os_error()).context("waiting for a plugin");
    }
    Ok((ExitStatus::from_raw(status), u64::try_from(usage.ru_maxrss)?))
}

/// A container's namespace, which is gone when dropped.
#[derive(Debug)]
struct Pod {
    container: String,
    netns: String,
    /// Whether somebody else ends the namespace.
    is_borrowed: bool,
}

impl Pod {
    fn make(kind: &str) -> Result<Self> {
        let container = container(kind);
        let netns = container.clone();
        let made = Command::new("ip").args(["netns", "add", &netns]).status()?;
        ensure!(made.success(), "making the network namespace {netns}");
        Ok(Self { container, netns, is_borrowed: false })
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        if !self.is_borrowed {
            // What stays ends with the node.
            let _ = Command::new("ip").args(["netns", "delete", &self.netns]).status();
            thread::sleep(SETTLING);
        }
    }
}

/// A name that no other container has.
fn container(kind: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{kind}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
