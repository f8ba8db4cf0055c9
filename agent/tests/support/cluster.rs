//! A node with devices and clients around it, without a kernel: objects in, whom the first packets
//! of clients reach out. Addresses are those of kube-proxy's own tests.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use dataplane_common::abi::{self, Addr, FlowKey, LinkFlags, Node as NodeEntry, Port, Proto};
use dataplane_common::packet::{TcpFlags, Transport};
use hostnet::addr::{Address, Scope};
use hostnet::link::{Layer, Link};
use ipnetwork::IpNetwork;
use waggle_agent::config::{DetectLocal, NodePortAddress};
use waggle_agent::detection::Detection;
use waggle_agent::devices::Devices;
use waggle_agent::model::NodeSpec;
use waggle_agent::networks::{PodNetworks, kinds};
use waggle_agent::node_port_addresses::served;

use super::node::Node;
use super::packets::{BRIDGE, Met, Scene, UPLINK, Way};
use super::watched::WatchedMaps;

/// Where pods are, as `clusterCIDR` says it.
pub(crate) const PODS: [&str; 2] = ["10.0.0.0/8", "fd00:10::/64"];

const NODES: &str = "
apiVersion: v1
kind: Node
metadata: {name: node-a}
spec: {podCIDRs: [10.180.0.0/24, 'fd00:10::/112']}
status: {addresses: [{type: InternalIP, address: 192.168.0.2}, {type: InternalIP, address: '2001:db8::1'}]}
";

/// What the node's devices hold: its primary and its secondary addresses.
const OWN: [&str; 4] = ["192.168.0.2", "192.168.1.2", "2001:db8::1", "2001:db8:1::2"];

/// How many flows are begun to know all endpoints of a set, which has few.
const FLOWS: u32 = 64;

/// The node, its tables and its settings.
pub(crate) struct Cluster {
    pub(crate) node: Node,
    devices: Devices,
    detection: Detection,
    node_ports: Vec<NodePortAddress>,
    /// Source ports that clients had.
    sports: Cell<u16>,
}

impl Cluster {
    /// With what is set of senders and NodePorts.
    pub(crate) fn with(detection: Detection, node_ports: &[&str]) -> Self {
        let node_ports = node_ports.iter().map(|entry| entry.parse().unwrap()).collect();
        let node = Node::new(WatchedMaps::default());
        let (devices, sports) = (devices(&OWN), Cell::new(1024));
        let mut cluster = Self { node, devices, detection, node_ports, sports };
        cluster.write("nodes", NODES);
        cluster
    }

    /// The same node as it knows its pods itself, and as `clusterCIDR` tells them.
    pub(crate) fn both() -> [Self; 2] {
        let cidrs = PODS.map(|cidr| cidr.parse().unwrap()).to_vec();
        [DetectLocal::OwnPods, DetectLocal::ClusterCidrs(cidrs)]
            .map(|by| Self::with(Detection { by, ..Detection::default() }, &["primary"]))
    }

    /// Both, with objects under their names.
    pub(crate) fn both_with(files: &[(&str, &str)]) -> [Self; 2] {
        Self::both().map(|mut cluster| {
            files.iter().for_each(|(name, objects)| cluster.write(name, objects));
            cluster
        })
    }

    /// Takes in objects, in place of those that came under the same name.
    pub(crate) fn write(&mut self, name: &str, objects: &str) {
        self.node.write(&format!("{name}.yaml"), objects);
        assert_eq!(self.node.problems(), "", "{name}");
        self.refresh();
    }

    /// Objects go.
    pub(crate) fn remove(&mut self, name: &str) {
        self.node.remove(&format!("{name}.yaml"));
        self.refresh();
    }

    /// The node's devices come to hold one more address.
    pub(crate) fn hold(&mut self, ip: &str) {
        self.devices.addresses.push(address(ip));
        self.refresh();
    }

    /// What follows from objects and devices for the tables of the network.
    fn refresh(&mut self) {
        let engine = &self.node.engine;
        let nodes: BTreeMap<String, NodeSpec> =
            engine.nodes().map(|node| (node.name.clone(), node.clone())).collect();
        let (own, services) = (engine.own_node(), engine.service_networks());
        let addresses = served(&self.node_ports, own, &self.devices, &BTreeSet::new());
        let pods = PodNetworks::of(super::node::NAME, &nodes);
        let mut networks = kinds(own, &nodes, &pods, &self.devices, &addresses, &services.cidrs);
        self.detection.mark(own, &mut networks);
        let entry = NodeEntry {
            masquerade4: [192, 168, 0, 2],
            masquerade6: Addr::from(OWN[2].parse::<IpAddr>().unwrap()).0,
            first_port: 40_000,
            last_port: 50_000,
            first_known_port: 40_000,
            last_known_port: 50_000,
            flags: self.detection.flags(own),
            ..NodeEntry::default()
        };
        let fake = &mut self.node.maps.inner_mut().fake;
        let key = |network: IpNetwork| {
            let bits = if network.is_ipv4() { 96 } else { 0 };
            (Addr::from(network.ip()), bits + u32::from(network.prefix()))
        };
        fake.networks =
            networks.into_iter().map(|(network, value)| (key(network), value)).collect();
        fake.node = Some(entry);
        let link = |index, name, class: LinkFlags| {
            let counts = self.detection.has_device(name);
            let pods = if counts { LinkFlags::LOCAL_PODS } else { LinkFlags::default() };
            (index, abi::Link { mtu: 1500, flags: class.union(pods) })
        };
        let uplink = link(UPLINK, "eth0", LinkFlags::default());
        fake.links = [uplink, link(BRIDGE, "cbr0", LinkFlags::WORKLOADS)].into();
    }

    fn is_own(&self, ip: IpAddr) -> bool {
        self.devices.addresses.iter().any(|address| address.network.ip() == ip)
    }

    /// Whom a client's first packets reach, and whose address they have there: `10.1.0.1:80
    /// 10.1.0.2:80 as node`. Or `REJECT`, or `DROP`, or nothing where nobody changes a packet.
    pub(crate) fn send(&self, from: &str, to: &str) -> String {
        let step = u32::MAX / (FLOWS - 1);
        let met: BTreeSet<Met> = (0..FLOWS).map(|flow| self.begin(from, to, flow * step)).collect();
        told(&met)
    }

    /// Whom the first packet of one flow reaches, with this random number.
    fn begin(&self, from: &str, to: &str, random: u32) -> Met {
        self.sports.set(self.sports.get() + 1);
        self.packet((from, self.sports.get()), to, TcpFlags::SYN, random)
    }

    /// Whom a packet with these flags reaches, from an address and port from which others may have
    /// come before.
    pub(crate) fn flow(&self, from: (&str, u16), to: &str, flags: TcpFlags) -> String {
        told(&[self.packet(from, to, flags, 0)].into())
    }

    fn packet(&self, (from, sport): (&str, u16), to: &str, flags: TcpFlags, random: u32) -> Met {
        let (from, device) = from.split_once('%').unwrap_or((from, ""));
        let from: IpAddr = from.parse().unwrap();
        let (to, proto) = to.split_once('/').unwrap_or((to, "TCP"));
        let to: SocketAddr = to.parse().unwrap();
        let mut pods = PODS.iter().map(|cidr| cidr.parse::<IpNetwork>().unwrap());
        let way = match device {
            "" if self.is_own(from) => Way::Socket,
            "" if pods.any(|cidr| cidr.contains(from)) => Way::Pod,
            device => Way::Device(if device == "cbr0" { BRIDGE } else { UPLINK }),
        };
        let (proto, transport) = match proto {
            "TCP" => (Proto::TCP, Transport::Tcp(flags)),
            "UDP" => (Proto::UDP, Transport::Udp { checksum: true }),
            "SCTP" => (Proto::SCTP, Transport::Sctp(flags)),
            other => panic!("protocol {other}"),
        };
        let (tables, stays) = (&self.node.maps.inner().fake, self.is_own(to.ip()));
        let scene = Scene { tables, way, stays, transport, random };
        let (sport, dport) = (Port::new(sport), Port::new(to.port()));
        match (from, to.ip()) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let (src, dst) = (src.octets(), dst.octets());
                scene.met(FlowKey { src, dst, sport, dport, proto, reserved: [0; 3] })
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                let (src, dst) = (src.octets(), dst.octets());
                scene.met(FlowKey { src, dst, sport, dport, proto, reserved: [0; 3] })
            }
            _ => panic!("{from} and {to} are not of one family"),
        }
    }
}

fn told(met: &BTreeSet<Met>) -> String {
    let seen: BTreeSet<_> = met.iter().filter_map(Met::seen).collect();
    assert!(seen.len() <= 1, "one client looks the same to all: {met:?}");
    let seen = seen.first().map(|seen| format!(" {seen}")).filter(|seen| seen != " ");
    let reached: Vec<_> = met.iter().map(ToString::to_string).collect();
    format!("{}{}", reached.join(" "), seen.unwrap_or_default())
}

fn devices(addresses: &[&str]) -> Devices {
    let uplink = Link {
        index: UPLINK,
        name: "eth0".to_owned(),
        kind: None,
        layer: Layer::Ethernet,
        mac: None,
        mtu: 1500,
        is_up: true,
        is_loopback: false,
        alias: None,
        controller: None,
        peer: None,
        lower: None,
        netns: None,
        vxlan: None,
    };
    let addresses = addresses.iter().map(|ip| address(ip)).collect();
    Devices { links: vec![uplink], addresses }
}

fn address(ip: &str) -> Address {
    let network = IpNetwork::from(ip.parse::<IpAddr>().unwrap());
    Address { link: UPLINK, network, scope: Scope::Global }
}
