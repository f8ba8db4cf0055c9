//! Fragments on their way: the LRU hash `fragments`.

use super::{Addr, Port, Proto};

/// Key: what the fragments of one datagram have in common at a hook.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FragmentKey {
    /// Source address, as it comes to the hook.
    pub src: Addr,
    /// Destination address, likewise.
    pub dst: Addr,
    /// The datagram's identification, in network order; IPv4's behind two zeroes.
    pub id: [u8; 4],
    /// Transport protocol.
    pub proto: Proto,
    /// Which hook: 0 is the first, 1 the last. Ports may differ where addresses do not.
    pub hook: u8,
    /// Zero.
    pub reserved: [u8; 2],
}

const _: () = assert!(size_of::<FragmentKey>() == 40);

/// Value: what the first fragment was at that hook.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fragmented {
    /// Source port.
    pub sport: Port,
    /// Destination port.
    pub dport: Port,
    /// Seconds of the monotonic clock when it came.
    pub seen: u32,
    /// 1 where it took the stack's way, as all of the datagram must then.
    pub by_stack: u32,
}

const _: () = assert!(size_of::<Fragmented>() == 12);
