//! Three nodes with an agent each, four pods with a server each, and the YAML that describes them.

use std::{
    fs,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener},
    },
    path::PathBuf,
};

use anyhow::{Context as _, Result};
use xtask::{
    cluster::{Agent, CNI_CONFIG, Endpoint, Manifests, Ports},
    topology::{Attachment, Lifetime, Network, Node, Pod, Process, Runtime},
};

use super::{Mode, PREFIX, asker::Asker, board::Server};
use crate::{
    interrupt::Interrupt,
    workspace::{self, Artifacts},
};

const SERVICES: &str = include_str!("../../../manifests/demo/services.yaml");

/// How many nodes share a link, and how many are elsewhere.
const fn nodes(mode: Mode) -> (u8, u8) {
    match mode {
        Mode::HostGw => (3, 0),
        Mode::Auto | Mode::Vxlan => (2, 1),
    }
}

/// Where every server listens.
pub(super) const PORT: u16 = 8080;

/// Pods that answer the Service `web`.
pub(super) const WEB: [&str; 3] = ["web-1", "web-2", "web-3"];

/// The pod that asks, and answers the Service `solo`.
pub(super) const CLIENT: &str = "client";

/// Folders below the target folder.
#[derive(Debug)]
pub(super) struct Folders {
    pub(super) manifests: PathBuf,
    pub(super) logs: PathBuf,
}

impl Folders {
    /// Makes them empty.
    pub(super) fn fresh() -> Result<Self> {
        let demo = workspace::target().join("demo");
        let made = Self { manifests: demo.join("manifests"), logs: demo.join("logs") };
        for folder in [&made.manifests, &made.logs] {
            if folder.exists() {
                fs::remove_dir_all(folder)
                    .with_context(|| format!("emptying {}", folder.display()))?;
            }
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        Ok(made)
    }
}

/// Held while a demo runs: two would sweep each other away.
pub(super) fn lock() -> Result<UnixListener> {
    let name = SocketAddr::from_abstract_name(PREFIX)?;
    UnixListener::bind_addr(&name).context("another demo is running on this machine: wait for it")
}

/// The nodes, without anything on them.
pub(super) fn network(folders: &Folders, lifetime: Lifetime, mode: Mode) -> Result<Network> {
    let tool = std::env::current_exe().context("finding this program")?;
    let (near, beyond) = nodes(mode);
    let made = Network::start(PREFIX, near, &tool, &folders.logs, lifetime);
    let mut made = made.context("making nodes")?;
    for _ in 0..beyond {
        made.add_beyond().context("making a node beyond the router")?;
    }
    Ok(made)
}

/// The stage.
pub(super) struct Stage<'a> {
    network: &'a Network,
    artifacts: &'a Artifacts,
    interrupt: &'a Interrupt,
    manifests: Manifests,
    agents: Vec<Agent<'a>>,
    actors: Vec<Actor<'a>>,
}

/// A pod with its server.
#[derive(Debug)]
struct Actor<'a> {
    pod: Pod<'a>,
    addresses: Attachment,
    #[expect(dead_code, reason = "ends with the pod")]
    server: Process,
}

impl<'a> Stage<'a> {
    /// Starts the agents, wires the pods and writes the YAML.
    pub(super) fn set(
        network: &'a Network,
        folders: &Folders,
        artifacts: &'a Artifacts,
        interrupt: &'a Interrupt,
        mode: Mode,
    ) -> Result<Self> {
        let manifests = Manifests::create(&folders.manifests, SERVICES)?;
        manifests.set_nodes(network.nodes())?;
        let config = folders.logs.join("config.yaml");
        fs::write(&config, format!("mode: {}\n", mode.name()))?;
        let (agents, actors) = (Vec::new(), Vec::new());
        let mut stage = Self { network, artifacts, interrupt, manifests, agents, actors };
        for node in network.nodes() {
            interrupt.check()?;
            let folder = stage.manifests.folder();
            stage.agents.push(Agent::launch(node, &artifacts.waggle, folder, Some(&config))?);
        }
        stage.agents.iter_mut().try_for_each(Agent::wait_ready)?;
        for (node, name) in [
            (network.a(), CLIENT),
            (network.a(), WEB[0]),
            (network.b(), WEB[1]),
            (network.c(), WEB[2]),
        ] {
            interrupt.check()?;
            stage.enter(node, name).with_context(|| stage.log_tails())?;
        }
        for service in ["web", "public", "local", "sticky"] {
            stage.set_endpoints(service, &WEB)?;
        }
        stage.set_endpoints("solo", &[CLIENT])?;
        Ok(stage)
    }

    /// Who is on the stage.
    pub(super) fn cast(&self) -> String {
        let cast: Vec<String> = self
            .actors
            .iter()
            .map(|Actor { pod, addresses: Attachment { v4, v6 }, .. }| {
                format!("{} on {} is {v4} and {v6}", pod.name(), pod.node().name())
            })
            .collect();
        cast.join(", ")
    }

    /// All pods, each with its node.
    pub(super) fn servers(&self) -> Vec<Server> {
        let server = |Actor { pod, .. }: &Actor<'_>| Server {
            pod: pod.name().to_owned(),
            node: pod.node().name().to_owned(),
        };
        self.actors.iter().map(server).collect()
    }

    /// Every pod with its node and addresses.
    pub(super) fn pods(&self) -> impl Iterator<Item = (&Pod<'a>, Attachment)> {
        self.actors.iter().map(|Actor { pod, addresses, .. }| (pod, *addresses))
    }

    /// The pod that asks.
    pub(super) fn client(&self) -> Result<Asker<'a>> {
        Ok(Asker::Within(self.actor(CLIENT)?.pod.netns().clone()))
    }

    /// Who is neither pod nor node.
    pub(super) fn outside(&self) -> Result<Asker<'a>> {
        Ok(Asker::Within(self.network.outside()?.clone()))
    }

    /// A process of the client's node.
    pub(super) fn host_process(&self) -> Asker<'a> {
        Asker::Process(self.network.a().as_pod())
    }

    pub(super) fn nodes(&self) -> &'a [Node] {
        self.network.nodes()
    }

    pub(super) fn interrupt(&self) -> &'a Interrupt {
        self.interrupt
    }

    /// Edits the YAML: these pods answer that Service.
    pub(super) fn set_endpoints(&self, service: &str, pods: &[&str]) -> Result<()> {
        let endpoints: Vec<Endpoint<'_>> = pods
            .iter()
            .map(|name| {
                let Actor { pod, addresses, .. } = self.actor(name)?;
                let Attachment { v4, v6 } = *addresses;
                Ok(Endpoint { pod: pod.name(), node: pod.node().name(), v4, v6 })
            })
            .collect::<Result<_>>()?;
        self.manifests.set_endpoints(service, Ports { http: PORT, echo: PORT }, &endpoints)
    }

    /// Kills the agent of the client's node with -9.
    pub(super) fn kill_agent(&mut self) -> Result<()> {
        self.agents.first_mut().context("no agent is on the stage")?.kill()
    }

    /// Starts it again.
    pub(super) fn restart_agent(&mut self) -> Result<()> {
        self.agents.first_mut().context("no agent is on the stage")?.restart()
    }

    /// The ends of the agents' logs.
    pub(super) fn log_tails(&self) -> String {
        let tails: Vec<String> = self.agents.iter().map(Agent::log_tail).collect();
        tails.join("\n")
    }

    /// What to type to see for oneself.
    pub(super) fn how_to_look_around(&self) -> String {
        let waggle = self.artifacts.waggle.display();
        let [a, b, c] = [self.network.a(), self.network.b(), self.network.c()].map(Node::pid);
        format!(
            "\nThe nodes stay. To look around:\n  \
             nsenter --target {a} --all            a shell on node-a (node-b: {b}, node-c: {c})\n  \
             nsenter --target {a} --all {waggle} status\n  \
             nsenter --target {a} --all {waggle} service list\n  \
             nsenter --target {a} --all ip netns exec {CLIENT} curl http://10.96.0.80/\n  \
             {}            YAML that all agents follow: edit it\n\
             To remove all: cargo xtask demo --clean",
            self.manifests.folder().display()
        )
    }

    fn actor(&self, name: &str) -> Result<&Actor<'a>> {
        let found = self.actors.iter().find(|actor| actor.pod.name() == name);
        found.with_context(|| format!("no pod {name} is on the stage"))
    }

    /// Brings a pod onto the stage.
    fn enter(&mut self, node: &'a Node, name: &str) -> Result<()> {
        let pod = node.make_pod(name)?;
        let addresses = Runtime::new(&self.artifacts.waggle_cni, CNI_CONFIG).add(&pod)?;
        let server = pod.serve(PORT)?;
        self.actors.push(Actor { pod, addresses, server });
        Ok(())
    }
}
