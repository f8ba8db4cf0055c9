//! A host: a network, a mount and a cgroup namespace, held by one process, with an uplink, a BPF
//! file system and a folder of manifests. But for its cgroup nothing of it has a name on the machine.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::{fd::AsFd as _, unix::fs::PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use dataplane_common::abi::names;
use hostnet::NetNs;
use rustix::{
    process::{Pid, Signal, kill_process},
    thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::cgroup::Cgroup;

/// Longest wait for an agent to do what is asked of it.
const PATIENCE: Duration = Duration::from_secs(60);

const SETUP: &str = "
set -eu
mount -t bpf bpf \"$1\"
mount -t tmpfs tmpfs \"$2\"
mount -t cgroup2 cgroup2 \"$2\"
ip link set lo up
ip link add eth0 type veth peer name wire
ip link set eth0 up
ip link set wire up
ip address add 192.0.2.1/24 dev eth0
ip address add fd00::1/64 dev eth0 nodad
echo ready
exec sleep infinity
";

pub(super) const NODES: &str = r#"
apiVersion: v1
kind: Node
metadata: {name: a}
spec: {podCIDR: 10.1.1.0/24, podCIDRs: [10.1.1.0/24, "fd01:1::/64"]}
status:
  addresses:
    - {type: InternalIP, address: 192.0.2.1}
    - {type: InternalIP, address: "fd00::1"}
---
apiVersion: v1
kind: Node
metadata: {name: b}
spec: {podCIDR: 10.1.2.0/24, podCIDRs: [10.1.2.0/24, "fd01:2::/64"]}
status:
  addresses:
    - {type: InternalIP, address: 192.0.2.2}
    - {type: InternalIP, address: "fd00::2"}
"#;

pub(super) const SERVICES: &str = r"
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec:
  clusterIP: 10.96.0.1
  clusterIPs: [10.96.0.1]
  ports: [{name: http, port: 80, protocol: TCP, targetPort: 8080}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: cart-1, namespace: shop, labels: {kubernetes.io/service-name: cart}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints: [{addresses: [10.1.1.2], nodeName: a}, {addresses: [10.1.2.2], nodeName: b}]
";

/// The host.
pub(super) struct Host {
    holder: Child,
    folder: TempDir,
    cgroup: Cgroup,
}

/// A running agent, killed when dropped.
pub(super) struct Agent(Child);

/// What a verb answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) is_success: bool,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Host {
    pub(super) fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        for name in ["bpf", "run", "manifests"] {
            fs::create_dir(folder.path().join(name))?;
        }
        let cgroup = Cgroup::create()?;
        let mut command = bound(&cgroup, "unshare");
        command.args(["--mount", "--net", "--cgroup", "--", "sh", "-c", SETUP, "sh"]);
        command.arg(folder.path().join("bpf")).arg(cgroup.mount()).stdout(Stdio::piped());
        let mut holder = command.spawn().context("starting a host")?;
        let mut line = String::new();
        let stdout = holder.stdout.take().context("output is not piped")?;
        let read = BufReader::new(stdout).read_line(&mut line);
        let host = Self { holder, folder, cgroup };
        read.context("setting up a host")?;
        if line.trim() != "ready" {
            bail!("a host could not be set up, see above");
        }
        host.write("nodes.yaml", NODES)?;
        host.write("services.yaml", SERVICES)?;
        Ok(host)
    }

    /// Where something pinned in this table layout is on the test's side.
    pub(super) fn pinned(&self, path: &str) -> PathBuf {
        self.path(&format!("bpf/waggle/abi-{}/{path}", names::ABI))
    }

    /// A path of the host, which is the same from outside, but for the BPF file system.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a cgroup that none of the host's processes is in; its folder.
    pub(super) fn make_cgroup(&self, name: &str) -> Result<PathBuf> {
        self.cgroup.make(name)?;
        Ok(self.cgroup.mount().join(name))
    }

    /// Writes a manifest.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<()> {
        let draft = self.path(name);
        fs::write(&draft, text)?;
        Ok(fs::rename(draft, self.path("manifests").join(name))?)
    }

    /// A command inside.
    pub(super) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = bound(&self.cgroup, "nsenter");
        command.args(["--target", &self.holder.id().to_string()]);
        command.args(["--mount", "--net", "--cgroup", "--"]);
        command.arg(program.as_ref());
        command
    }

    /// Runs a command inside to its end.
    pub(super) fn run(&self, program: impl AsRef<Path>, arguments: &[&str]) -> Result<Answer> {
        let output = self.command(program).args(arguments).output()?;
        Ok(Answer {
            is_success: output.status.success(),
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8(output.stderr)?,
        })
    }

    /// Runs a verb of `waggle` on this host's folders.
    pub(super) fn waggle(&self, line: &str) -> Result<Answer> {
        self.waggle_at("run", line)
    }

    /// Runs a verb of `waggle` on another run directory.
    pub(super) fn waggle_at(&self, run_dir: &str, line: &str) -> Result<Answer> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let places = self.places(run_dir);
        self.run(waggle()?, &[words, places.iter().map(String::as_str).collect()].concat())
    }

    /// Runs `waggle` as a user who may do nothing.
    pub(super) fn without_capabilities(&self, arguments: &[&str]) -> Result<Answer> {
        // A copy, because that user may not reach the target folder.
        let copy = self.path("waggle");
        fs::copy(waggle()?, &copy)?;
        fs::set_permissions(self.folder.path(), fs::Permissions::from_mode(0o755))?;
        let copy = copy.display().to_string();
        let user = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "--", &copy];
        self.run("setpriv", &[&user, arguments].concat())
    }

    /// Starts an agent with a configuration, and waits until it has done all there is to do.
    pub(super) fn agent(&self, config: &str) -> Result<Agent> {
        self.agent_from("--manifests", "manifests", config)
    }

    /// The same with another source, the option for it and its path here.
    pub(super) fn agent_from(&self, option: &str, source: &str, config: &str) -> Result<Agent> {
        let agent = self.begin_from(option, source, config)?;
        let knows_devices = |status: &Value| status["devices"] != Value::Array(Vec::new());
        let is_synced = |status: &Value| status["agent"]["lastSync"].is_string();
        self.wait_until(|status| {
            is_synced(status) && knows_devices(status) && self.has_node_file()
        })?;
        Ok(agent)
    }

    /// The same without waiting for anything.
    pub(super) fn begin_from(&self, option: &str, source: &str, config: &str) -> Result<Agent> {
        let file = self.path("config.yaml");
        fs::write(&file, config)?;
        // What an agent that ran before wrote must not be taken for this one's.
        for name in ["state.json", "node.json"] {
            let _may_be_missing = fs::remove_file(self.path("run").join(name));
        }
        let mut command = self.command(waggle()?);
        command.args(["agent", "--node-name", "a", option]).arg(self.path(source));
        command.arg("--config").arg(&file).args(self.places("run"));
        let log = fs::File::create(self.path("agent.log"))?;
        Ok(Agent(command.stderr(log).spawn().context("starting an agent")?))
    }

    fn has_node_file(&self) -> bool {
        self.path("run/node.json").exists()
    }

    /// The answer of `waggle status -o json`.
    pub(super) fn status(&self) -> Result<Value> {
        let answer = self.waggle("status -o json")?;
        serde_json::from_str(&answer.stdout).with_context(|| format!("{answer:?}"))
    }

    /// Asks for the status until it is as it should be, and returns it.
    pub(super) fn wait_until(&self, is_right: impl Fn(&Value) -> bool) -> Result<Value> {
        let started = Instant::now();
        loop {
            let status = self.status()?;
            if is_right(&status) {
                return Ok(status);
            }
            if started.elapsed() > PATIENCE {
                bail!("waited in vain; {status:#}\n{}", self.log()?);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the last agent logged.
    pub(super) fn log(&self) -> Result<String> {
        let mut text = String::new();
        fs::File::open(self.path("agent.log"))?.read_to_string(&mut text)?;
        Ok(text)
    }

    /// Runs a closure on a thread that sees the host's mounts.
    pub(super) fn inside<T: Send>(&self, action: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let namespace = fs::File::open(format!("/proc/{}/ns/mnt", self.holder.id()))?;
        let enter = || {
            // SAFETY: the thread shares no more than before, and ends with the closure.
            unsafe { unshare_unsafe(UnshareFlags::FS) }?;
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))?;
            action()
        };
        thread::scope(|scope| scope.spawn(enter).join()).expect("the closure does not panic")
    }

    /// A process of this host that listens at an address, until it is dropped.
    pub(super) fn listen(&self, address: &str) -> Result<TcpListener> {
        let namespace = NetNs::open(Path::new(&format!("/proc/{}/ns/net", self.holder.id())))?;
        Ok(namespace.run(|| TcpListener::bind(address))??)
    }

    /// What is answered at an address of this host and a path; the whole of it.
    pub(super) fn ask(&self, at: &str, path: &str) -> std::io::Result<String> {
        let namespace = format!("/proc/{}/ns/net", self.holder.id());
        let namespace = NetNs::open(Path::new(&namespace)).map_err(std::io::Error::other)?;
        let connect = || TcpStream::connect(at);
        let mut stream = namespace.run(connect).map_err(std::io::Error::other)??;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Asks at the root until the answer is as it should be, and returns it.
    pub(super) fn wait_for_answer(
        &self,
        at: &str,
        is_right: impl Fn(&str) -> bool,
    ) -> Result<String> {
        let mut answer = String::new();
        self.wait_for(|| {
            answer = self.ask(at, "/").unwrap_or_else(|error| error.to_string());
            Ok(is_right(&answer))
        })
        .with_context(|| format!("{at} last answered {answer:?}"))?;
        Ok(answer)
    }

    /// Waits until it is so.
    pub(super) fn wait_for(&self, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
        let started = Instant::now();
        while !is_so()? {
            if started.elapsed() > PATIENCE {
                bail!("waited in vain\n{}", self.log()?);
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn places(&self, run_dir: &str) -> [String; 4] {
        let path = |name| self.path(name).display().to_string();
        ["--bpf-root".to_owned(), path("bpf/waggle"), "--run-dir".to_owned(), path(run_dir)]
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _gone_already = self.holder.kill();
        let _gone_already = self.holder.wait();
    }
}

impl Agent {
    /// Kills it with -9.
    pub(super) fn kill(mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// Asks it to end, and says whether it ended well.
    pub(super) fn stop(mut self) -> Result<bool> {
        kill_process(Pid::from_child(&self.0), Signal::TERM)?;
        Ok(self.0.wait()?.success())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _gone_already = self.0.wait();
    }
}

/// Directions and programs of a device's hooks, in a status.
pub(super) fn hooks_of(status: &Value, device: &str) -> Value {
    let hooks = status["hooks"].as_array().into_iter().flatten();
    let of_device = hooks.filter(|hook| hook["device"] == device && hook["present"] == true);
    of_device.map(|hook| json!([hook["direction"], hook["program"]])).collect()
}

/// A command in a cgroup that ends with the thread that starts it, however that ends.
fn bound(cgroup: &Cgroup, program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "sh", "-c", JOIN]).arg(cgroup.procs());
    command.arg(program).stdin(Stdio::null());
    command
}

/// Runs a command in the cgroup whose file of processes comes first.
const JOIN: &str = r#"echo 0 > "$0" && exec "$@""#;

fn waggle() -> Result<PathBuf> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target/waggle/waggle");
    if !built.exists() {
        bail!("{} is not there: run this suite by `cargo xtask test netns`", built.display());
    }
    Ok(built)
}
