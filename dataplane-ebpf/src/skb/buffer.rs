//! A socket buffer and the kernel's helpers on it. The only place that calls them by pointer.
//!
//! Offsets count from the first byte the hook sees. Helpers reach bytes in fragments too;
//! [`super::linear`] is the way without them.

use core::mem::MaybeUninit;

use aya_ebpf::bindings::{__sk_buff, BPF_F_RECOMPUTE_CSUM, bpf_adj_room_mode};
use aya_ebpf::helpers::generated::{
    bpf_l4_csum_replace, bpf_redirect, bpf_skb_adjust_room, bpf_skb_change_head,
    bpf_skb_change_tail, bpf_skb_load_bytes, bpf_skb_store_bytes, bpf_skb_vlan_pop,
};
use aya_ebpf::programs::TcContext;
use dataplane_common::abi::names::DONE;
use dataplane_common::packet::{Bytes, BytesMut, Sum, TooShort};

/// What the kernel calls a frame that is for another station.
const PACKET_OTHERHOST: u32 = 3;

/// The kernel refused; what it says why has no place to go.
pub(crate) struct HelperFailed;

/// The socket buffer a hook was called with.
#[derive(Clone, Copy)]
pub(crate) struct Skb {
    raw: *mut __sk_buff,
}

impl Skb {
    #[inline(always)]
    pub(crate) const fn new(ctx: &TcContext) -> Self {
        Self { raw: ctx.skb.skb }
    }

    #[inline(always)]
    pub(crate) const fn raw(&self) -> *mut __sk_buff {
        self.raw
    }

    /// The device the packet is at.
    #[inline(always)]
    pub(crate) fn ifindex(&self) -> u32 {
        // SAFETY: `raw` is the context the kernel called the program with.
        unsafe { (*self.raw).ifindex }
    }

    /// Where the part of the packet that lies in one piece begins and ends.
    #[inline(always)]
    pub(super) fn bounds(&self) -> (usize, usize) {
        // SAFETY: as above.
        unsafe { ((*self.raw).data as usize, (*self.raw).data_end as usize) }
    }

    /// Payload bytes of one segment; zero without segmentation offload.
    #[inline(always)]
    pub(crate) fn gso_size(&self) -> u32 {
        // SAFETY: as above.
        unsafe { (*self.raw).gso_size }
    }

    /// Whether the frame is addressed to another station, and only a promiscuous device took it in.
    #[inline(always)]
    pub(crate) fn is_for_others(&self) -> bool {
        // SAFETY: as above.
        unsafe { (*self.raw).pkt_type == PACKET_OTHERHOST }
    }

    /// Whether a VLAN tag stands beside the packet, where the device took it to.
    #[inline(always)]
    pub(crate) fn has_vlan_beside(&self) -> bool {
        // SAFETY: as above.
        unsafe { (*self.raw).vlan_present != 0 }
    }

    /// Whether the packet belongs to a socket of the host: what is forwarded has none.
    #[inline(always)]
    pub(crate) fn has_socket(&self) -> bool {
        // SAFETY: as above; only compared with null.
        !unsafe { (*self.raw).__bindgen_anon_2.sk }.is_null()
    }

    /// Says that everything has been done to the packet.
    #[inline(always)]
    pub(crate) fn set_done(&self) {
        // SAFETY: as above; programs at tc hooks may write the field, of which the kernel keeps 16
        // bits.
        unsafe { (*self.raw).tc_index = DONE };
    }

    /// Whether everything has been done to the packet; who asks is the last to know.
    #[inline(always)]
    pub(crate) fn take_done(&self) -> bool {
        // SAFETY: as above.
        let is_done = unsafe { (*self.raw).tc_index } == DONE;
        if is_done {
            // SAFETY: as above.
            unsafe { (*self.raw).tc_index = 0 };
        }
        is_done
    }

    /// Writes bytes that no checksum covers, or whose checksums are written likewise.
    #[inline(always)]
    pub(crate) fn store(
        &self,
        offset: u32,
        value: impl AsRef<[u8]>,
        flags: u32,
    ) -> Result<(), HelperFailed> {
        let value = value.as_ref();
        let (start, size) = (value.as_ptr().cast(), size(value.len()));
        // SAFETY: `start` is that of `size` readable bytes; the helper checks the packet's bounds.
        done(unsafe { bpf_skb_store_bytes(self.raw, offset, start, size, flags.into()) })
    }

    /// Updates a transport checksum at `offset`. `flags` say whether the pseudo-header changed,
    /// and whether zero means none.
    #[inline(always)]
    pub(crate) fn replace_l4_checksum(
        &self,
        offset: u32,
        diff: Sum,
        flags: u32,
    ) -> Result<(), HelperFailed> {
        // SAFETY: the helper checks `offset` against the packet.
        done(unsafe { bpf_l4_csum_replace(self.raw, offset, 0, diff.wsum().into(), flags.into()) })
    }

    /// Cuts the packet, or fills it up with zeroes, and makes it one segment.
    #[inline(always)]
    pub(crate) fn set_len(&self, len: u32) -> Result<(), HelperFailed> {
        // SAFETY: the helper checks `len`.
        done(unsafe { bpf_skb_change_tail(self.raw, len, 0) })
    }

    /// Makes room of zeroes between the link-layer header and the IP header.
    #[inline(always)]
    pub(crate) fn make_room(&self, bytes: u32) -> Result<(), HelperFailed> {
        let mode = bpf_adj_room_mode::BPF_ADJ_ROOM_MAC;
        // SAFETY: the helper checks the length.
        done(unsafe { bpf_skb_adjust_room(self.raw, bytes.cast_signed(), mode, 0) })
    }

    /// Takes out bytes between the link-layer header and what shall follow it.
    #[inline(always)]
    pub(crate) fn take_out(&self, bytes: u32) -> Result<(), HelperFailed> {
        let mode = bpf_adj_room_mode::BPF_ADJ_ROOM_MAC;
        let bytes = bytes.cast_signed().wrapping_neg();
        // SAFETY: the helper checks the length.
        done(unsafe { bpf_skb_adjust_room(self.raw, bytes, mode, 0) })
    }

    /// Puts zeroes before the packet's first byte.
    #[inline(always)]
    pub(crate) fn push_front(&self, bytes: u32) -> Result<(), HelperFailed> {
        // SAFETY: the helper checks the length.
        done(unsafe { bpf_skb_change_head(self.raw, bytes, 0) })
    }

    /// Takes the outermost VLAN tag off.
    #[inline(always)]
    pub(crate) fn pop_vlan(&self) -> Result<(), HelperFailed> {
        // SAFETY: the helper takes the context alone.
        done(unsafe { bpf_skb_vlan_pop(self.raw) })
    }

    /// Sends the packet out of the device it came in by; the action to return.
    #[inline(always)]
    pub(crate) fn send_back(&self) -> i32 {
        // SAFETY: the helper takes numbers alone.
        action(unsafe { bpf_redirect(self.ifindex(), 0) })
    }
}

/// A size as helpers take it.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "sizes here are those of headers")]
pub(crate) const fn size(bytes: usize) -> u32 {
    bytes as u32
}

/// A helper's answer where zero is success.
#[inline(always)]
pub(super) fn done(answer: i64) -> Result<(), HelperFailed> {
    if answer == 0 { Ok(()) } else { Err(HelperFailed) }
}

/// A redirect helper's answer: the action to return from the program.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a tc action")]
pub(super) const fn action(answer: i64) -> i32 {
    answer as i32
}

impl Bytes for Skb {
    #[inline(always)]
    fn len(&self) -> u32 {
        // SAFETY: `raw` is the context the kernel called the program with.
        unsafe { (*self.raw).len }
    }

    #[inline(always)]
    fn read<const N: usize>(&self, offset: u32) -> Result<[u8; N], TooShort> {
        let mut value = MaybeUninit::<Aligned<N>>::uninit();
        // SAFETY: `value` is `N` writable bytes; the helper checks the packet's own bounds.
        match unsafe {
            bpf_skb_load_bytes(self.raw.cast(), offset, value.as_mut_ptr().cast(), size(N))
        } {
            // SAFETY: the helper has written all `N` bytes.
            0 => Ok(unsafe { value.assume_init() }.0),
            _ => Err(TooShort),
        }
    }
}

/// Bytes from which words are loaded whole: the target has no unaligned loads, so that unaligned
/// headers take a load, and often a stack slot, for each byte.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(super) struct Aligned<const N: usize>(pub(super) [u8; N]);

/// For headers whose checksums are complete, as ICMP's always are: the sum that a network card may
/// have left beside the packet follows each write.
impl BytesMut for Skb {
    #[inline(always)]
    fn write<const N: usize>(&mut self, offset: u32, value: [u8; N]) -> Result<(), TooShort> {
        self.store(offset, value, BPF_F_RECOMPUTE_CSUM).map_err(|HelperFailed| TooShort)
    }
}
