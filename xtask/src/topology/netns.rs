//! A network namespace by the file that names it.

use std::{
    ffi::OsStr,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context as _, Result, anyhow, bail};
use rustix::{
    fd::AsFd as _,
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

/// Where iproute2 keeps the names.
pub(super) const NAMES: &str = "/run/netns";

/// A network namespace that exists under a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Netns {
    path: PathBuf,
}

impl Netns {
    /// Makes a named namespace of this machine, with its loopback up.
    pub(super) fn create(name: &str) -> Result<Self> {
        run(Command::new("ip").args(["netns", "add", name]))?;
        let made = Self::at(Path::new(NAMES).join(name));
        made.ip(&["link set lo up"])?;
        Ok(made)
    }

    /// The namespace behind a file.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The file that names it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `work` on a thread that lives in the namespace, so that its sockets do too.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let file = fs::File::open(&self.path)
            .with_context(|| format!("opening the network namespace {}", self.path.display()))?;
        let enter = || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                .with_context(|| format!("entering the network namespace {}", self.path.display()))
        };
        thread::scope(|scope| {
            let worker = scope.spawn(|| enter().map(|()| work()));
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// A command that runs in the namespace.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path.display())).arg("--").arg(program);
        command
    }

    /// Runs lines of `ip` in the namespace, all or the first that fails.
    pub fn ip(&self, lines: &[impl AsRef<str>]) -> Result<()> {
        let script: Vec<&str> = lines.iter().map(AsRef::as_ref).collect();
        let script = script.join("\n") + "\n";
        feed(self.command("ip").args(["-batch", "-"]), script.as_bytes())
            .with_context(|| format!("in {}:\n{script}", self.path.display()))
            .map(drop)
    }

    /// Sets a key below /proc/sys/net, as `ipv4/conf/all/forwarding`.
    pub fn set_sysctl(&self, key: &str, value: &str) -> Result<()> {
        let path = Path::new("/proc/sys/net").join(key);
        self.run(|| fs::write(&path, value))?
            .with_context(|| format!("setting {} to {value}", path.display()))
    }
}

/// Runs a command to its end; its complaint is the error.
pub(super) fn run(command: &mut Command) -> Result<Vec<u8>> {
    feed(command, b"")
}

/// Runs a command with `input`; its complaint is the error.
pub(super) fn feed(command: &mut Command, input: &[u8]) -> Result<Vec<u8>> {
    let program = command.get_program().to_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("running {} (iproute2, util-linux)", program.display()))?;
    let mut stdin = child.stdin.take().ok_or_else(|| anyhow!("a piped child has no input"))?;
    // A command that ends before it has read all says why by its status.
    let _ = stdin.write_all(input);
    drop(stdin);
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let said = [output.stderr, output.stdout].concat();
        bail!("{command:?} {}: {}", output.status, String::from_utf8_lossy(&said).trim());
    }
    Ok(output.stdout)
}
