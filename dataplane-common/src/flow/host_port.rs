//! Ports of the node that lead to pods: each like an entrance with one backend, of which the client
//! keeps its address. There is no identity of a backend behind it; the pod's own entry tells whether
//! it lives.

use super::select::is_own;
use super::{Choice, ServiceTables, Tables, Work};
use crate::abi::{
    Address, BackendId, FrontendKey, FrontendKind, HostPort, Service, ServiceFlags, ServiceId,
    Slot, SlotFlags,
};

/// Makes what stands there what each of them is as a ServicePort: no policy hides its pod, nobody is
/// masqueraded. Field by field: a value that is copied whole would be a map of its own.
#[inline(always)]
fn be_host_port(service: &mut Service) {
    *service = Service::default();
    service.id = ServiceId::HOST_PORT;
    service.local_count = 1;
    service.cluster_count = 1;
    service.flags = ServiceFlags::EXTERNAL.union(ServiceFlags::EXTERNAL_LOCAL);
}

/// Finds the pod that a port of the node leads to: by the very address, else by any. The choice has
/// it then.
// Not inlined: rare, and its stack is needed elsewhere.
#[inline(never)]
pub(super) fn find<A: Address>(
    key: &FrontendKey,
    tables: &impl ServiceTables,
    choice: &mut Choice,
) -> bool {
    let dst = A::narrow(key.addr);
    if !dst.is_loopback() && !is_own(dst, tables) {
        return false;
    }
    let any = FrontendKey { addr: A::ANY.widen(), kind: FrontendKind::AnyNode.number(), ..*key };
    let found = match tables.host_port(key) {
        Some(exact) => Some(exact),
        None => tables.host_port(&any),
    };
    match found {
        Some(HostPort { addr, port, ifindex, .. }) => {
            let (generation, backend) = (HostPort::generation(ifindex), BackendId::NONE);
            be_host_port(&mut choice.service);
            choice.slot = Slot { addr, port, generation, backend, flags: SlotFlags::LOCAL };
            true
        }
        None => false,
    }
}

/// Whether the choice at hand is a host port whose pod is gone: nobody has the port, until somebody
/// takes it over.
#[inline(always)]
pub(super) fn has_lost_its_pod<A: Address>(work: &Work<A>, tables: &impl Tables<A>) -> bool {
    let Choice { service, slot, .. } = &work.choice;
    service.id == ServiceId::HOST_PORT && !is_behind(slot.generation, A::narrow(slot.addr), tables)
}

/// Whether a pod has an address that is behind the link which a flow remembers.
// Not inlined: as above.
#[inline(never)]
pub(super) fn is_behind<A: Address>(generation: u16, addr: A, tables: &impl Tables<A>) -> bool {
    tables.pod(addr).is_some_and(|pod| HostPort::generation(pod.ifindex) == generation)
}

#[cfg(test)]
#[path = "host_port_tests.rs"]
mod tests;
