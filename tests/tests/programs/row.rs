//! A row: packets in order, and what becomes of the last.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use dataplane_common::abi::{Addr, BackendId, Delivery, FlowEntry, FlowKey, NetnsId, NodeConfig};
use waggle_agent::maps::LbMaps as _;
use waggle_agent::maps::fake::FakeFamily;
use waggle_tests::apart::Apart;
use waggle_tests::host::{Core, FixedEnv, Hook};
use waggle_tests::object::{Arrived, Family, Object};
use waggle_tests::outcome::{Action, Outcome};
use waggle_tests::packet::Packet;
use waggle_tests::sandbox;
use waggle_tests::world::{BACKEND_PORT, Devices, NAT_PORTS, Net, World};

/// The clock of every row, in seconds.
pub(crate) const NOW: u32 = 100_000;

/// Marks are others', every bit of them.
const OTHERS_MARK: u32 = u32::MAX;

/// The port clients send from.
const CLIENT_PORT: u16 = 40_000;

pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) world: World,
    /// What passed before.
    pub(crate) before: Vec<(Hook, Packet)>,
    /// Whose pods and backends' states there are since then, where they are others.
    pub(crate) since: Option<World>,
    pub(crate) hook: Hook,
    pub(crate) packet: Packet,
    /// Payload of one segment; zero without segmentation offload.
    pub(crate) gso_size: u32,
    pub(crate) expected: Expected,
}

/// What becomes of the packet.
pub(crate) enum Expected {
    /// It is left to the stack in this shape.
    Next(Packet),
    /// It is redirected in this shape.
    Redirect(Packet),
    /// It is sent back as an ICMP error that begins with these two bytes, type and code.
    Answer([u8; 2]),
    /// It is sent back as a TCP reset.
    Reset,
    /// It is dropped.
    Drop,
}

/// A protocol with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proto {
    Tcp,
    Udp,
    Sctp,
}

/// The places and the packets rows are about.
#[derive(Clone, Copy)]
pub(crate) struct Scene {
    pub(crate) net: Net,
    pub(crate) devices: Devices,
    pub(crate) proto: Proto,
}

impl Scene {
    pub(crate) fn packet(&self, src: SocketAddr, dst: SocketAddr) -> Packet {
        match self.proto {
            Proto::Tcp => Packet::tcp(src, dst),
            Proto::Udp => Packet::udp(src, dst),
            Proto::Sctp => Packet::sctp(src, dst),
        }
    }

    pub(crate) fn client(&self) -> SocketAddr {
        SocketAddr::new(self.net.client, CLIENT_PORT)
    }

    /// The first packet of a flow to the Service.
    pub(crate) fn opening(&self) -> Packet {
        self.packet(self.client(), self.net.frontend()).syn()
    }

    /// What a backend answers it.
    pub(crate) fn answer(&self, backend: IpAddr) -> Packet {
        self.packet(endpoint(backend), self.client()).syn_ack()
    }

    /// A client outside the cluster.
    pub(crate) fn outside(&self) -> SocketAddr {
        SocketAddr::new(self.net.outside, CLIENT_PORT)
    }

    /// It as the stack sees it, where it is masqueraded.
    pub(crate) fn inside(&self) -> SocketAddr {
        SocketAddr::new(self.net.outside, NAT_PORTS[0])
    }

    /// It as the backend sees it then.
    pub(crate) fn masqueraded(&self) -> SocketAddr {
        SocketAddr::new(self.net.node, NAT_PORTS[0])
    }

    pub(crate) fn world(&self, backend: IpAddr) -> World {
        World::new(self.net, self.devices, backend)
    }

    /// A row in which a pod sends the first packet of a flow.
    pub(crate) fn row(
        &self,
        name: &'static str,
        backend: IpAddr,
        packet: Packet,
        expected: Expected,
    ) -> Row {
        Row {
            name,
            world: self.world(backend),
            before: Vec::new(),
            since: None,
            hook: Hook::FromPod,
            packet,
            gso_size: 0,
            expected,
        }
    }
}

/// A backend as flows address it.
pub(crate) fn endpoint(backend: IpAddr) -> SocketAddr {
    SocketAddr::new(backend, BACKEND_PORT)
}

/// A packet redirected into a pod.
pub(crate) fn into_pod(packet: Packet, scene: &Scene, pod: IpAddr) -> Expected {
    let (dst, src) = scene.world(pod).macs_to(pod);
    Expected::Redirect(packet.macs(dst, src).vlans(&[]))
}

/// Runs the rows of a function for both families and protocols on the host core and on the loaded
/// object.
pub(crate) fn agree(delivery: Delivery, rows: impl Fn(&Scene) -> Vec<Row> + Send) {
    agree_by_chance(delivery, 0, rows);
}

/// The same for SCTP alone.
pub(crate) fn agree_on_sctp(delivery: Delivery, rows: impl Fn(&Scene) -> Vec<Row> + Send) {
    agree_on(&[Proto::Sctp], delivery, 0, rows);
}

/// The same with another random number than 0.
pub(crate) fn agree_by_chance(
    delivery: Delivery,
    random: u32,
    rows: impl Fn(&Scene) -> Vec<Row> + Send,
) {
    agree_on(&[Proto::Tcp, Proto::Udp], delivery, random, rows);
}

fn agree_on(
    protos: &[Proto],
    delivery: Delivery,
    random: u32,
    rows: impl Fn(&Scene) -> Vec<Row> + Send,
) {
    sandbox::inside(move |devices| {
        let config = NodeConfig {
            clock_override: u64::from(NOW) * 1_000_000_000,
            random_override: random,
            random_overridden: 1,
            ..NodeConfig::new(delivery)
        };
        let mut object = Object::load(config).unwrap();
        for net in Net::both() {
            for &proto in protos {
                let scene = Scene { net, devices, proto };
                for row in rows(&scene) {
                    let label = format!("{} ({proto:?} from {})", row.name, net.client);
                    row.run(&label, delivery, random, &mut object);
                }
            }
        }
    });
}

/// The sockets that the node has in a world.
fn sockets(world: &World) -> Vec<(UdpSocket, TcpListener)> {
    let any: IpAddr = match world.net.node {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = |port: &u16| {
        (UdpSocket::bind((any, *port)).unwrap(), TcpListener::bind((any, *port)).unwrap())
    };
    world.sockets.iter().map(socket).collect()
}

/// The sockets that pods have in a world.
fn apart(world: &World) -> Option<Apart> {
    (!world.connected.is_empty()).then(|| Apart::with(&world.connected).unwrap())
}

/// The host core and the kernel with the same tables.
struct Twins<'a> {
    core: Core,
    object: &'a mut Object,
    devices: Devices,
}

impl Row {
    fn run(&self, label: &str, delivery: Delivery, random: u32, object: &mut Object) {
        let (_sockets, apart) = (sockets(&self.world), apart(&self.world));
        let netns = apart.as_ref().map_or(NetnsId::default(), |apart| apart.netns);
        let world = World { netns, ..self.world.clone() };
        object.fill(&world).unwrap();
        let env = FixedEnv { now: NOW, random };
        let core = Core { maps: world.in_memory(), delivery, env };
        let mut twins = Twins { core, object, devices: world.devices };
        for (hook, packet) in &self.before {
            twins.run(&format!("{label}, before it"), *hook, packet, 0);
        }
        if let Some(world) = &self.since {
            twins.change(world);
        }
        let outcome = twins.run(label, self.hook, &self.packet, self.gso_size);
        self.expected.compare(label, &outcome);
        twins.compare::<[u8; 4]>(label);
        twins.compare::<[u8; 16]>(label);
    }
}

impl Twins<'_> {
    fn change(&mut self, world: &World) {
        let Self { core: Core { maps, .. }, object, .. } = self;
        object.set_backends(world).unwrap();
        maps.pods = world.pods().into_iter().collect();
        for (id, state) in (1..).map(BackendId).zip(world.states()) {
            maps.write_backend(id, &state).unwrap();
        }
    }

    fn run(&self, label: &str, hook: Hook, packet: &Packet, gso_size: u32) -> Outcome {
        let ifindex = match hook {
            Hook::FromPod => self.link_of(packet),
            Hook::ToPod => self.devices.local,
            Hook::FromNetdev | Hook::FromL3dev | Hook::ToNetdev | Hook::ToL3dev => {
                self.devices.uplink
            }
        };
        let bytes = packet.build();
        let arrived = Arrived { bytes: &bytes, ifindex, gso_size, mark: OTHERS_MARK };
        let host = self.core.run(hook, arrived);
        let mut kernel = self.object.run(hook.program(), arrived).unwrap();
        if host.action == Action::Drop {
            // What is left of a packet that nobody gets says nothing.
            kernel.bytes.clone_from(&host.bytes);
        }
        assert_eq!(kernel, host, "{label}: the kernel (left) and the host core (right) differ");
        host
    }

    /// The link of the pod that sends a packet; the client's where none has the address.
    fn link_of(&self, packet: &Packet) -> u32 {
        let pod = self.core.maps.pods.get(&Addr::from(packet.from().ip()));
        pod.map_or(self.devices.client, |pod| pod.ifindex)
    }

    fn compare<A: Family + FakeFamily>(&self, label: &str)
    where
        FlowKey<A>: aya::Pod,
        FlowEntry<A>: aya::Pod,
    {
        let Self { core: Core { maps, .. }, object, .. } = self;
        assert_eq!(object.flows::<A>().unwrap(), maps.flows::<A>(), "{label}: conntrack");
        assert_eq!(object.affinities().unwrap(), *maps.affinities.borrow(), "{label}: affinities");
        assert_eq!(object.fragments().unwrap(), *maps.fragments.borrow(), "{label}: fragments");
        assert_eq!(object.counters().unwrap(), maps.counters(), "{label}: counters");
    }
}

impl Expected {
    fn compare(&self, label: &str, outcome: &Outcome) {
        let expected = match self {
            Self::Next(packet) => (Action::Next, packet.build()),
            Self::Redirect(packet) => (Action::Redirect, packet.build()),
            Self::Drop => (Action::Drop, outcome.bytes.clone()),
            Self::Reset => {
                assert_eq!(outcome.action, Action::Redirect, "{label}");
                let tcp = tcp(&outcome.bytes);
                assert_eq!((tcp.rst, tcp.syn, tcp.fin), (true, false, false), "{label}");
                return;
            }
            Self::Answer(kind) => {
                assert_eq!(outcome.action, Action::Redirect, "{label}");
                assert_eq!(&icmp(&outcome.bytes), kind, "{label}");
                return;
            }
        };
        let done = (outcome.action, outcome.bytes.clone());
        assert_eq!(done, expected, "{label}: what was done (left) is not the row's (right)");
    }
}

/// Type and code of an ICMP message without IP options.
fn icmp(frame: &[u8]) -> [u8; 2] {
    let packet = etherparse::SlicedPacket::from_ethernet(frame).unwrap();
    match packet.transport.unwrap() {
        etherparse::TransportSlice::Icmpv4(icmp) => {
            assert!(icmp.slice().len() > 8, "an error quotes");
            [icmp.type_u8(), icmp.code_u8()]
        }
        etherparse::TransportSlice::Icmpv6(icmp) => [icmp.type_u8(), icmp.code_u8()],
        other => panic!("no ICMP message: {other:?}"),
    }
}

/// The header of a TCP segment without payload.
fn tcp(frame: &[u8]) -> etherparse::TcpHeader {
    let packet = etherparse::PacketHeaders::from_ethernet_slice(frame).unwrap();
    assert_eq!(packet.payload.slice().len(), 0, "a reset says nothing");
    packet.transport.and_then(etherparse::TransportHeader::tcp).expect("a TCP segment")
}
