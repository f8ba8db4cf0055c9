//! From a destination to one backend of its ServicePort: one hash and one array read, unless it is
//! a NodePort or its ServicePort has session affinity.

use super::policy::{Scope, Standing, masquerades};
use super::{Choice, Env, Sender, ServiceTables, affinity, host_port};
use crate::abi::{
    Addr, Address, FrontendKey, FrontendKind, NetworkFlags, NetworkKind, NodeFlags, Port, Proto,
    Service, ServiceFlags, ServiceId, SourceKey,
};

/// Finds what a destination stands for; false where it is no frontend. A port that leads to a pod is
/// one for what begins a flow.
#[inline(always)]
pub(crate) fn frontend<A: Address>(
    (dst, port, proto): (A, Port, Proto),
    begins: bool,
    tables: &impl ServiceTables,
    choice: &mut Choice,
) -> bool {
    let mut key =
        FrontendKey { addr: dst.widen(), port, proto, kind: FrontendKind::Exact.number() };
    if let Some(found) = tables.service(&key) {
        choice.service = found;
        return true;
    }
    if begins && tables.may_be_host_port(port) && host_port::find::<A>(&key, tables, choice) {
        return true;
    }
    if !is_node_port(port, tables) || !serves_node_ports(&key.addr, tables) {
        return false;
    }
    key.addr = A::ANY.widen();
    key.kind = FrontendKind::AnyNode.number();
    match tables.service(&key) {
        Some(found) => {
            choice.service = found;
            true
        }
        None => false,
    }
}

/// Spares all other ports the look-ups of a NodePort.
#[inline(always)]
fn is_node_port(port: Port, tables: &impl ServiceTables) -> bool {
    let port = port.number();
    tables.node().is_some_and(|node| node.first_node_port <= port && port <= node.last_node_port)
}

#[inline(always)]
fn serves_node_ports(addr: &Addr, tables: &impl ServiceTables) -> bool {
    tables.network(addr).is_some_and(|network| {
        NetworkKind::from_number(network.kind) == NetworkKind::OwnNode
            && network.flags.has(NetworkFlags::NODE_PORTS)
    })
}

/// Whether a client may begin flows to a frontend.
#[inline(always)]
pub(crate) fn lets_in<A: Address>(
    service: &Service,
    client: A,
    tables: &impl ServiceTables,
) -> bool {
    !service.flags.has(ServiceFlags::SOURCE_RANGES)
        || tables.lets_in(&SourceKey { service: service.id, addr: client.widen() })
}

/// Chooses a backend of the ServicePort in `choice` for a flow that begins on a node with these
/// switches. But for [`Standing::Served`], there is none. Once the choice stands, [`affinity::hold`] is due.
#[inline(always)]
pub(crate) fn choose<A: Address>(
    client: A,
    sender: Sender,
    node: NodeFlags,
    tables: &impl ServiceTables,
    env: &impl Env,
    choice: &mut Choice,
) -> Standing {
    let scope = Scope::of(choice.service.flags, sender);
    let standing = Standing::of(&choice.service, scope);
    if standing != Standing::Served {
        return standing;
    }
    choice.is_held = false;
    let found = if choice.service.id == ServiceId::HOST_PORT {
        // It stands in the choice already.
        true
    } else if choice.service.affinity_seconds == 0 {
        pick(scope, tables, env, choice)
    } else {
        pick_for(client.widen(), scope, tables, env, choice)
    };
    choice.is_certain = choice.is_held || scope.extent(&choice.service).1 == 1;
    if !found {
        return Standing::Rejected;
    }
    choice.masquerade = masquerades::<A>(choice.service.flags, sender, choice.slot.flags, node);
    Standing::Served
}

/// Any backend of the set.
#[inline(always)]
fn pick(scope: Scope, tables: &impl ServiceTables, env: &impl Env, choice: &mut Choice) -> bool {
    let (offset, count) = scope.extent(&choice.service);
    let place = offset.wrapping_add(scale(env.random(), count));
    match tables.slot(choice.service.base.wrapping_add(place)) {
        Some(slot) => {
            choice.slot = slot;
            true
        }
        None => false,
    }
}

/// The backend that the client is held to, or any.
// Not inlined: most Services have no affinity, and its stack is needed by what comes after it.
#[inline(never)]
fn pick_for(
    client: Addr,
    scope: Scope,
    tables: &impl ServiceTables,
    env: &impl Env,
    choice: &mut Choice,
) -> bool {
    choice.is_held = affinity::honour(client, scope, tables, env.now(), choice);
    choice.is_held || pick(scope, tables, env, choice)
}

/// Whether an address is none but ours to answer: that of a frontend, or the hairpin's stand-in.
/// A frontend may be at the node's own address, where others than Services are reached too.
#[inline(always)]
pub(super) fn is_ours<A: Address>(dst: A, tables: &impl ServiceTables) -> bool {
    dst == A::HAIRPIN || (mark(dst, tables).is_some() && !is_own(dst, tables))
}

/// What is said of an address of which some port is served.
#[inline(always)]
pub(super) fn mark<A: Address>(dst: A, tables: &impl ServiceTables) -> Option<Service> {
    let (port, proto, kind) = (Port::new(0), Proto(0), FrontendKind::Address.number());
    tables.service(&FrontendKey { addr: dst.widen(), port, proto, kind })
}

/// Whether a device of this node has an address.
#[inline(always)]
pub(crate) fn is_own<A: Address>(addr: A, tables: &impl ServiceTables) -> bool {
    let network = tables.network(&addr.widen());
    network.is_some_and(|network| network.kind == NetworkKind::OwnNode.number())
}

/// Whether an address is in a network of which this node has the pods.
#[inline(always)]
pub(super) fn is_of_own_pods<A: Address>(addr: A, tables: &impl ServiceTables) -> bool {
    let network = tables.network(&addr.widen());
    network.is_some_and(|network| network.kind == NetworkKind::OwnPods.number())
}

/// Maps 32 random bits onto `0..count`, evenly but for count/2³², without a division.
#[inline(always)]
pub(super) fn scale(random: u32, count: u32) -> u32 {
    (u64::from(random).wrapping_mul(u64::from(count)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{Network, Node, Slot, SlotFlags};
    use crate::flow::fake::{Fake, FixedEnv, backend_slot};

    /// The choice of a pod's flow, on tables whose slots 0 to 7 are backends of these numbers.
    fn chosen(service: Service, random: u32) -> (Standing, Choice) {
        let tables = Fake::<[u8; 4]>::default();
        for number in 0..8 {
            let slot = backend_slot([10, 1, 1, number], 8080, u32::from(number));
            tables.add_slot(u32::from(number), Slot { flags: SlotFlags::LOCAL, ..slot });
        }
        let mut choice = Choice { service, ..Choice::default() };
        let env = FixedEnv { now: 0, random };
        let (client, node) = ([10, 1, 1, 2], NodeFlags::default());
        let standing = choose(client, Sender::LocalPod, node, &tables, &env, &mut choice);
        (standing, choice)
    }

    #[test]
    fn the_policy_chooses_the_set_and_the_random_number_the_backend() {
        let cluster = Service {
            base: 1,
            local_count: 2,
            cluster_offset: 1,
            cluster_count: 4,
            ..Service::default()
        };
        let local = Service { flags: ServiceFlags::INTERNAL_LOCAL, ..cluster };
        let external = Service { flags: ServiceFlags::EXTERNAL, ..cluster };
        let served = |service, number: u8, masquerade| {
            let slot = backend_slot([10, 1, 1, number], 8080, u32::from(number));
            let slot = Slot { flags: SlotFlags::LOCAL, ..slot };
            (Standing::Served, Choice { service, slot, masquerade, ..Choice::default() })
        };
        for (name, service, random, expected) in [
            ("cluster, lowest", cluster, 0, served(cluster, 2, false)),
            ("cluster, highest", cluster, u32::MAX, served(cluster, 5, false)),
            ("local, lowest", local, 0, served(local, 1, false)),
            ("local, highest", local, u32::MAX, served(local, 2, false)),
            ("external", external, 0, served(external, 2, true)),
        ] {
            assert_eq!(chosen(service, random), expected, "{name}");
        }
        let hidden = Service { local_count: 0, ..local };
        let empty = Service { cluster_count: 0, ..cluster };
        assert_eq!(chosen(hidden, 0).0, Standing::NoLocalBackend);
        assert_eq!(chosen(empty, 0).0, Standing::Rejected);
    }

    #[test]
    fn node_ports_are_served_at_the_nodes_own_addresses_and_behind_exact_frontends() {
        let (node_port, exact) = (ServiceId(1), ServiceId(2));
        let (node, other_node) = ([192, 0, 2, 1], [192, 0, 2, 2]);
        let (loopback, vip) = ([127, 0, 0, 1], [192, 0, 2, 9]);
        let tables = Fake::<[u8; 4]>::default();
        let (first_node_port, last_node_port) = (30_000, 32_767);
        *tables.node.lock().unwrap() =
            Some(Node { first_node_port, last_node_port, ..Node::default() });
        let serves = NetworkFlags::NODE_PORTS;
        for (addr, kind, flags) in [
            (node, NetworkKind::OwnNode, serves),
            (loopback, NetworkKind::OwnNode, NetworkFlags::default()),
            (other_node, NetworkKind::OtherNode, serves),
        ] {
            let network = Network { kind: kind.number(), flags, reserved: [0; 2] };
            tables.networks.lock().unwrap().insert(addr.widen(), network);
        }
        for port in [29_999, 30_000, 32_767, 32_768, 31_000] {
            tables.add_node_port(port, Proto::TCP, Service { id: node_port, ..Service::default() });
        }
        tables.add_service(node, 31_000, Proto::TCP, Service { id: exact, ..Service::default() });
        for (name, dst, port, proto, expected) in [
            ("lowest", node, 30_000, Proto::TCP, Some(node_port)),
            ("highest", node, 32_767, Proto::TCP, Some(node_port)),
            ("below", node, 29_999, Proto::TCP, None),
            ("above", node, 32_768, Proto::TCP, None),
            ("of another protocol", node, 30_000, Proto::UDP, None),
            ("nobody's", node, 30_001, Proto::TCP, None),
            ("exact", node, 31_000, Proto::TCP, Some(exact)),
            ("at an address without NodePorts", loopback, 30_000, Proto::TCP, None),
            ("at another node", other_node, 30_000, Proto::TCP, None),
            ("elsewhere", vip, 30_000, Proto::TCP, None),
        ] {
            let mut choice = Choice::default();
            let is_found = frontend((dst, Port::new(port), proto), true, &tables, &mut choice);
            assert_eq!(is_found.then_some(choice.service.id), expected, "{name}");
        }
    }

    #[test]
    fn choice_is_uniform() {
        // Chi-square over a full walk of the upper 16 random bits: exact for counts that divide it.
        for count in [1, 2, 3, 7, 100] {
            let mut hits = vec![0_u32; count as usize];
            for upper in 0..=u16::MAX {
                hits[scale(u32::from(upper) << 16, count) as usize] += 1;
            }
            let (least, most) = (hits.iter().min().unwrap(), hits.iter().max().unwrap());
            assert!(most - least <= 1, "{count} backends: {least}..{most}");
        }
    }
}
