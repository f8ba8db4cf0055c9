//! A node: namespaces, addresses, a BPF file system with the programs, and the agent's file.

use std::{
    fs,
    future::Future,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use aya::{
    EbpfLoader,
    maps::{HashMap, Map, MapData},
    programs::SchedClassifier,
};
use dataplane_common::abi::{self, names};
use hostnet::{
    Mac, NetNs, Netlink, Pins,
    addr::{self, Address, Scope},
    hook,
    link::{self, Link, VethPair},
    sysctl,
};
use rustix::{
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    thread::UnshareFlags,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    inside::Inside,
    plugin::{Call, Said, target},
};

pub(super) const MTU: u32 = 1400;
const PORT: u16 = 8080;
const NODE_IPS: [&str; 2] = ["192.0.2.1", "fd00::1"];
const PATIENCE: Duration = Duration::from_secs(5);

/// The node.
#[derive(Debug)]
pub(super) struct Host {
    inside: Inside,
    folder: TempDir,
}

/// A pod's network namespace, and what it is called.
#[derive(Debug)]
pub(super) struct Pod {
    pub(super) inside: Inside,
    pub(super) container: String,
}

/// Everything of ours that the kernel has on a node.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Traces {
    pub(super) links: usize,
    pub(super) routes: usize,
    pub(super) hooks: usize,
    pub(super) filters: usize,
    pub(super) pods: usize,
}

impl Host {
    /// A node whose agent has done its work.
    pub(super) fn ready(cidrs: &[&str]) -> Result<Self> {
        let host = Self::bare()?;
        host.write_node_file(cidrs, "auto")?;
        host.load()?;
        Ok(host)
    }

    /// A node without an agent.
    pub(super) fn bare() -> Result<Self> {
        let folder = TempDir::new()?;
        let inside = Inside::new(UnshareFlags::NEWNET | UnshareFlags::NEWNS)?;
        let bpf = folder.path().join("bpf");
        fs::create_dir(&bpf)?;
        inside.run(move || {
            let flags = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
            mount_change("/", flags)?;
            mount("bpf", &bpf, "bpf", MountFlags::empty(), None).context("mounting bpffs")?;
            sysctl::ensure("net/ipv4/ip_forward", "1")?;
            sysctl::ensure("net/ipv6/conf/all/forwarding", "1")?;
            block_on(set_addresses())
        })??;
        Ok(Self { inside, folder })
    }

    /// Writes what the agent tells the plugin.
    pub(super) fn write_node_file(&self, cidrs: &[&str], attach: &str) -> Result<()> {
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        let file = json!({
            "bootId": boot_id.trim(),
            "podCIDRs": cidrs,
            "mtu": MTU,
            "nodeIPs": NODE_IPS,
            "attach": attach,
        });
        fs::create_dir_all(self.run_dir())?;
        Ok(fs::write(self.run_dir().join("node.json"), file.to_string())?)
    }

    /// Loads and pins the programs.
    pub(super) fn load(&self) -> Result<()> {
        let pins = self.pins();
        self.inside.run(move || load(&pins))?
    }

    /// Runs something on the node.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.inside.run(work)?
    }

    /// Has `ip` of iproute2 do something on the node.
    pub(super) fn ip(&self, line: &str) -> Result<()> {
        self.inside.ip(line)
    }

    /// The network's configuration.
    pub(super) fn config(&self, version: &str) -> Value {
        json!({
            "cniVersion": version,
            "name": "waggle",
            "type": "waggle-cni",
            "runDir": self.run_dir(),
            "bpfRoot": self.bpf_root(),
        })
    }

    /// A request about a pod.
    pub(super) fn call(&self, verb: &str, pod: &Pod) -> Call {
        Call::bare(verb)
            .with("CNI_CONTAINERID", pod.container.as_str())
            .with("CNI_NETNS", pod.inside.netns().display().to_string())
            .with("CNI_IFNAME", "eth0")
            .input(&self.config("1.0.0"))
    }

    /// Makes a request as the node's runtime.
    pub(super) fn make(&self, call: Call) -> Result<Said> {
        self.run(|| call.make())
    }

    /// Connects a pod and returns the result.
    pub(super) fn add(&self, pod: &Pod) -> Result<Value> {
        self.make(self.call("ADD", pod))?.result()
    }

    /// Disconnects a pod.
    pub(super) fn del(&self, pod: &Pod) -> Result<Said> {
        self.make(self.call("DEL", pod))
    }

    /// The links of the node.
    pub(super) fn links(&self) -> Result<Vec<Link>> {
        self.run(|| block_on(async { Ok(link::list(&Netlink::here()?).await?) }))
    }

    /// Makes a link to a pod without the plugin.
    pub(super) fn make_pair(
        &self,
        pod: &Pod,
        [host_mac, pod_mac]: [Mac; 2],
        host_name: &str,
        alias: &'static str,
    ) -> Result<()> {
        let (netns, host_name) = (pod.inside.netns(), host_name.to_owned());
        self.run(move || {
            let namespace = &NetNs::open(&netns)?;
            let (host_name, pod_name, mtu) = (host_name.as_str(), "eth0", MTU);
            let pair = VethPair { host_name, host_mac, alias, pod_name, pod_mac, namespace, mtu };
            block_on(async { Ok(pair.create(&Netlink::here()?).await.map(drop)?) })
        })
    }

    /// Waits until the kernel has taken down the links of pods that are gone.
    pub(super) fn wait_for_links(&self, expected: usize) -> Result<()> {
        let start = Instant::now();
        while self.traces()?.links != expected {
            ensure!(start.elapsed() < PATIENCE, "links of dead pods are still there");
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Everything of ours that the kernel has.
    pub(super) fn traces(&self) -> Result<Traces> {
        let pins = self.pins();
        self.run(move || {
            let (links, routes, filters) = block_on(async {
                let netlink = Netlink::here()?;
                let links = link::list(&netlink).await?;
                let mut filters = Vec::new();
                for link in &links {
                    filters.extend(hook::filters(&netlink, link).await?);
                }
                Ok((links, hostnet::route::list(&netlink).await?, filters))
            })?;
            let data = MapData::from_pin(pins.map(names::PODS))?;
            let pods = HashMap::<_, abi::Addr, abi::Pod>::try_from(Map::HashMap(data))?;
            Ok(Traces {
                links: links.iter().filter(|link| link.name.starts_with("wag")).count(),
                routes: routes.len(),
                hooks: hook::pinned(&pins)?.len(),
                filters: filters.len(),
                pods: pods.keys().count(),
            })
        })
    }

    /// Whether a pod answers at an address, asked from the node.
    pub(super) fn reaches(&self, pod: &Pod, ip: IpAddr) -> Result<()> {
        let listener = pod.listen(ip)?;
        let asked = self.run(move || connect(ip));
        drop(listener);
        asked
    }

    pub(super) fn run_dir(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// The file of the leases.
    pub(super) fn table(&self) -> PathBuf {
        self.run_dir().join("ipam/waggle.table")
    }

    /// How many leases and resting addresses there are.
    pub(super) fn leases(&self) -> Result<(usize, usize)> {
        let text = fs::read_to_string(self.table()).unwrap_or_default();
        let count = |word: &str| text.lines().filter(|line| line.starts_with(word)).count();
        Ok((count("lease\t"), count("cooling\t")))
    }

    fn bpf_root(&self) -> PathBuf {
        self.folder.path().join("bpf")
    }

    pub(super) fn pins(&self) -> Pins {
        Pins::new(&self.bpf_root())
    }
}

impl Pod {
    /// A pod that is not connected.
    pub(super) fn new(container: &str) -> Result<Self> {
        Ok(Self { inside: Inside::new(UnshareFlags::NEWNET)?, container: container.to_owned() })
    }

    /// Listens in the pod; the kernel's backlog is enough of a server.
    pub(super) fn listen(&self, ip: IpAddr) -> Result<TcpListener> {
        let listener = self.inside.run(move || TcpListener::bind(SocketAddr::new(ip, PORT)))?;
        listener.with_context(|| format!("listening on {ip} in the pod"))
    }

    /// Connects to somebody who listens.
    pub(super) fn connect(&self, ip: IpAddr) -> Result<()> {
        self.inside.run(move || connect(ip))?
    }
}

/// The addresses in a result.
pub(super) fn ips(result: &Value) -> Vec<IpAddr> {
    let all = result["ips"].as_array().into_iter().flatten();
    all.filter_map(|ip| ip["address"].as_str()?.split('/').next()?.parse().ok()).collect()
}

pub(super) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(work)
}

async fn set_addresses() -> Result<()> {
    let netlink = Netlink::here()?;
    let lo = link::require(&netlink, "lo").await?.index;
    link::set_up(&netlink, lo).await?;
    for ip in NODE_IPS {
        let network = ip.parse::<IpAddr>()?.into();
        addr::ensure(&netlink, Address { link: lo, network, scope: Scope::Global }).await?;
    }
    Ok(())
}

fn load(pins: &Pins) -> Result<()> {
    let path = target().join("ebpf/waggle.o");
    let mut object = EbpfLoader::new().load_file(&path).with_context(|| shown(&path))?;
    pins.create()?;
    for name in names::MAPS {
        let map = object.map_mut(name).with_context(|| format!("no map {name}"))?;
        map.pin(pins.map(name))?;
    }
    for name in names::PROGRAMS {
        let program = object.program_mut(name).with_context(|| format!("no program {name}"))?;
        let program: &mut SchedClassifier = program.try_into()?;
        program.load()?;
        program.pin(pins.program(name))?;
    }
    Ok(())
}

fn shown(path: &Path) -> String {
    format!("loading {}; run this suite by `cargo xtask test netns`", path.display())
}

fn connect(ip: IpAddr) -> Result<()> {
    let to = SocketAddr::new(ip, PORT);
    TcpStream::connect_timeout(&to, PATIENCE).map(drop).with_context(|| format!("connecting {to}"))
}
