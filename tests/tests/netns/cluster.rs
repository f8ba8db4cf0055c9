//! Two nodes with agents, three pods and every Service of the suite.

use std::{
    fs, io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener},
    },
    path::{Path, PathBuf},
    sync::{
        OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;
use xtask::{
    cluster::{Agent, CNI_CONFIG, Endpoint, Manifests, PATIENCE, Ports},
    topology::{Attachment, Lifetime, Netns, Network, Node, Pod, Process, Runtime, sweep},
    workload::{Answer, ask},
};

use super::services::{self, PORT, Service, Way};

/// Begins the name of everything the suite makes on the machine.
const PREFIX: &str = "waggle-test";

/// Longest wait for one answer.
pub(super) const ANSWER: Duration = Duration::from_secs(2);

/// How packets are delivered and programs attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mode {
    pub(super) delivery: &'static str,
    pub(super) attach: &'static str,
}

impl Mode {
    /// What of a configuration says so.
    fn lines(self) -> String {
        let Self { delivery, attach } = self;
        format!("delivery: {delivery}\nattach: {attach}\n")
    }
}

/// Both ways of delivery.
pub(super) const DELIVERIES: [Mode; 2] =
    [Mode { delivery: "bypass", attach: "auto" }, Mode { delivery: "stack", attach: "auto" }];

/// Both by both.
pub(super) const MODES: [Mode; 4] = [
    Mode { delivery: "bypass", attach: "auto" },
    Mode { delivery: "bypass", attach: "clsact" },
    Mode { delivery: "stack", attach: "auto" },
    Mode { delivery: "stack", attach: "clsact" },
];

/// Whether the machine is one test's alone; several may make networks at one time.
static MACHINE: RwLock<()> = RwLock::new(());

/// Nobody else's is the machine while this lives.
pub(super) type Alone = RwLockWriteGuard<'static, ()>;

/// The suite's share of one test: bare nodes and a folder.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) network: Network,
    pub(super) folder: PathBuf,
    #[expect(dead_code, reason = "its drop, after the network's, is what others wait for")]
    beside: RwLockReadGuard<'static, ()>,
}

impl Ground {
    /// Makes two nodes; `name` is for the folder of logs, which stays.
    pub(super) fn new(name: &str) -> Result<Self> {
        Self::with_nodes(name, 2, 0)
    }

    /// Makes nodes that share a link, and some that are beyond the router.
    pub(super) fn with_nodes(name: &str, near: u8, beyond: u8) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let beside = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
        only()?;
        let prefix = format!("{PREFIX}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let mut network = Network::start(&prefix, near, &tool()?, &folder, Lifetime::Caller)?;
        for _ in 0..beyond {
            network.add_beyond()?;
        }
        Ok(Self { network, folder, beside })
    }
}

/// Waits until no other test has anything on the machine, and keeps it so.
pub(super) fn alone() -> Result<Alone> {
    let alone = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
    only().map(|()| alone)
}

/// One run of the suite at a time, and nothing left from one that was killed.
fn only() -> Result<()> {
    static LOCK: OnceLock<Result<UnixListener>> = OnceLock::new();
    let lock = LOCK.get_or_init(|| {
        let lock = wait_for_lock()?;
        sweep(PREFIX).map(|_| lock)
    });
    lock.as_ref().map(drop).map_err(|failure| anyhow!("{failure:#}"))
}

fn wait_for_lock() -> Result<UnixListener> {
    let name = SocketAddr::from_abstract_name(PREFIX)?;
    loop {
        match UnixListener::bind_addr(&name) {
            Err(busy) if busy.kind() == io::ErrorKind::AddrInUse => {
                thread::sleep(Duration::from_millis(100));
            }
            taken => return taken.context("taking the lock of the suite"),
        }
    }
}

/// The binary whose hidden verbs run inside; `cargo xtask test` has built it to be what it is.
pub(super) fn tool() -> Result<PathBuf> {
    built("debug/xtask")
}

/// The agent.
pub(super) fn waggle() -> Result<PathBuf> {
    built("waggle/waggle")
}

/// The CNI plugin.
pub(super) fn plugin() -> Result<PathBuf> {
    built("waggle/waggle-cni")
}

/// Something in the target folder.
fn built(path: &str) -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target").join(path);
    if !path.exists() {
        bail!("{} is not there: run this suite by `cargo xtask test netns`", path.display());
    }
    Ok(path)
}

/// The cluster on its ground.
pub(super) struct Cluster<'a> {
    network: &'a Network,
    pub(super) agents: Vec<Agent<'a>>,
    manifests: Manifests,
    runtime: Runtime,
    members: Vec<Member<'a>>,
    config: PathBuf,
    mode: Mode,
}

/// Somebody who asks and answers.
struct Member<'a> {
    pod: Pod<'a>,
    addresses: Attachment,
    #[expect(dead_code, reason = "its drop ends the server")]
    server: Process,
}

impl<'a> Cluster<'a> {
    /// Starts agents in a mode, wires pods, writes YAML, and waits until the Services answer.
    pub(super) fn start(ground: &'a Ground, mode: Mode) -> Result<Self> {
        let Ground { network, folder, .. } = ground;
        let manifests = folder.join("manifests");
        fs::create_dir(&manifests)?;
        let config = folder.join("config.yaml");
        fs::write(&config, mode.lines())?;
        let mut cluster = Self {
            network,
            agents: Vec::new(),
            manifests: Manifests::create(&manifests, &services::yaml())?,
            runtime: Runtime::new(&plugin()?, CNI_CONFIG),
            members: Vec::new(),
            config,
            mode,
        };
        let waggle = waggle()?;
        for node in network.nodes() {
            cluster.agents.push(Agent::launch(node, &waggle, &manifests, Some(&cluster.config))?);
            cluster.add_node(node)?;
        }
        cluster.agents.iter_mut().try_for_each(Agent::wait_ready)?;
        for (node, name) in [(network.a(), "client"), (network.a(), "near"), (network.b(), "far")] {
            cluster.add_pod(node, name).with_context(|| cluster.logs())?;
        }
        for service in services::all() {
            cluster.set_endpoints(service, service.endpoints)?;
        }
        cluster.settle().with_context(|| cluster.logs())?;
        Ok(cluster)
    }

    /// Starts the agents again with more in their configuration than the mode.
    pub(super) fn configure(&mut self, lines: &str) -> Result<()> {
        fs::write(&self.config, self.mode.lines() + lines)?;
        self.agents.iter_mut().try_for_each(Agent::restart)
    }

    /// Wires a pod and starts its server.
    pub(super) fn add_pod(&mut self, node: &'a Node, name: &str) -> Result<()> {
        let pod = node.make_pod(name)?;
        let addresses = self.runtime.add(&pod)?;
        self.adopt(pod, addresses)
    }

    /// Takes a pod away as a runtime does: its link goes before its server can close anything.
    pub(super) fn remove(&mut self, name: &str) -> Result<()> {
        self.runtime.del(self.pod(name)?)?;
        self.members.retain(|member| member.pod.name() != name);
        Ok(())
    }

    /// Starts the server of a pod that somebody else has wired.
    pub(super) fn adopt(&mut self, pod: Pod<'a>, addresses: Attachment) -> Result<()> {
        let server = pod.serve(PORT)?;
        self.members.push(Member { pod, addresses, server });
        Ok(())
    }

    fn add_node(&mut self, node: &'a Node) -> Result<()> {
        let pod = node.as_pod();
        let (v4, v6) = (node.addresses().v4, node.addresses().v6);
        let server = pod.serve(PORT)?;
        self.members.push(Member { pod, addresses: Attachment { v4, v6 }, server });
        Ok(())
    }

    /// Edits the YAML: these pods and nodes answer for that Service.
    pub(super) fn set_endpoints(&self, service: Service, names: &[&str]) -> Result<()> {
        let endpoints: Vec<Endpoint<'_>> = names
            .iter()
            .map(|name| {
                let Member { pod, addresses: Attachment { v4, v6 }, .. } = self.member(name)?;
                Ok(Endpoint { pod: pod.name(), node: pod.node().name(), v4: *v4, v6: *v6 })
            })
            .collect::<Result<_>>()?;
        let ports = Ports { http: service.port, echo: service.port };
        self.manifests.set_endpoints(service.name, ports, &endpoints)
    }

    /// Adds a file of objects.
    pub(super) fn add_objects(&self, file: &str, yaml: &str) -> Result<()> {
        Ok(fs::write(self.manifests.folder().join(file), yaml)?)
    }

    /// The folder of all objects.
    pub(super) fn manifests(&self) -> &Path {
        self.manifests.folder()
    }

    /// The network namespace of a pod or node.
    pub(super) fn netns(&self, name: &str) -> Result<&Netns> {
        Ok(self.member(name)?.pod.netns())
    }

    /// A pod or node, to ask from by processes of its own.
    pub(super) fn pod(&self, name: &str) -> Result<&Pod<'a>> {
        Ok(&self.member(name)?.pod)
    }

    /// The addresses of a pod or node.
    pub(super) fn addresses(&self, name: &str) -> Result<Attachment> {
        Ok(self.member(name)?.addresses)
    }

    /// The node of a pod, or the node itself.
    pub(super) fn node_of(&self, name: &str) -> Result<&'a Node> {
        Ok(self.member(name)?.pod.node())
    }

    /// The network namespace of a pod's node.
    pub(super) fn netns_of_node(&self, pod: &str) -> Result<&'a Netns> {
        Ok(self.node_of(pod)?.netns())
    }

    /// The host side of a pod's link, by a name that `ip` and `tc` take.
    pub(super) fn host_side(&self, pod: &str) -> Result<String> {
        let output =
            self.netns(pod)?.command("ip").args(["-oneline", "link", "show", "eth0"]).output()?;
        let text = String::from_utf8(output.stdout)?;
        let (_, rest) = text.split_once("eth0@").with_context(|| text.clone())?;
        let (name, _) = rest.split_once(':').with_context(|| text.clone())?;
        Ok(name.to_owned())
    }

    /// Where the client outside is.
    pub(super) fn outside(&self) -> Result<&'a Netns> {
        self.network.outside()
    }

    /// What `waggle status` says of a node.
    pub(super) fn status(&self, node: &str) -> Result<Value> {
        let mut command = self.node_of(node)?.command(waggle()?)?;
        let output = command.args(["status", "--output", "json"]).output()?;
        serde_json::from_slice(&output.stdout).with_context(|| format!("{output:?}"))
    }

    /// The client asks once.
    pub(super) fn ask(&self, way: Way) -> Result<io::Result<Answer>> {
        self.netns("client")?.run(|| ask(way.protocol, way.address, ANSWER))
    }

    /// The ends of both agents' logs.
    pub(super) fn logs(&self) -> String {
        self.agents.iter().map(Agent::log_tail).collect::<Vec<_>>().join("\n")
    }

    fn member(&self, name: &str) -> Result<&Member<'a>> {
        let found = self.members.iter().find(|member| member.pod.name() == name);
        found.with_context(|| format!("{name} is no member of the cluster"))
    }

    /// Waits until every Service that somebody answers for is answered for on both nodes. That one
    /// is tells nothing of the others: an agent takes them one by one.
    fn settle(&self) -> Result<()> {
        let all = services::all();
        let answered = || all.iter().filter(|service| service.is_answered());
        for asker in ["client", "far"] {
            let netns = self.netns(asker)?;
            for (service, way) in answered().flat_map(|one| one.ways().map(|way| (one, way))) {
                wait_until(|| Ok(netns.run(|| ask(way.protocol, way.address, ANSWER))?.is_ok()))
                    .with_context(|| format!("{asker} asks {way:?} of {}", service.name))?;
            }
        }
        Ok(())
    }
}

/// Waits for something that an agent does in its own time.
pub(super) fn wait_until(mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !done()? {
        if start.elapsed() > PATIENCE {
            bail!("nothing changed for {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
