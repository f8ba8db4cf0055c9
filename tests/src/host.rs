//! The host core: the kernel's decisions, on tables in memory, with a shell of ten lines per verdict.

use dataplane_common::abi::{Counter, Delivery, DropReason, Family, PathTaken, names};
use dataplane_common::flow::{
    self, Answer, Arrival, Departure, Env, Exit, Ingress, ServiceTables as _, Verdict, Work,
};
use dataplane_common::packet::{
    self, Framing, IpAddress, Packet, Parsed, Reset, Transport, apply, apply_related, locate,
    may_answer, parse, quote,
};
use waggle_agent::maps::fake::{FakeFamily, FakeMaps};

use crate::object::Arrived;
use crate::outcome::{Action, Outcome};
use crate::packet::OWN_MAC;

/// A hook: one of our programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Ingress of a pod's link.
    FromPod,
    /// Egress of a pod's link.
    ToPod,
    /// Ingress of any other device.
    FromNetdev,
    /// Ingress of a device without link-layer headers.
    FromL3dev,
    /// Egress of any other device.
    ToNetdev,
    /// Egress of a device without link-layer headers.
    ToL3dev,
}

impl Hook {
    /// The program's name.
    #[must_use]
    pub const fn program(self) -> &'static str {
        match self {
            Self::FromPod => names::FROM_POD,
            Self::ToPod => names::TO_POD,
            Self::FromNetdev => names::FROM_NETDEV,
            Self::FromL3dev => names::FROM_L3DEV,
            Self::ToNetdev => names::TO_NETDEV,
            Self::ToL3dev => names::TO_L3DEV,
        }
    }

    const fn framing(self) -> Framing {
        match self {
            Self::FromPod | Self::ToPod | Self::FromNetdev | Self::ToNetdev => Framing::Ethernet,
            Self::FromL3dev | Self::ToL3dev => Framing::Ip,
        }
    }
}

/// The decisions with everything they read.
#[derive(Debug)]
pub struct Core {
    /// The tables.
    pub maps: FakeMaps,
    /// How flows are delivered.
    pub delivery: Delivery,
    /// Clock and random numbers.
    pub env: FixedEnv,
}

/// A clock that stands and a random number that is always the same.
#[derive(Clone, Copy, Debug)]
pub struct FixedEnv {
    /// Seconds.
    pub now: u32,
    /// The number.
    pub random: u32,
}

impl Env for FixedEnv {
    fn now(&self) -> u32 {
        self.now
    }

    fn random(&self) -> u32 {
        self.random
    }
}

impl Core {
    /// Decides about a packet and carries it out.
    #[must_use]
    pub fn run(&self, hook: Hook, arrived: Arrived<'_>) -> Outcome {
        if hook == Hook::FromNetdev && !arrived.bytes.starts_with(&OWN_MAC) {
            let Arrived { bytes, mark, .. } = arrived;
            return Outcome { action: Action::Next, bytes: bytes.to_vec(), mark };
        }
        match parse(arrived.bytes, hook.framing()) {
            Ok(Parsed::V4(mut packet)) => self.handle(hook, &mut packet, arrived),
            Ok(Parsed::V6(mut packet)) => self.handle(hook, &mut packet, arrived),
            Err(_) => {
                let reason = (hook == Hook::FromPod).then(|| self.refuse(arrived)).flatten();
                let (counter, action) = match reason {
                    Some(reason) => (Counter::Drop(reason), Action::Drop),
                    None => (Counter::Path(PathTaken::Passed), Action::Next),
                };
                self.maps.count(counter);
                Outcome { action, bytes: arrived.bytes.to_vec(), mark: arrived.mark }
            }
        }
    }

    /// Why a pod may not send what cannot be decided about.
    fn refuse(&self, Arrived { bytes, ifindex, .. }: Arrived<'_>) -> Option<DropReason> {
        match locate(bytes, Framing::Ethernet) {
            Ok((l3, Family::V4)) => {
                flow::refuse_unread::<[u8; 4], _>(bytes, l3, ifindex, &self.maps)
            }
            Ok((l3, Family::V6)) => {
                flow::refuse_unread::<[u8; 16], _>(bytes, l3, ifindex, &self.maps)
            }
            Err(_) => flow::refuse_frame(bytes, ifindex, &self.maps),
        }
    }

    fn handle<A: FakeFamily + IpAddress + AsRef<[u8]>>(
        &self,
        hook: Hook,
        packet: &mut Packet<A>,
        arrived: Arrived<'_>,
    ) -> Outcome {
        let work = &mut Work::default();
        let verdict = self.decide(hook, packet, arrived, work);
        let exit = &work.exit;
        let frame = Frame { packet, bytes: arrived.bytes, framing: hook.framing() };
        let (counter, outcome) = match frame.carry_out(verdict, exit) {
            Ok((path, action, bytes)) => {
                (Counter::Path(path), Outcome { action, bytes, mark: arrived.mark })
            }
            Err(reason) => {
                let bytes = arrived.bytes.to_vec();
                (Counter::Drop(reason), Outcome { action: Action::Drop, bytes, mark: arrived.mark })
            }
        };
        self.maps.count(counter);
        outcome
    }

    fn decide<A: FakeFamily + IpAddress>(
        &self,
        hook: Hook,
        packet: &mut Packet<A>,
        arrived: Arrived<'_>,
        work: &mut Work<A>,
    ) -> Verdict {
        let Self { maps, delivery, env } = self;
        let (bytes, ifindex) = (&arrived.bytes, arrived.ifindex);
        let by = match hook {
            Hook::FromPod => Ingress::Pod,
            Hook::FromNetdev | Hook::FromL3dev => Ingress::Netdev,
            Hook::ToPod | Hook::ToNetdev | Hook::ToL3dev => {
                // The kernel gives a socket to each packet that it runs a program on for a test.
                let departure = Departure { own_socket: true };
                return flow::leave(packet, bytes, departure, maps, env, work);
            }
        };
        let segment = segment(packet, arrived);
        let arrival = Arrival { by, ifindex, segment, delivery: *delivery };
        flow::arrive(packet, bytes, &arrival, maps, env, work)
    }
}

fn segment<A: IpAddress>(packet: &Packet<A>, arrived: Arrived<'_>) -> u32 {
    if arrived.gso_size == 0 {
        return packet.end(arrived.bytes) - packet.l3;
    }
    let transport = match packet.transport {
        Transport::Tcp(_) => u32::from(arrived.bytes[packet.l4 as usize + 12] >> 4) * 4,
        Transport::Udp { .. } => 8,
        Transport::Sctp(_) => return 0,
        Transport::Icmp { .. } | Transport::LaterFragment | Transport::Other => 0,
    };
    packet.l4 - packet.l3 + transport + arrived.gso_size
}

/// A packet to which a verdict is applied.
struct Frame<'a, A> {
    packet: &'a Packet<A>,
    bytes: &'a [u8],
    framing: Framing,
}

/// The path, what the program returns, and the packet afterwards.
type Carried = Result<(PathTaken, Action, Vec<u8>), DropReason>;

impl<A: IpAddress> Frame<'_, A> {
    fn carry_out(&self, verdict: Verdict, exit: &Exit<A>) -> Carried {
        let mut bytes = self.bytes.to_vec();
        match verdict {
            Verdict::Pass => Ok((PathTaken::Passed, Action::Next, bytes)),
            Verdict::Stack => {
                apply(&exit.rewrite, self.packet, &mut bytes[..])
                    .map_err(|_| DropReason::RewriteFailed)?;
                Ok((PathTaken::Stack, Action::Next, bytes))
            }
            Verdict::Peer => {
                apply(&exit.rewrite, self.packet, &mut bytes[..])
                    .map_err(|_| DropReason::RewriteFailed)?;
                let frame = self.framed(&[exit.pod_mac, exit.host_mac].concat(), &bytes);
                Ok((PathTaken::Peer, Action::Redirect, frame))
            }
            Verdict::Neighbour => {
                apply(&exit.rewrite, self.packet, &mut bytes[..])
                    .map_err(|_| DropReason::RewriteFailed)?;
                let macs = match self.framing {
                    Framing::Ethernet => self.bytes[..12].to_vec(),
                    Framing::Ip => vec![0; 12],
                };
                Ok((PathTaken::Neighbour, Action::Redirect, self.framed(&macs, &bytes)))
            }
            Verdict::Related => {
                apply_related(&exit.related, self.packet, &mut bytes[..])
                    .map_err(|_| DropReason::RewriteFailed)?;
                Ok((PathTaken::Stack, Action::Next, bytes))
            }
            Verdict::Answer => self.answer(exit.answer),
            Verdict::Reset => self.reset(),
            Verdict::Drop(reason) => Err(reason),
        }
    }

    /// With an Ethernet header without tags.
    fn framed(&self, macs: &[u8], bytes: &[u8]) -> Vec<u8> {
        let ethertype: [u8; 2] = if size_of::<A>() == 4 { [0x08, 0x00] } else { [0x86, 0xdd] };
        [macs, &ethertype, &bytes[self.packet.l3 as usize..]].concat()
    }

    fn reset(&self) -> Carried {
        if !may_answer(self.packet) || self.packet.l3 > 14 {
            return Err(DropReason::AnswerFailed);
        }
        let reset = Reset::of(self.bytes, self.packet).map_err(|_| DropReason::AnswerFailed)?;
        let (ip, tcp) = (Reset::ip(self.packet), reset.tcp(self.packet));
        let (link, _) = self.bytes.split_at(self.packet.l3 as usize);
        let bytes = [&turned(link)[..], ip.as_ref(), &tcp].concat();
        Ok((PathTaken::AnsweredReset, Action::Redirect, bytes))
    }

    fn answer(&self, answer: Answer) -> Carried {
        if !may_answer(self.packet) || self.packet.l3 > 14 {
            return Err(DropReason::AnswerFailed);
        }
        let quote = quote(self.bytes, self.packet).map_err(|_| DropReason::AnswerFailed)?;
        let headers = packet::answer(self.packet, answer, quote);
        let (link, ip) = self.bytes.split_at(self.packet.l3 as usize);
        let link = turned(link);
        let quoted = &ip[..quote.length as usize];
        let path = match answer {
            Answer::TooBig { .. } => PathTaken::AnsweredTooBig,
            Answer::PortUnreachable => PathTaken::AnsweredUnreachable,
        };
        let bytes = [&link[..], headers.ip.as_ref(), &headers.icmp, quoted].concat();
        Ok((path, Action::Redirect, bytes))
    }
}

/// A link-layer header back to the sender.
fn turned(link: &[u8]) -> Vec<u8> {
    match link.split_at_checked(12) {
        Some((macs, rest)) => [&macs[6..], &macs[..6], rest].concat(),
        None => Vec::new(),
    }
}
