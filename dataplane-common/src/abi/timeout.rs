//! How long silent flows last: the array `timeouts`.
//!
//! Its index is what an entry's flags and protocol say of the flow's life, as bits, so that programs
//! find an element without deciding anything; its value is the seconds of silence after which the
//! flow is forgotten, or 0 where nobody has said, and nothing is forgotten.

use super::{FlowFlags, Proto};

/// Elements of `timeouts`.
pub const LIVES: u32 = 128;

/// Where an index has the protocol: its last two bits, by which TCP, UDP and SCTP differ.
const PROTO: u32 = 5;
/// Where an index has [`FlowFlags::FIN_ACKED`].
const FIN_ACKED: u32 = 4;
/// The other flags of an index, from [`FlowFlags::REPLIED`] to [`FlowFlags::RST`], stand together.
const FLAGS: u32 = 0b1111;

/// The index of a flow.
#[must_use]
#[inline(always)]
pub const fn life(flags: FlowFlags, proto: Proto) -> u32 {
    let flags = flags.0 as u32;
    ((proto.0 as u32 & 0b11) << PROTO) | (flags >> 8 & 1) << FIN_ACKED | (flags >> 2 & FLAGS)
}

/// A phase in a flow's life, by the names of Linux's `nf_conntrack_*_timeout_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// UDP that was not answered.
    Udp,
    /// UDP that was answered.
    UdpStream,
    /// TCP that was not answered.
    SynSent,
    /// TCP that was answered.
    Established,
    /// TCP of which one side has sent FIN.
    FinWait,
    /// TCP of which one side has sent FIN, and the other something since.
    CloseWait,
    /// TCP of which both sides have sent FIN.
    TimeWait,
    /// TCP that was reset.
    Close,
    /// SCTP that was not answered. The name is of what Linux sees in an association that begins by a
    /// HEARTBEAT: it gives 3 seconds to one that begins by INIT, too few for a second INIT.
    SctpHeartbeatSent,
    /// SCTP that was answered, until both sides have shut it down: an end that is lost on its way is
    /// sent again for longer than Linux remembers one.
    SctpEstablished,
    /// SCTP that both sides have shut down, or one has aborted.
    SctpClosed,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 11] = [
        Self::Udp,
        Self::UdpStream,
        Self::SynSent,
        Self::Established,
        Self::FinWait,
        Self::CloseWait,
        Self::TimeWait,
        Self::Close,
        Self::SctpHeartbeatSent,
        Self::SctpEstablished,
        Self::SctpClosed,
    ];

    /// The phase of an index.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "bits that a u16 has")]
    pub const fn of(life: u32) -> Self {
        let flags = FlowFlags(((life & FLAGS) << 2 | (life >> FIN_ACKED & 1) << 8) as u16);
        const UDP: u32 = Proto::UDP.0 as u32 & 0b11;
        const SCTP: u32 = Proto::SCTP.0 as u32 & 0b11;
        match life >> PROTO {
            UDP if flags.has(FlowFlags::REPLIED) => Self::UdpStream,
            UDP => Self::Udp,
            SCTP => Self::of_sctp(flags),
            _ => Self::of_tcp(flags),
        }
    }

    const fn of_sctp(flags: FlowFlags) -> Self {
        let is_shut_down = flags.has(FlowFlags::FIN.union(FlowFlags::PEER_FIN));
        if is_shut_down || flags.has(FlowFlags::RST) {
            Self::SctpClosed
        } else if flags.has(FlowFlags::REPLIED) {
            Self::SctpEstablished
        } else {
            Self::SctpHeartbeatSent
        }
    }

    const fn of_tcp(flags: FlowFlags) -> Self {
        let (one, other) = (flags.has(FlowFlags::FIN), flags.has(FlowFlags::PEER_FIN));
        if flags.has(FlowFlags::RST) {
            Self::Close
        } else if one && other {
            Self::TimeWait
        } else if (one || other) && flags.has(FlowFlags::FIN_ACKED) {
            Self::CloseWait
        } else if one || other {
            Self::FinWait
        } else if flags.has(FlowFlags::REPLIED) {
            Self::Established
        } else {
            Self::SynSent
        }
    }

    /// Seconds where nobody says otherwise: Linux's, but for established TCP, where a backend's
    /// death is learned from its state, and for `CLOSE_WAIT`, which kube-proxy sets.
    #[must_use]
    pub const fn usual(self) -> u32 {
        match self {
            Self::Udp | Self::SctpHeartbeatSent => 30,
            Self::UdpStream | Self::SynSent | Self::FinWait | Self::TimeWait => 120,
            Self::Established => 21_600,
            Self::CloseWait => 3600,
            Self::SctpEstablished => 210,
            Self::Close | Self::SctpClosed => 10,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_tells_the_phase_whatever_else_the_flags_say() {
        const TCP: Proto = Proto::TCP;
        let others = FlowFlags::REVERSE
            .union(FlowFlags::BYPASS)
            .union(FlowFlags::REMOTE)
            .union(FlowFlags::MASQUERADED);
        const SCTP: Proto = Proto::SCTP;
        let (fin, peer_fin, acked) = (FlowFlags::FIN, FlowFlags::PEER_FIN, FlowFlags::FIN_ACKED);
        for (proto, flags, phase) in [
            (Proto::UDP, FlowFlags(0), Phase::Udp),
            (Proto::UDP, FlowFlags::REPLIED, Phase::UdpStream),
            (TCP, FlowFlags(0), Phase::SynSent),
            (TCP, FlowFlags::REPLIED, Phase::Established),
            (TCP, fin, Phase::FinWait),
            (TCP, peer_fin, Phase::FinWait),
            (TCP, fin.union(acked), Phase::CloseWait),
            (TCP, peer_fin.union(acked), Phase::CloseWait),
            (TCP, fin.union(peer_fin), Phase::TimeWait),
            (TCP, fin.union(peer_fin).union(acked), Phase::TimeWait),
            (TCP, fin.union(FlowFlags::RST), Phase::Close),
            (SCTP, FlowFlags(0), Phase::SctpHeartbeatSent),
            (SCTP, FlowFlags::REPLIED, Phase::SctpEstablished),
            (SCTP, FlowFlags::REPLIED.union(fin).union(acked), Phase::SctpEstablished),
            (SCTP, FlowFlags::REPLIED.union(peer_fin), Phase::SctpEstablished),
            (SCTP, fin.union(peer_fin), Phase::SctpClosed),
            (SCTP, FlowFlags::RST, Phase::SctpClosed),
        ] {
            for flags in [flags, flags.union(others)] {
                assert_eq!(Phase::of(life(flags, proto)), phase, "{proto:?} {flags:?}");
            }
        }
        assert!(life(FlowFlags(u16::MAX), Proto(u8::MAX)) < LIVES);
    }
}
