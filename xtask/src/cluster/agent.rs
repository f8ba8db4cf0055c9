//! An agent on a node.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};

use crate::topology::{Node, Process};

/// Agents start, and edits arrive, within this or not at all.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running `waggle agent`.
#[derive(Debug)]
pub struct Agent<'a> {
    node: &'a Node,
    waggle: PathBuf,
    arguments: Vec<String>,
    process: Process,
}

impl<'a> Agent<'a> {
    /// Starts it as [`Self::launch`] does, and waits until pods can be wired.
    pub fn start(
        node: &'a Node,
        waggle: &Path,
        manifests: &Path,
        config: Option<&Path>,
    ) -> Result<Self> {
        let mut agent = Self::launch(node, waggle, manifests, config)?;
        agent.wait_ready().map(|()| agent)
    }

    /// Starts it, with a file for `--config` or none; it comes to itself in its own time.
    pub fn launch(
        node: &'a Node,
        waggle: &Path,
        manifests: &Path,
        config: Option<&Path>,
    ) -> Result<Self> {
        let manifests = manifests.display().to_string();
        let mut options = vec!["--manifests", &manifests];
        let config = config.map(|file| file.display().to_string());
        if let Some(config) = &config {
            options.extend(["--config", config]);
        }
        Self::launch_with(node, waggle, &options)
    }

    /// Starts it to follow the API server that a kubeconfig leads to, with a file for `--config`,
    /// to serve the uplink, and waits until pods can be wired.
    pub fn follow(node: &'a Node, waggle: &Path, kubeconfig: &Path, config: &Path) -> Result<Self> {
        let [kubeconfig, config] = [kubeconfig, config].map(|file| file.display().to_string());
        let options = ["--kubeconfig", &kubeconfig, "--config", &config, "--devices", "eth0"];
        let mut agent = Self::launch_with(node, waggle, &options)?;
        agent.wait_ready().map(|()| agent)
    }

    /// Starts it to follow an API server that may not be there; it comes to itself in its own time.
    pub fn launch_blind(
        node: &'a Node,
        waggle: &Path,
        kubeconfig: &Path,
        config: &Path,
    ) -> Result<Self> {
        let [kubeconfig, config] = [kubeconfig, config].map(|file| file.display().to_string());
        Self::launch_with(node, waggle, &["--kubeconfig", &kubeconfig, "--config", &config])
    }

    fn launch_with(node: &'a Node, waggle: &Path, options: &[&str]) -> Result<Self> {
        let arguments = [&["agent", "--node-name", node.name()], options].concat();
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        let process = launch(node, waggle, &arguments)?;
        Ok(Self { node, waggle: waggle.to_owned(), arguments, process })
    }

    /// Kills it with -9.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Asks it to end, as systemd or a kubelet would, and waits.
    pub fn stop(&mut self) -> Result<()> {
        self.process.stop()
    }

    /// Starts it again as it was started.
    pub fn restart(&mut self) -> Result<()> {
        self.begin()?;
        self.wait_ready()
    }

    /// Starts it again, and lets it come to itself in its own time.
    pub fn begin(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process = launch(self.node, &self.waggle, &self.arguments)?;
        Ok(())
    }

    /// Starts it again where the clocks that count from boot are ahead by some seconds. Takes
    /// Linux 6.2, with which a program is in the time namespace that its process has unshared.
    pub fn restart_ahead(&mut self, seconds: u32) -> Result<()> {
        self.process.kill()?;
        let [monotonic, boot] = ["monotonic", "boottime"].map(|it| format!("--{it}={seconds}"));
        let mut arguments = ["--time", &monotonic, &boot, "--"].map(str::to_owned).to_vec();
        arguments.push(self.waggle.display().to_string());
        arguments.extend_from_slice(&self.arguments);
        self.process = launch(self.node, Path::new("unshare"), &arguments)?;
        self.wait_ready()?;
        let clocks = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/time"));
        let (own, here) = (clocks(&self.process.pid().to_string())?, clocks("self")?);
        ensure!(own != here, "the agent has the clocks of the machine: this takes Linux 6.2");
        Ok(())
    }

    /// Waits until it has told the CNI plugin about its node, so that pods can be wired.
    pub fn wait_ready(&mut self) -> Result<()> {
        let Self { node, process, .. } = self;
        let (file, started) = (node_file(node), Instant::now());
        while !file.exists() {
            thread::sleep(Duration::from_millis(5));
            if !process.is_running() || started.elapsed() > PATIENCE {
                bail!("the agent of {} did not start:\n{}", node.name(), process.log_tail());
            }
        }
        Ok(())
    }

    /// Its number outside the node.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// The file it logs to.
    #[must_use]
    pub fn log(&self) -> &Path {
        self.process.log()
    }

    /// The file it logs to and the last lines of that.
    #[must_use]
    pub fn log_tail(&self) -> String {
        format!("--- {}\n{}", self.process.log().display(), self.process.log_tail())
    }
}

/// What an agent tells the CNI plugin about its node.
fn node_file(node: &Node) -> PathBuf {
    node.path("/run/waggle/node.json")
}

fn launch(node: &Node, waggle: &Path, arguments: &[String]) -> Result<Process> {
    // One that ran before has told it.
    let _ = fs::remove_file(node_file(node));
    node.start_program(waggle, arguments, "agent")
}
