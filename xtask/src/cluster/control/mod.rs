//! A control plane of upstream's programs: etcd and an API server beside the bridge of a network.
//!
//! Nothing of it outlives it: its data and keys are below one folder, which goes with it.

mod apiserver;
mod certificates;
mod etcd;
mod request;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Value, json};

use self::certificates::{Authority, Pair};
pub use self::{
    certificates::{ADMINISTRATOR, KUBE_PROXY, User, WAGGLE},
    request::Request,
};
use crate::topology::{INSIDE, Network, Process};

/// An API server that has not come to itself within this will not.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the API server listens.
const PORT: u16 = 6443;

/// A running control plane.
#[derive(Debug)]
pub struct ControlPlane<'a> {
    network: &'a Network,
    folder: PathBuf,
    authority: Authority,
    administrator: Pair,
    etcd: Process,
    apiserver: Process,
}

impl<'a> ControlPlane<'a> {
    /// Starts it from the folder of upstream's programs, with its own in `folder`, and waits until
    /// it answers.
    pub fn start(network: &'a Network, programs: &Path, folder: &Path) -> Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("emptying {}", folder.display()))?;
        }
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let authority = Authority::create(folder)?;
        let administrator = authority.client(ADMINISTRATOR)?;
        let etcd = etcd::start(network, programs, folder)?;
        let apiserver = apiserver::start(network, programs, &authority)?;
        let folder = folder.to_owned();
        let mut plane = Self { network, folder, authority, administrator, etcd, apiserver };
        plane.wait_ready().map(|()| plane)
    }

    /// Where clients on nodes find it.
    #[must_use]
    pub fn url() -> String {
        format!("https://{}:{PORT}", INSIDE.v4)
    }

    /// A file with which a client is that user.
    pub fn kubeconfig(&self, user: User) -> Result<PathBuf> {
        let Pair { certificate, key } = self.authority.client(user)?;
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "it", "cluster": {
                "server": Self::url(),
                "certificate-authority": self.authority.certificate(),
            }}],
            "users": [{"name": "me", "user": {
                "client-certificate": certificate,
                "client-key": key,
            }}],
            "contexts": [{"name": "here", "context": {"cluster": "it", "user": "me"}}],
            "current-context": "here",
        });
        let path = self.folder.join(user.file()).with_extension("kubeconfig");
        fs::write(&path, config.to_string())
            .with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }

    /// Makes an object, as its administrator; `collection` is a path as `api/v1/nodes`.
    pub fn create(&self, collection: &str, object: &Value) -> Result<()> {
        self.send(&[Request::create(collection, object)])
    }

    /// Asks for one thing after the other, as its administrator, until one is refused.
    ///
    /// By curl, so that this program has no TLS of its own.
    pub fn send(&self, requests: &[Request]) -> Result<()> {
        if requests.is_empty() {
            return Ok(());
        }
        let Pair { certificate, key } = &self.administrator;
        let identity: [(&str, &Path); 3] =
            [("cacert", self.authority.certificate()), ("cert", certificate), ("key", key)];
        let url = Self::url();
        let texts: Vec<String> =
            requests.iter().map(|request| request.configuration(&url, &identity)).collect();
        let mut curl = self.network.wire()?.command("curl");
        feed(curl.args(["--fail-early", "--config", "-"]), &texts.join("next\n"))
    }

    fn wait_ready(&mut self) -> Result<()> {
        let started = Instant::now();
        while let Err(refused) = self.send(&[Request::read("readyz")]) {
            let is_over = started.elapsed() > PATIENCE;
            for process in [&mut self.etcd, &mut self.apiserver] {
                if is_over || !process.is_running() {
                    let (log, tail) = (process.log().display(), process.log_tail());
                    bail!("the API server did not start ({refused:#}); {log}:\n{tail}");
                }
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

fn feed(command: &mut Command, input: &str) -> Result<()> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("starting nsenter")?;
    let mut stdin = child.stdin.take().ok_or_else(|| anyhow!("a piped child has no input"))?;
    // A command that ends before it has read all says why by its status.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let (error, answers) = (text(&output.stderr), text(&output.stdout));
        // The last answer is the one that says what is wrong.
        let last = answers.rfind("\n{").map_or(&answers[..], |start| &answers[start..]);
        bail!("{}: {} {}", output.status, error.trim(), last.trim());
    }
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Drop for ControlPlane<'_> {
    fn drop(&mut self) {
        // A drop cannot fail; the network's sweep ends what this does not.
        let _ = self.apiserver.kill().and_then(|()| self.etcd.kill());
        let _ = fs::remove_dir_all(&self.folder);
    }
}
