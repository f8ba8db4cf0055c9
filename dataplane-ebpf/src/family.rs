//! What the kernel's interfaces do differently for the two families.

use core::mem::zeroed;

use aya_ebpf::bindings::{
    bpf_fib_lookup as FibLookup, bpf_fib_lookup__bindgen_ty_3 as Source,
    bpf_fib_lookup__bindgen_ty_4 as Destination, bpf_redir_neigh as Neighbour,
    bpf_redir_neigh__bindgen_ty_1 as NextHop, bpf_sock_tuple as SocketTuple,
    bpf_sock_tuple__bindgen_ty_1 as EitherTuple,
    bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1 as Tuple4,
    bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2 as Tuple6,
};
use dataplane_common::abi::FlowKey;
use dataplane_common::packet::IpAddress;

use crate::maps::{FLOWS4, FLOWS6, Flows, PROVEN4, PROVEN6, ProvenSources, SCRATCH4, SCRATCH6};
use crate::skb::Scratch;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// An address as maps and the kernel's structures have it.
pub(crate) trait Stored: IpAddress + AsRef<[u8]> + 'static {
    /// What an Ethernet header calls the family.
    const ETHERTYPE: [u8; 2];
    /// What the kernel calls it.
    const AF: u8;

    /// The family's conntrack.
    fn flows() -> &'static Flows<Self>;
    /// The family's sources that were proven.
    fn proven() -> &'static ProvenSources<Self>;
    /// This CPU's memory for what stacks are too small for.
    fn scratch() -> Option<*mut Scratch<Self>>;
    /// The address as the sender in a route look-up.
    fn source(self) -> Source;
    /// The address as the destination in a route look-up.
    fn destination(self) -> Destination;
    /// The next hop a route look-up has found; its family is this one.
    fn next_hop(found: &Destination) -> Self;
    /// The address as the next hop of a redirect.
    fn neighbour(self) -> NextHop;
    /// A packet's tuple in a socket look-up, and how many of its bytes the family has.
    fn socket_tuple(key: &FlowKey<Self>) -> (SocketTuple, usize);
}

impl Stored for [u8; 4] {
    const ETHERTYPE: [u8; 2] = [0x08, 0x00];
    const AF: u8 = AF_INET;

    #[inline(always)]
    fn flows() -> &'static Flows<Self> {
        &FLOWS4
    }

    #[inline(always)]
    fn proven() -> &'static ProvenSources<Self> {
        &PROVEN4
    }

    #[inline(always)]
    fn scratch() -> Option<*mut Scratch<Self>> {
        SCRATCH4.get_ptr_mut(0)
    }

    #[inline(always)]
    fn source(self) -> Source {
        Source { ipv4_src: u32::from_ne_bytes(self) }
    }

    #[inline(always)]
    fn destination(self) -> Destination {
        Destination { ipv4_dst: u32::from_ne_bytes(self) }
    }

    #[inline(always)]
    fn next_hop(found: &Destination) -> Self {
        // SAFETY: all 16 bytes of the union are initialised, and any are an address.
        unsafe { found.ipv4_dst }.to_ne_bytes()
    }

    #[inline(always)]
    fn neighbour(self) -> NextHop {
        NextHop { ipv4_nh: u32::from_ne_bytes(self) }
    }

    #[inline(always)]
    fn socket_tuple(key: &FlowKey<Self>) -> (SocketTuple, usize) {
        let ipv4 = Tuple4 {
            saddr: u32::from_ne_bytes(key.src),
            daddr: u32::from_ne_bytes(key.dst),
            sport: u16::from_ne_bytes(key.sport.0),
            dport: u16::from_ne_bytes(key.dport.0),
        };
        (SocketTuple { __bindgen_anon_1: EitherTuple { ipv4 } }, size_of::<Tuple4>())
    }
}

impl Stored for [u8; 16] {
    const ETHERTYPE: [u8; 2] = [0x86, 0xdd];
    const AF: u8 = AF_INET6;

    #[inline(always)]
    fn flows() -> &'static Flows<Self> {
        &FLOWS6
    }

    #[inline(always)]
    fn proven() -> &'static ProvenSources<Self> {
        &PROVEN6
    }

    #[inline(always)]
    fn scratch() -> Option<*mut Scratch<Self>> {
        SCRATCH6.get_ptr_mut(0)
    }

    #[inline(always)]
    fn source(self) -> Source {
        Source { ipv6_src: words(self) }
    }

    #[inline(always)]
    fn destination(self) -> Destination {
        Destination { ipv6_dst: words(self) }
    }

    #[inline(always)]
    fn next_hop(found: &Destination) -> Self {
        // SAFETY: all 16 bytes of the union are initialised, and any are an address.
        bytes(unsafe { found.ipv6_dst })
    }

    #[inline(always)]
    fn neighbour(self) -> NextHop {
        NextHop { ipv6_nh: words(self) }
    }

    #[inline(always)]
    fn socket_tuple(key: &FlowKey<Self>) -> (SocketTuple, usize) {
        let ipv6 = Tuple6 {
            saddr: words(key.src),
            daddr: words(key.dst),
            sport: u16::from_ne_bytes(key.sport.0),
            dport: u16::from_ne_bytes(key.dport.0),
        };
        (SocketTuple { __bindgen_anon_1: EitherTuple { ipv6 } }, size_of::<Tuple6>())
    }
}

/// The kernel's own type of an IPv6 address: the same bytes in words.
#[inline(always)]
const fn words(address: [u8; 16]) -> [u32; 4] {
    // SAFETY: both are 16 bytes of which any value is valid.
    unsafe { core::mem::transmute(address) }
}

#[inline(always)]
const fn bytes(words: [u32; 4]) -> [u8; 16] {
    // SAFETY: as above.
    unsafe { core::mem::transmute(words) }
}

/// The question where a packet of this tuple, come in by a device, would be routed.
#[inline(always)]
pub(crate) fn route_lookup<A: Stored>(key: &FlowKey<A>, ifindex: u32) -> FibLookup {
    // SAFETY: integers and arrays of them, for which zero is valid. The kernel wants every byte
    // initialised.
    let empty: FibLookup = unsafe { zeroed() };
    FibLookup {
        family: A::AF,
        l4_protocol: key.proto.0,
        sport: u16::from_ne_bytes(key.sport.0),
        dport: u16::from_ne_bytes(key.dport.0),
        ifindex,
        __bindgen_anon_3: key.src.source(),
        __bindgen_anon_4: key.dst.destination(),
        ..empty
    }
}

/// A next hop for a redirect.
#[inline(always)]
pub(crate) fn neighbour<A: Stored>(next_hop: A) -> Neighbour {
    // SAFETY: as for `empty` above.
    let mut neighbour: Neighbour = unsafe { zeroed() };
    neighbour.nh_family = A::AF.into();
    neighbour.__bindgen_anon_1 = next_hop.neighbour();
    neighbour
}
