//! Conntrack: the LRU hashes `flows4` and `flows6`.
//!
//! A translated flow has two entries, each complete by itself. The forward one is keyed by what
//! the client sends (client to frontend), the reverse one by what the backend answers (backend to
//! client), and each holds the tuple that its packets leave with. So an entry's sibling is keyed by
//! its own translation turned round.

use super::{Address, BackendId, Port, Proto, ServiceId};

/// Key: the tuple that packets of one direction arrive with.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FlowKey<A> {
    /// Source address.
    pub src: A,
    /// Destination address.
    pub dst: A,
    /// Source port.
    pub sport: Port,
    /// Destination port.
    pub dport: Port,
    /// Transport protocol.
    pub proto: Proto,
    /// Zero, but for [`FlowKey::guard`].
    pub reserved: [u8; 3],
}

const _: () = assert!(size_of::<FlowKey<[u8; 4]>>() == 16);
const _: () = assert!(size_of::<FlowKey<[u8; 16]>>() == 40);

/// Value: the tuple that packets of this direction leave with, and the flow's state.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FlowEntry<A> {
    /// Source address to leave with.
    pub src: A,
    /// Destination address to leave with.
    pub dst: A,
    /// Source port to leave with.
    pub sport: Port,
    /// Destination port to leave with.
    pub dport: Port,
    /// The backend the flow is pinned to.
    pub backend: BackendId,
    /// The ServicePort the flow belongs to.
    pub service: ServiceId,
    /// Seconds of the monotonic clock at the direction's last packet, at most one behind.
    pub last_seen: u32,
    /// The backend's generation at choice.
    pub generation: u16,
    /// See [`FlowFlags`].
    pub flags: FlowFlags,
}

const _: () = assert!(size_of::<FlowEntry<[u8; 4]>>() == 28);
const _: () = assert!(size_of::<FlowEntry<[u8; 16]>>() == 52);

/// State of one direction of a flow.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FlowFlags(pub u16);

impl FlowFlags {
    /// The entry translates what the backend sends; unset, what the client sends.
    pub const REVERSE: Self = Self(1);
    /// Packets of the flow are redirected past the host's stack, in both directions.
    pub const BYPASS: Self = Self(2);
    /// A packet of the other direction was seen.
    pub const REPLIED: Self = Self(4);
    /// TCP: this direction sent FIN.
    pub const FIN: Self = Self(8);
    /// TCP: the other direction sent FIN.
    pub const PEER_FIN: Self = Self(16);
    /// TCP: one direction sent RST.
    pub const RST: Self = Self(32);
    /// The translated destination is no pod of this node, so delivery asks the routing table.
    pub const REMOTE: Self = Self(64);
    /// The backend sees the node's address instead of the client's.
    pub const MASQUERADED: Self = Self(128);
    /// TCP: after the FIN of one direction the other has acknowledged something.
    pub const FIN_ACKED: Self = Self(256);

    /// Whether all of `flags` are set.
    #[must_use]
    #[inline(always)]
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Both sets joined.
    #[must_use]
    #[inline(always)]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// `flags` where `condition` holds, else none.
    #[must_use]
    #[inline(always)]
    pub const fn when(condition: bool, flags: Self) -> Self {
        if condition { flags } else { Self(0) }
    }
}

impl FlowFlags {
    /// The same flow's flags as the other direction's entry has them.
    #[must_use]
    #[inline(always)]
    pub const fn seen_from_sibling(self) -> Self {
        let shared = self.0
            & (Self::BYPASS.0
                | Self::REPLIED.0
                | Self::RST.0
                | Self::MASQUERADED.0
                | Self::FIN_ACKED.0);
        Self(shared)
            .union(Self::when(!self.has(Self::REVERSE), Self::REVERSE))
            .union(Self::when(self.has(Self::FIN), Self::PEER_FIN))
            .union(Self::when(self.has(Self::PEER_FIN), Self::FIN))
    }
}

impl<A: Address> FlowKey<A> {
    /// The key whose entry says that a CPU is taking a flow out or putting half of it back: only
    /// who inserts it may. Keyed by the forward direction.
    #[must_use]
    #[inline(always)]
    pub fn guard(&self) -> Self {
        Self { reserved: [1, 0, 0], ..*self }
    }

    /// The key of what answers a packet of this key, were nothing translated.
    #[must_use]
    #[inline(always)]
    pub fn turned(self) -> Self {
        Self { src: self.dst, dst: self.src, sport: self.dport, dport: self.sport, ..self }
    }
}

impl<A: Address> FlowEntry<A> {
    /// The tuple that packets leave with.
    #[must_use]
    #[inline(always)]
    pub fn translated(&self, proto: Proto) -> FlowKey<A> {
        let Self { src, dst, sport, dport, .. } = *self;
        FlowKey { src, dst, sport, dport, proto, reserved: [0; 3] }
    }

    /// The flow's other entry, where this one stands at `key`.
    #[must_use]
    #[inline(always)]
    pub fn sibling_entry(&self, key: &FlowKey<A>) -> Self {
        let FlowKey { src, dst, sport, dport, .. } = key.turned();
        Self { src, dst, sport, dport, flags: self.flags.seen_from_sibling(), ..*self }
    }

    /// Whether this entry and the one of a key of the same protocol are of one flow, as it sees it.
    #[must_use]
    #[inline(always)]
    pub fn is_sibling_of(&self, key: &FlowKey<A>) -> bool {
        self.src == key.dst
            && self.dst == key.src
            && self.sport == key.dport
            && self.dport == key.sport
    }

    /// The key of the flow's other entry.
    #[must_use]
    #[inline(always)]
    pub fn sibling(&self, proto: Proto) -> FlowKey<A> {
        self.translated(proto).turned()
    }
}
