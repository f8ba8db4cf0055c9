//! The kernel's context of a call, field by field.
//!
//! Every access is volatile: the verifier knows the fields by their offsets and sizes, and refuses
//! what compilers make of several at once.

use core::ptr::null_mut;

use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::{bpf_sock, bpf_sock_addr};
use aya_ebpf::helpers::generated::{bpf_get_netns_cookie, bpf_get_socket_cookie, bpf_set_retval};
use aya_ebpf::programs::SockAddrContext;
use dataplane_common::abi::{Port, Proto};
use dataplane_common::socket::is_of_node;

use crate::maps;

/// `ECONNREFUSED`, as helpers take it.
const CONNECTION_REFUSED: i32 = -111;

/// A call on a socket.
#[derive(Clone, Copy)]
pub(crate) struct SockAddr(*mut bpf_sock_addr);

impl SockAddr {
    #[inline(always)]
    pub(crate) fn new(ctx: &SockAddrContext) -> Self {
        Self(ctx.as_ptr().cast())
    }

    /// Whether the socket is of the node's network namespace; of the initial one, while nobody has
    /// said which that is.
    #[inline(always)]
    pub(super) fn is_of_node(self) -> bool {
        let node = maps::node().unwrap_or_default();
        // SAFETY: the helper takes this context, or none for the initial namespace.
        let (netns, initial) =
            unsafe { (bpf_get_netns_cookie(self.0.cast()), bpf_get_netns_cookie(null_mut())) };
        is_of_node(&node, netns, initial)
    }

    #[inline(always)]
    pub(super) fn cookie(self) -> u64 {
        // SAFETY: the helper takes this context.
        unsafe { bpf_get_socket_cookie(self.0.cast()) }
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "what is no byte is no protocol of ours")]
    pub(super) fn proto(self) -> Proto {
        // SAFETY: a field of the context, which outlives the program.
        match unsafe { (&raw const (*self.0).protocol).read_volatile() } {
            number @ 0..=255 => Proto(number as u8),
            _ => Proto(0),
        }
    }

    #[inline(always)]
    pub(super) fn addr4(self) -> [u8; 4] {
        // SAFETY: as above.
        unsafe { (&raw const (*self.0).user_ip4).read_volatile() }.to_ne_bytes()
    }

    #[inline(always)]
    pub(super) fn set_addr4(self, addr: [u8; 4]) {
        // SAFETY: as above; programs may write the field.
        unsafe { (&raw mut (*self.0).user_ip4).write_volatile(u32::from_ne_bytes(addr)) };
    }

    /// The peer that the socket has, of IPv4; port 0 where it has none.
    #[inline(always)]
    pub(super) fn peer4(self) -> ([u8; 4], Port) {
        let sock = self.sock();
        // SAFETY: a field of the socket, which outlives the program.
        let addr = unsafe { (&raw const (*sock).dst_ip4).read_volatile() };
        (addr.to_ne_bytes(), port_of(sock))
    }

    /// The peer that the socket has, of IPv6; port 0 where it has none.
    #[inline(always)]
    pub(super) fn peer6(self) -> ([u32; 4], Port) {
        let sock = self.sock();
        // SAFETY: as above, and each word is one of the field's four.
        let addr = unsafe {
            let words = (&raw const (*sock).dst_ip6).cast::<u32>();
            [0, 1, 2, 3].map(|place| words.add(place).read_volatile())
        };
        (addr, port_of(sock))
    }

    /// Never null.
    #[inline(always)]
    fn sock(self) -> *const bpf_sock {
        // SAFETY: a field of the context, which outlives the program.
        unsafe { (&raw const (*self.0).__bindgen_anon_1.sk).read_volatile() }
    }

    #[inline(always)]
    pub(super) fn addr6(self) -> [u32; 4] {
        // SAFETY: as above, and each word is one of the field's four.
        unsafe {
            let words = (&raw const (*self.0).user_ip6).cast::<u32>();
            [0, 1, 2, 3].map(|place| words.add(place).read_volatile())
        }
    }

    #[inline(always)]
    pub(super) fn set_addr6(self, [first, second, third, last]: [u32; 4]) {
        // SAFETY: as above; programs may write the field.
        unsafe {
            let words = (&raw mut (*self.0).user_ip6).cast::<u32>();
            words.write_volatile(first);
            words.add(1).write_volatile(second);
            words.add(2).write_volatile(third);
            words.add(3).write_volatile(last);
        }
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the kernel's field has 16 bits in use")]
    pub(super) fn port(self) -> Port {
        // SAFETY: as above.
        Port((unsafe { (&raw const (*self.0).user_port).read_volatile() } as u16).to_ne_bytes())
    }

    #[inline(always)]
    pub(super) fn set_port(self, port: Port) {
        let number = u32::from(u16::from_ne_bytes(port.0));
        // SAFETY: as above; programs may write the field.
        unsafe { (&raw mut (*self.0).user_port).write_volatile(number) };
    }

    /// Makes the call fail with `ECONNREFUSED`, if the program does not allow it.
    #[inline(always)]
    pub(super) fn refuse(self) {
        // SAFETY: the helper takes a number.
        let _always_zero = unsafe { bpf_set_retval(CONNECTION_REFUSED) };
    }
}

#[inline(always)]
fn port_of(sock: *const bpf_sock) -> Port {
    // SAFETY: a field of a socket that outlives the program.
    Port(unsafe { (&raw const (*sock).dst_port).read_volatile() }.to_ne_bytes())
}
