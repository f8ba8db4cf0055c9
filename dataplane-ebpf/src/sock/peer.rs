//! The peer as calls of the two families have it.

use dataplane_common::abi::{Addr, Address as _, Port};

use super::SockAddr;
use super::hook::Step;

/// The second half of an IPv4-mapped address's prefix, as the kernel's third word has it.
const MAPPED: u32 = u32::from_ne_bytes([0, 0, 0xff, 0xff]);

/// Where a call has its peer's address.
pub(crate) trait Peer {
    /// Reads the peer and takes a step in the family it is of.
    fn step<S: Step>(sock: SockAddr) -> i32;
    /// The peer that the socket has already; port 0 where it has none.
    fn connected(sock: SockAddr) -> (Addr, Port);
    /// Puts another peer in its place.
    fn replace(sock: SockAddr, addr: Addr, port: Port);
}

/// A call with an IPv4 address.
pub(crate) struct Peer4;

impl Peer for Peer4 {
    #[inline(always)]
    fn step<S: Step>(sock: SockAddr) -> i32 {
        S::take::<Self, [u8; 4]>(sock, sock.addr4())
    }

    #[inline(always)]
    fn connected(sock: SockAddr) -> (Addr, Port) {
        let (addr, port) = sock.peer4();
        (addr.widen(), port)
    }

    #[inline(always)]
    fn replace(sock: SockAddr, addr: Addr, port: Port) {
        sock.set_addr4(<[u8; 4]>::narrow(addr));
        sock.set_port(port);
    }
}

/// A call with an IPv6 address, which may stand for one of IPv4.
pub(crate) struct Peer6;

impl Peer for Peer6 {
    #[inline(always)]
    fn step<S: Step>(sock: SockAddr) -> i32 {
        let words = sock.addr6();
        match words {
            [0, 0, MAPPED, last] => S::take::<Self, [u8; 4]>(sock, last.to_ne_bytes()),
            _ => S::take::<Self, [u8; 16]>(sock, bytes(words)),
        }
    }

    #[inline(always)]
    fn connected(sock: SockAddr) -> (Addr, Port) {
        let (addr, port) = sock.peer6();
        (bytes(addr).widen(), port)
    }

    #[inline(always)]
    fn replace(sock: SockAddr, addr: Addr, port: Port) {
        sock.set_addr6(words(addr.0));
        sock.set_port(port);
    }
}

#[inline(always)]
const fn bytes(words: [u32; 4]) -> [u8; 16] {
    // SAFETY: both are 16 bytes of which any value is valid.
    unsafe { core::mem::transmute(words) }
}

#[inline(always)]
const fn words(bytes: [u8; 16]) -> [u32; 4] {
    // SAFETY: as above.
    unsafe { core::mem::transmute(bytes) }
}
