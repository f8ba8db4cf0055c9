//! One packet or call through the decisions, on tables in memory.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use dataplane_common::abi::{Address, Delivery, FlowKey, Port};
use dataplane_common::flow::{
    Answer, Arrival, Choice, Departure, Env, Ingress, Verdict, Work, arrive, leave,
};
use dataplane_common::packet::{IpAddress, Packet, Transport};
use dataplane_common::socket::{Call, Decision, ask};
use waggle_agent::maps::fake::{FakeFamily, FakeMaps};

/// The device of all who are neither on this node nor pods of it.
pub(crate) const UPLINK: u32 = 2;

/// A bridge with pods behind it that are not ours.
pub(crate) const BRIDGE: u32 = 3;

/// How a client reaches the node.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It is a process of the node.
    Socket,
    /// By its pod's link.
    Pod,
    /// By another device.
    Device(u32),
}

/// What became of a packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Met {
    /// It reaches an endpoint, which sees such a client.
    Endpoint(SocketAddr, &'static str),
    /// It is answered that nobody is there.
    Rejected,
    /// Nobody hears of it.
    Dropped,
    /// It goes where it would go without us.
    Untouched,
}

impl Met {
    /// Whose address the endpoint sees: nothing where it is the client's own.
    pub(crate) fn seen(&self) -> Option<&'static str> {
        match self {
            Self::Endpoint(_, seen) => Some(seen),
            Self::Rejected | Self::Dropped | Self::Untouched => None,
        }
    }
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(at, _) => at.fmt(f),
            Self::Rejected => f.write_str("REJECT"),
            Self::Dropped => f.write_str("DROP"),
            Self::Untouched => Ok(()),
        }
    }
}

/// What a decision gets from outside.
#[derive(Clone, Copy)]
pub(crate) struct Chance {
    pub(crate) random: u32,
    pub(crate) now: u32,
}

impl Chance {
    /// At a time that is as good as any.
    pub(crate) fn of(random: u32) -> Self {
        Self { random, now: 1000 }
    }
}

impl Env for Chance {
    fn now(&self) -> u32 {
        self.now
    }

    fn random(&self) -> u32 {
        self.random
    }
}

/// A packet without payload or options.
pub(crate) fn packet<A>(key: FlowKey<A>, transport: Transport) -> Packet<A> {
    let (l3, l4, length) = (14, 34, 60);
    Packet { key, l3, l4, length, ttl: 64, may_fragment: false, more_fragments: 0, transport }
}

/// Tables, and what is sent.
pub(crate) struct Scene<'a> {
    pub(crate) tables: &'a FakeMaps,
    pub(crate) way: Way,
    /// Whether the destination is an address of the node, so that nothing leaves.
    pub(crate) stays: bool,
    pub(crate) transport: Transport,
    pub(crate) random: u32,
}

impl Scene<'_> {
    /// What becomes of a packet, or of the call that names its destination.
    pub(crate) fn met<A: FakeFamily + IpAddress>(&self, key: FlowKey<A>) -> Met {
        match self.way {
            Way::Socket => self.called(key),
            Way::Pod => self.came(key, Ingress::Pod, UPLINK),
            Way::Device(ifindex) => self.came(key, Ingress::Netdev, ifindex),
        }
    }

    /// In at the first hook and, if it goes on, out at the last.
    fn came<A: FakeFamily + IpAddress>(&self, key: FlowKey<A>, by: Ingress, ifindex: u32) -> Met {
        let arrival = Arrival { by, ifindex, segment: 60, delivery: Delivery::Stack };
        let (mut work, env) = (Work::default(), Chance::of(self.random));
        match arrive(
            &mut packet(key, self.transport),
            &&[][..],
            &arrival,
            self.tables,
            &env,
            &mut work,
        ) {
            Verdict::Pass => self.left(key, false),
            Verdict::Stack => {
                let to = work.exit.rewrite.to;
                match self.leaves(to, false) {
                    (Verdict::Pass, _) => self.reached(key, to),
                    (Verdict::Stack, last) => self.reached(key, last),
                    (other, _) => panic!("{other:?} at the last hook"),
                }
            }
            Verdict::Answer => {
                assert_eq!(work.exit.answer, Answer::PortUnreachable);
                Met::Rejected
            }
            Verdict::Drop(_) => Met::Dropped,
            other => panic!("{other:?} where the stack delivers"),
        }
    }

    /// What the last hook says of a packet, and what it makes of its tuple.
    fn leaves<A: FakeFamily + IpAddress>(
        &self,
        key: FlowKey<A>,
        own_socket: bool,
    ) -> (Verdict, FlowKey<A>) {
        let (departure, mut work) = (Departure { own_socket }, Work::default());
        let (mut packet, env) = (packet(key, self.transport), Chance::of(self.random));
        let verdict = leave(&mut packet, &&[][..], departure, self.tables, &env, &mut work);
        (verdict, work.exit.rewrite.to)
    }

    /// Out at the last hook, untouched so far.
    fn left<A: FakeFamily + IpAddress>(&self, key: FlowKey<A>, own_socket: bool) -> Met {
        if self.stays {
            return Met::Untouched;
        }
        match self.leaves(key, own_socket).0 {
            Verdict::Pass => Met::Untouched,
            Verdict::Drop(_) => Met::Dropped,
            other => panic!("{other:?} of a packet that is nobody's"),
        }
    }

    fn reached<A: FakeFamily>(&self, key: FlowKey<A>, to: FlowKey<A>) -> Met {
        let node = self.tables.node.unwrap_or_default();
        let seen = match to.src {
            src if src == key.src => "",
            src if src == A::masquerade(&node) => "as node",
            src if src == A::HAIRPIN => "as stand-in",
            _ => "as somebody else",
        };
        Met::Endpoint(at(to.dst, to.dport), seen)
    }

    /// A process names its peer, and what it sends leaves if nothing was put in the peer's place.
    fn called<A: FakeFamily + IpAddress>(&self, key: FlowKey<A>) -> Met {
        let FlowKey { dst, dport, proto, sport, .. } = key;
        let call = Call { cookie: sport.number().into(), addr: dst, port: dport, proto };
        let mut choice = Choice::default();
        match ask(&call, self.tables, &Chance::of(self.random), &mut choice) {
            Decision::Translate => {
                let seen = if choice.masquerade { "as node" } else { "" };
                Met::Endpoint(at(A::narrow(choice.slot.addr), choice.slot.port), seen)
            }
            Decision::Refuse => Met::Rejected,
            Decision::Leave => self.left(key, true),
        }
    }
}

fn at<A: Address>(addr: A, port: Port) -> SocketAddr {
    let ip: IpAddr = addr.widen().to_ip();
    SocketAddr::new(ip, port.number())
}
