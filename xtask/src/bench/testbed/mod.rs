//! A client pod and a backend pod, of one node or of two, and one way between them.

mod device;
mod flows;
mod pods;
mod remote;
mod routed;
mod waggle;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use xtask::{
    cluster::{Agent, PATIENCE},
    topology::{Netns, Network, Node, Process},
};

use self::{device::Devices, pods::Pods};
pub(super) use self::{pods::arguments as pod_arguments, waggle::write_objects};
use super::{
    catalog::{BACKEND_PORT, ESTABLISHED},
    frame::Frame,
    generator::Sink,
    transactions,
    variant::Variant,
};
use crate::workspace::Artifacts;

/// How many Services there are.
pub(super) const SERVICES: usize = 1000;

/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_millis(200);

/// Where a testbed keeps its files.
#[derive(Clone, Debug)]
pub(super) struct Folder(pub(super) PathBuf);

/// A running testbed.
pub(super) struct Testbed<'a> {
    pub(super) variant: Variant,
    /// The client's.
    node: &'a Node,
    pods: Pods,
    devices: Devices,
    agents: Vec<Agent<'a>>,
    #[expect(dead_code, reason = "ends with the testbed")]
    server: Process,
}

impl<'a> Testbed<'a> {
    /// Wires two pods to the network's nodes and makes the way between them.
    pub(super) fn set(
        variant: Variant,
        network: &'a Network,
        artifacts: &Artifacts,
        folder: &Folder,
        cpu: usize,
    ) -> Result<Self> {
        let (node, nodes) = (network.a(), network.nodes());
        let (pods, agents) = match variant {
            Variant::Plain => (routed::plain(node)?, Vec::new()),
            Variant::Nft => (routed::nft(node, &folder.0)?, Vec::new()),
            Variant::Routes => (remote::routes(nodes)?, Vec::new()),
            Variant::Tunnel => (remote::tunnel(nodes)?, Vec::new()),
            Variant::Bypass | Variant::Stack | Variant::HostGw | Variant::Vxlan => {
                waggle::start(variant, nodes, artifacts, &folder.0)?
            }
        };
        let devices = Devices::find(node, &pods)?;
        for pod in [&pods.client, &pods.backend] {
            // A run has more connections than the client has ports: none may be kept for a minute.
            pod.set_sysctl("ipv4/tcp_max_tw_buckets", "0")?;
        }
        let far = nodes.last().unwrap_or(node);
        let server = transactions::start_server(far, pods::BACKEND, cpu)?;
        Ok(Self { variant, node, pods, devices, agents, server })
    }

    /// Waits until all Services are there.
    pub(super) fn wait(&self, artifacts: &Artifacts) -> Result<()> {
        if let Some(agent) = self.agents.first() {
            waggle::wait(self.node, artifacts, agent)?;
        }
        self.wait_until_answered()
    }

    /// Where the client is.
    pub(super) fn client(&self) -> &Netns {
        &self.pods.client
    }

    /// The client's own device.
    pub(super) fn client_device(&self) -> u32 {
        self.devices.client
    }

    /// The frame of a flow from the client's port to an address, as the client's stack would write
    /// it.
    pub(super) fn frame(&self, port: u16, to: SocketAddrV4) -> Frame {
        Frame {
            from: SocketAddrV4::new(self.pods.client_address, port),
            to,
            from_mac: self.devices.client_mac,
            to_mac: self.devices.gateway_mac,
        }
    }

    /// What the client asks to be answered as by a Service: without one, or without a proxy, the
    /// backend itself.
    pub(super) fn target(&self, service: Option<SocketAddrV4>) -> SocketAddrV4 {
        let backend = SocketAddrV4::new(self.pods.backend_address, BACKEND_PORT);
        service.filter(|_| self.variant.has_services()).unwrap_or(backend)
    }

    /// Sends a datagram by real sockets and takes the answer, so that the flow is a replied one.
    pub(super) fn prime(&self, port: u16, to: SocketAddrV4) -> Result<()> {
        let from = (self.pods.client_address, port);
        let name = self.variant.name();
        self.client().run(|| exchange(from, to))?.with_context(|| format!("{name}: asking {to}"))
    }

    /// Takes what a generator sends, at the backend's own device.
    pub(super) fn sink(&self) -> Result<Sink> {
        self.pods.backend.run(|| Sink::attach(self.devices.backend))?
    }

    /// Lets the node receive the client's frames as a device's driver does, or as a pod's link
    /// usually does.
    pub(super) fn set_driver(&self, on: bool) -> Result<()> {
        self.node.netns().run(|| device::set_gro(&self.devices.host, on))?
    }

    /// Entries in the table of flows.
    pub(super) fn flows(&self, artifacts: &Artifacts) -> Result<u64> {
        flows::count(self.variant, self.node, artifacts)
    }

    /// Empties the table of flows.
    pub(super) fn forget_flows(&self) -> Result<()> {
        flows::forget(self.variant, self.node)
    }

    /// A command in the client pod, in the node's own cgroup.
    pub(super) fn command(&self, program: &Path) -> Result<Command> {
        pods::command(self.node, pods::CLIENT, program)
    }

    fn wait_until_answered(&self) -> Result<()> {
        let start = Instant::now();
        let to = self.target(Some(ESTABLISHED.frontend()));
        while let Err(error) = self.prime(PRIMING_PORT, to) {
            if start.elapsed() > PATIENCE {
                bail!("{error:#}, for {PATIENCE:?}");
            }
        }
        Ok(())
    }
}

/// The port of the flow that tells whether there is a way.
const PRIMING_PORT: u16 = 9999;

fn exchange(from: (Ipv4Addr, u16), to: SocketAddrV4) -> std::io::Result<()> {
    let socket = UdpSocket::bind(from)?;
    socket.connect(SocketAddr::from(to))?;
    socket.set_read_timeout(Some(ANSWER))?;
    socket.send(b"who?")?;
    socket.recv(&mut [0; 64]).map(drop)
}

impl Folder {
    /// An empty one.
    pub(super) fn fresh(path: PathBuf) -> Result<Self> {
        if path.exists() {
            fs::remove_dir_all(&path).with_context(|| format!("emptying {}", path.display()))?;
        }
        fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self(path))
    }
}
