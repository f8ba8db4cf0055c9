//! Rewriting packets in place, with every checksum that covers what changes.
//!
//! Socket buffers are not rewritten here: their checksums may still be the network card's to
//! complete, so kernel programs hand the same differences to the kernel's own helpers.

use super::{
    BytesMut, Checksum, IpAddress, Packet, Quoted, Sum, TooShort, Transport, bytes::read_within,
    checksum_offset,
};
use crate::{
    abi::{FlowKey, Port, Proto},
    flow::{Related, Rewrite},
};

/// What the addresses change a checksum by.
#[must_use]
#[inline(always)]
pub fn address_diff<A: IpAddress>(rewrite: &Rewrite<A>) -> Sum {
    let Rewrite { from, to, .. } = rewrite;
    from.src.diff(to.src).plus(from.dst.diff(to.dst))
}

/// What the ports change a checksum by.
#[must_use]
#[inline(always)]
pub fn port_diff<A: IpAddress>(rewrite: &Rewrite<A>) -> Sum {
    Sum::diff(&ports(&rewrite.from), &ports(&rewrite.to))
}

/// What addresses and TTL change the IP header's checksum by.
#[must_use]
#[inline(always)]
pub fn header_diff<A: IpAddress>(rewrite: &Rewrite<A>, ttl: u8) -> Sum {
    // TTL is the first byte of its 16-bit word.
    let hop = Sum::diff(&[ttl, 0], &[ttl_after(rewrite, ttl), 0]);
    address_diff(rewrite).plus(hop)
}

/// Rewrites `packet`, which was parsed from `bytes`.
///
/// # Errors
/// [`TooShort`] where `bytes` are not those the packet was parsed from.
#[inline(always)]
pub fn apply<A: IpAddress, B: BytesMut + ?Sized>(
    rewrite: &Rewrite<A>,
    packet: &Packet<A>,
    bytes: &mut B,
) -> Result<(), TooShort> {
    let end = packet.end(bytes);
    rewrite_header(bytes, packet.l3, packet.ttl, rewrite)?;
    match packet.transport {
        Transport::Tcp(_) | Transport::Udp { .. } => {
            rewrite_l4(bytes, packet.l4, end, rewrite)?;
        }
        Transport::Icmp { .. } if A::ICMP_COVERS_ADDRESSES => {
            update_l4(bytes, packet.l4, end, A::ICMP, address_diff(rewrite))?;
        }
        Transport::Sctp(_)
        | Transport::Icmp { .. }
        | Transport::LaterFragment
        | Transport::Other => {}
    }
    Ok(())
}

/// Rewrites the ICMP error `packet` and the packet it quotes.
///
/// # Errors
/// [`TooShort`] where `bytes` are not those the packet was parsed from.
#[inline(always)]
pub fn apply_related<A: IpAddress, B: BytesMut + ?Sized>(
    related: &Related<A>,
    packet: &Packet<A>,
    bytes: &mut B,
) -> Result<(), TooShort> {
    let quote = rewrite_quote(related, packet.end(bytes), bytes)?;
    rewrite_error(related, packet, bytes, quote)
}

/// Rewrites the quoted packet. Gives what that changes a sum over it by.
// Not inlined: in IPv6 either half needs most of the stack that kernel programs have.
#[inline(never)]
fn rewrite_quote<A: IpAddress, B: BytesMut + ?Sized>(
    related: &Related<A>,
    end: u32,
    bytes: &mut B,
) -> Result<Sum, TooShort> {
    let Related { quote: Quoted { l3, l4, .. }, .. } = *related;
    let inner = related.inner();
    let header = rewrite_header(bytes, l3, 0, &inner)?;
    Ok(header.plus(rewrite_l4(bytes, l4, end, &inner)?))
}

/// Rewrites the error itself, whose quote has changed by `quote`.
#[inline(never)]
fn rewrite_error<A: IpAddress, B: BytesMut + ?Sized>(
    related: &Related<A>,
    packet: &Packet<A>,
    bytes: &mut B,
    quote: Sum,
) -> Result<(), TooShort> {
    let outer = related.outer(packet);
    rewrite_header(bytes, packet.l3, packet.ttl, &outer)?;
    let addresses = if A::ICMP_COVERS_ADDRESSES { address_diff(&outer) } else { Sum::ZERO };
    update_l4(bytes, packet.l4, packet.end(bytes), A::ICMP, quote.plus(addresses))?;
    Ok(())
}

/// Rewrites addresses, TTL and the header's checksum. Gives what all of it changes a sum over the
/// header by.
///
/// # Errors
/// [`TooShort`] where the header at `l3` does not lie in `bytes`.
#[inline(always)]
pub fn rewrite_header<A: IpAddress, B: BytesMut + ?Sized>(
    bytes: &mut B,
    l3: u32,
    ttl: u8,
    rewrite: &Rewrite<A>,
) -> Result<Sum, TooShort> {
    let diff = header_diff(rewrite, ttl);
    A::write_addresses(bytes, l3, rewrite.to.src, rewrite.to.dst)?;
    if rewrite.routed {
        bytes.write(l3.wrapping_add(A::TTL), [ttl_after(rewrite, ttl)])?;
    }
    match A::HEADER_CHECKSUM {
        Some(offset) => {
            let at = l3.wrapping_add(offset);
            let old = Checksum(bytes.read(at)?);
            Ok(diff.plus(replace(bytes, at, old, old.updated(diff))?))
        }
        None => Ok(diff),
    }
}

/// Rewrites ports and checksum of a transport header; SCTP's ports are the same before and after. Gives what that changes a sum over the header by.
#[inline(always)]
fn rewrite_l4<A: IpAddress, B: BytesMut + ?Sized>(
    bytes: &mut B,
    l4: u32,
    end: u32,
    rewrite: &Rewrite<A>,
) -> Result<Sum, TooShort> {
    let ports_diff = port_diff(rewrite);
    let diff = address_diff(rewrite).plus(ports_diff);
    bytes.write(l4, ports(&rewrite.to))?;
    Ok(ports_diff.plus(update_l4(bytes, l4, end, rewrite.from.proto, diff)?))
}

/// Updates the checksum of a transport header, if it has one before `end`: quotes are cut.
#[inline(always)]
fn update_l4<B: BytesMut + ?Sized>(
    bytes: &mut B,
    l4: u32,
    end: u32,
    proto: Proto,
    diff: Sum,
) -> Result<Sum, TooShort> {
    let Some(offset) = checksum_offset(proto) else {
        return Ok(Sum::ZERO);
    };
    let at = l4.wrapping_add(offset);
    match read_within(bytes, at, end).map(Checksum) {
        Ok(old) => replace(bytes, at, old, old.updated_for(proto, diff)),
        Err(TooShort) => Ok(Sum::ZERO),
    }
}

#[inline(always)]
fn replace<B: BytesMut + ?Sized>(
    bytes: &mut B,
    at: u32,
    old: Checksum,
    new: Checksum,
) -> Result<Sum, TooShort> {
    bytes.write(at, new.0)?;
    Ok(Sum::diff(&old.0, &new.0))
}

#[inline(always)]
fn ttl_after<A>(rewrite: &Rewrite<A>, ttl: u8) -> u8 {
    ttl.saturating_sub(u8::from(rewrite.routed))
}

#[inline(always)]
fn ports<A>(key: &FlowKey<A>) -> [u8; 4] {
    let FlowKey { sport: Port([s0, s1]), dport: Port([d0, d1]), .. } = key;
    [*s0, *s1, *d0, *d1]
}
