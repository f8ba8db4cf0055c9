//! Packets to cluster IPs where there is no frontend: a port that nobody serves is refused, an address
//! that no Service has gets no answer.
//!
//! Whatever the node does beside us may still make something of an address that no Service of ours
//! has. So such a packet is dropped only at its last hook, where nobody did.

use super::ServiceTables;
use super::select::mark;
use crate::abi::{Address, DropReason, NetworkKind, ServiceFlags};

/// Whether a destination may be a cluster IP. Spares all others the look-ups.
#[inline(always)]
pub(crate) fn may_be<A: Address>(dst: A, tables: &impl ServiceTables) -> bool {
    tables.node().is_some_and(|node| dst.is_of_services(&node))
}

/// Whether a Service has a destination as its cluster IP.
#[inline(always)]
pub(crate) fn is_one<A: Address>(dst: A, tables: &impl ServiceTables) -> bool {
    may_be(dst, tables) && is_marked(dst, tables)
}

// Not inlined: rare, and its stack is needed elsewhere.
#[inline(never)]
fn is_marked<A: Address>(dst: A, tables: &impl ServiceTables) -> bool {
    mark(dst, tables).is_some_and(|mark| mark.flags.has(ServiceFlags::CLUSTER_IP))
}

/// Why a packet must not leave the node towards an address that is no frontend and may be a cluster
/// IP: nobody has it, or it is the node's own packet and nobody serves it.
// Not inlined: as above.
#[inline(never)]
pub(super) fn refuse<A: Address>(
    dst: A,
    own_socket: bool,
    tables: &impl ServiceTables,
) -> Option<DropReason> {
    match mark(dst, tables) {
        Some(mark) if own_socket && mark.flags.has(ServiceFlags::CLUSTER_IP) => {
            Some(DropReason::UnservedClusterIp)
        }
        Some(_) => None,
        None => {
            let kind = tables.network(&dst.widen()).map(|network| network.kind);
            let is_of_services = kind == Some(NetworkKind::Services.number());
            is_of_services.then_some(DropReason::UnallocatedClusterIp)
        }
    }
}
