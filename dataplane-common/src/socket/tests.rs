//! Calls of sockets, each row in both families.

use super::{Call, Decision, ask, is_of_node, reverse, send};
use crate::abi::{
    BackendId, BackendState, FrontendKey, FrontendKind, HostPort, Network, NetworkFlags,
    NetworkKind, Node, Port, Proto, Service, ServiceFlags, ServiceId, SourceKey,
};
use crate::flow::Choice;
use crate::flow::fake::{Fake, FixedEnv, backend_slot};
use crate::packet::IpAddress;

/// The tables of a node with Services.
struct World<A> {
    tables: Fake<A>,
}

/// Addresses of a family by a number.
trait Host: IpAddress {
    fn host(number: u8) -> Self;
}

impl Host for [u8; 4] {
    fn host(number: u8) -> Self {
        [10, 0, 0, number]
    }
}

impl Host for [u8; 16] {
    fn host(number: u8) -> Self {
        [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number]
    }
}

const NODE: u8 = 1;
const VIP: u8 = 96;
const LOWEST: u32 = 0;
const HIGHEST: u32 = u32::MAX;

/// What a process is told: its peer.
type Peer<A> = (A, u16);

impl<A: Host> World<A> {
    /// Backends 11 and 12 of one ServicePort, neither here, by a virtual address and by a NodePort.
    fn new(flags: ServiceFlags) -> Self {
        let world = Self { tables: Fake::default() };
        let service = Service {
            id: ServiceId(1),
            base: 1,
            cluster_count: 2,
            affinity_epoch: 1,
            flags,
            ..Service::default()
        };
        for proto in [Proto::TCP, Proto::UDP] {
            world.tables.add_service(A::host(VIP), 80, proto, service);
            world.tables.add_node_port(30_080, proto, service);
            world.tables.add_service(A::host(VIP), 82, proto, Service::default());
        }
        for (index, number) in [(1, 11), (2, 12)] {
            world.tables.add_slot(index, backend_slot(A::host(number), 8080, number.into()));
        }
        let mut node = Node { first_node_port: 30_000, last_node_port: 32_767, ..Node::default() };
        (node.masquerade4, node.masquerade6) = (Host::host(NODE), Host::host(NODE));
        *world.tables.node.lock().unwrap() = Some(node);
        let (kind, flags) = (NetworkKind::OwnNode.number(), NetworkFlags::NODE_PORTS);
        let own = Network { kind, flags, reserved: [0; 2] };
        world.tables.networks.lock().unwrap().insert(A::host(NODE).widen(), own);
        world
    }

    fn call(&self, cookie: u64, (addr, port): Peer<A>, proto: Proto) -> Call<A> {
        Call { cookie, addr, port: Port::new(port), proto }
    }

    /// Where a socket's connect or datagram goes.
    fn asked(
        &self,
        cookie: u64,
        peer: Peer<A>,
        proto: Proto,
        random: u32,
    ) -> (Decision, Option<Peer<A>>) {
        let call = self.call(cookie, peer, proto);
        let (mut choice, env) = (Choice::default(), FixedEnv { now: 100, random });
        let decision = ask(&call, &self.tables, &env, &mut choice);
        outcome(decision, &choice)
    }

    /// Where a datagram goes that a socket with a peer sends to somebody.
    fn sent(&self, cookie: u64, (addr, port): Peer<A>, to: Peer<A>) -> (Decision, Option<Peer<A>>) {
        let call = self.call(cookie, to, Proto::UDP);
        let (mut choice, env) = (Choice::default(), FixedEnv { now: 100, random: LOWEST });
        let decision = send(&call, (addr, Port::new(port)), &self.tables, &env, &mut choice);
        outcome(decision, &choice)
    }

    /// Whom a socket's peer is said to be.
    fn told(&self, cookie: u64, peer: Peer<A>, proto: Proto) -> Peer<A> {
        let (mut addr, mut port) = (peer.0, Port::new(peer.1));
        reverse(&self.call(cookie, peer, proto), &self.tables, &mut addr, &mut port);
        (addr, port.number())
    }
}

fn outcome<A: Host>(decision: Decision, choice: &Choice) -> (Decision, Option<Peer<A>>) {
    let to = (A::narrow(choice.slot.addr), choice.slot.port.number());
    (decision, (decision == Decision::Translate).then_some(to))
}

/// Runs a test in both families with both protocols.
macro_rules! calls {
    ($($(#[$attribute:meta])* fn $name:ident<A: Host>($proto:ident: Proto) $body:block)+) => {
        $(
            $(#[$attribute])*
            #[test]
            fn $name() {
                fn call<A: Host>($proto: Proto) $body
                for proto in [Proto::TCP, Proto::UDP] {
                    call::<[u8; 4]>(proto);
                    call::<[u8; 16]>(proto);
                }
            }
        )+
    };
}

calls! {
    fn a_frontend_is_its_backend_for_packets_and_itself_for_the_process<A: Host>(proto: Proto) {
        let world = World::<A>::new(ServiceFlags(0));
        for frontend in [(A::host(VIP), 80), (A::host(NODE), 30_080)] {
            let backend = (A::host(11), 8080);
            let expected = (Decision::Translate, Some(backend));
            assert_eq!(world.asked(1, frontend, proto, LOWEST), expected);
            assert_eq!(world.told(1, backend, proto), frontend);
            assert_eq!(world.told(2, backend, proto), backend, "another socket");
        }
    }

    fn a_backend_is_called_what_the_socket_called_it_last<A: Host>(proto: Proto) {
        let world = World::<A>::new(ServiceFlags(0));
        let [vip, node_port] = [(A::host(VIP), 80), (A::host(NODE), 30_080)];
        let backend = (A::host(11), 8080);
        for (time, name) in [vip, node_port, vip, vip, backend, node_port].into_iter().enumerate() {
            world.asked(1, name, proto, LOWEST);
            assert_eq!(world.told(1, backend, proto), name, "{time}");
        }
    }

    fn what_is_no_frontend_is_left_alone<A: Host>(proto: Proto) {
        let world = World::<A>::new(ServiceFlags(0));
        for peer in [(A::host(VIP), 81), (A::host(NODE), 30_081), (A::host(11), 8080)] {
            assert_eq!(world.asked(1, peer, proto, LOWEST), (Decision::Leave, None));
            assert_eq!(world.told(1, peer, proto), peer);
        }
        assert_eq!(*world.tables.calls.lock().unwrap(), [].into());
    }

    fn a_port_of_a_cluster_ip_that_nobody_serves_is_refused<A: Host>(proto: Proto) {
        let world = World::<A>::new(ServiceFlags(0));
        let unserved = (A::host(VIP), 81);
        assert_eq!(world.asked(1, unserved, proto, LOWEST), (Decision::Leave, None));
        world.tables.add_cluster_ip(A::host(VIP));
        assert_eq!(world.asked(1, unserved, proto, LOWEST), (Decision::Refuse, None));
        let elsewhere = (A::host(NODE), 81);
        assert_eq!(world.asked(1, elsewhere, proto, LOWEST), (Decision::Leave, None));
    }

    /// What the node sends to an address that a device of its holds never meets the last hook.
    fn source_ranges_leave_the_node_to_its_last_hook<A: Host>(proto: Proto) {
        let service = Service { flags: ServiceFlags::SOURCE_RANGES, ..Service::default() };
        for (vip, source, left_out) in
            [(VIP, NODE, Decision::Leave), (NODE, NODE, Decision::Refuse)]
        {
            let world = World::<A>::new(ServiceFlags(0));
            let id = ServiceId(7);
            let served = Service { id, base: 1, cluster_count: 2, ..service };
            world.tables.add_service(A::host(vip), 84, proto, served);
            let frontend = (A::host(vip), 84);
            assert_eq!(world.asked(1, frontend, proto, LOWEST), (left_out, None));
            let addr = A::host(source).widen();
            world.tables.sources.lock().unwrap().push(SourceKey { service: id, addr });
            let expected = (Decision::Translate, Some((A::host(11), 8080)));
            assert_eq!(world.asked(1, frontend, proto, LOWEST), expected);
        }
    }

    /// By any address of the node or its loopback's; a second pod takes the port over.
    fn a_port_of_the_node_is_its_pod_for_packets<A: Host>(proto: Proto) {
        let world = World::<A>::new(ServiceFlags(0));
        for ifindex in [7, 8] {
            let pod = (A::host(u8::try_from(ifindex).unwrap()), 53);
            let (addr, port) = (pod.0.widen(), Port::new(pod.1));
            let value = HostPort { addr, port, reserved: [0; 2], ifindex };
            let (addr, kind) = (A::ANY.widen(), FrontendKind::AnyNode.number());
            let key = FrontendKey { addr, port: Port::new(8053), proto, kind };
            world.tables.host_ports.lock().unwrap().insert(key, value);
            for frontend in [(A::host(NODE), 8053), (A::LOOPBACK, 8053)] {
                let expected = (Decision::Translate, Some(pod));
                assert_eq!(world.asked(1, frontend, proto, LOWEST), expected);
                assert_eq!(world.told(1, pod, proto), frontend);
            }
        }
        let elsewhere = (A::host(VIP), 8053);
        assert_eq!(world.asked(1, elsewhere, proto, LOWEST), (Decision::Leave, None));
    }

    fn nobody_is_refused_and_nobody_here_is_left_to_the_last_hook<A: Host>(proto: Proto) {
        let world = World::<A>::new(ServiceFlags::INTERNAL_LOCAL);
        assert_eq!(world.asked(1, (A::host(VIP), 82), proto, LOWEST), (Decision::Refuse, None));
        assert_eq!(world.asked(1, (A::host(VIP), 80), proto, LOWEST), (Decision::Leave, None));
    }

    fn a_node_is_one_client_for_session_affinity<A: Host>(proto: Proto) {
        let world = World::<A>::new(ServiceFlags(0));
        let sticky = Service {
            id: ServiceId(3),
            base: 1,
            cluster_count: 2,
            affinity_seconds: 10,
            ..Service::default()
        };
        world.tables.add_service(A::host(VIP), 83, proto, sticky);
        let (_, first) = world.asked(1, (A::host(VIP), 83), proto, HIGHEST);
        let (_, second) = world.asked(2, (A::host(VIP), 83), proto, LOWEST);
        assert_eq!([first, second], [Some((A::host(12), 8080)); 2]);
        let held = world.tables.affinities.lock().unwrap();
        let clients: Vec<_> = held.keys().map(|key| key.client).collect();
        assert_eq!(clients, [A::host(NODE).widen()]);
    }
}

#[test]
fn what_a_socket_sends_to_its_peer_names_nobody_anew() {
    fn rows<A: Host>() {
        let world = World::<A>::new(ServiceFlags(0));
        let [frontend, backend] = [(A::host(VIP), 80), (A::host(11), 8080)];
        let [other, none] = [(A::host(13), 9), (A::ANY, 0)];
        let [left, translated] = [(Decision::Leave, None), (Decision::Translate, Some(backend))];
        world.asked(1, frontend, Proto::UDP, LOWEST);
        for (peer, to, expected, name) in [
            (backend, backend, left, frontend),
            (frontend, frontend, left, frontend),
            (other, frontend, translated, frontend),
            (none, backend, left, backend),
            (none, frontend, translated, frontend),
        ] {
            assert_eq!(world.sent(1, peer, to), expected, "{peer:?} {to:?}");
            assert_eq!(world.told(1, backend, Proto::UDP), name, "{peer:?} {to:?}");
        }
    }
    rows::<[u8; 4]>();
    rows::<[u8; 16]>();
}

/// Where the second datagram of a socket goes, that by chance would go to the other backend.
#[test]
fn datagrams_stay_with_their_backend_until_it_dies() {
    type V6 = [u8; 16];
    let moved = |world: &World<V6>| {
        let service = Service { id: ServiceId(9), base: 1, cluster_count: 2, ..Service::default() };
        world.tables.add_service(V6::host(VIP), 80, Proto::UDP, service);
    };
    let set = |state| move |world: &World<V6>| world.tables.set_backend(BackendId(11), state);
    let (dead, terminating) = (set(BackendState::Dead), set(BackendState::Terminating));
    let reborn = |world: &World<V6>| world.tables.set_generation(BackendId(11), 2);
    for (name, change, socket, expected) in [
        ("alive", &(|_: &World<V6>| {}) as &dyn Fn(&World<V6>), 1, 11),
        ("on its way out", &terminating, 1, 11),
        ("dead", &dead, 1, 12),
        ("another's", &reborn, 1, 12),
        ("of another ServicePort", &moved, 1, 12),
        ("another socket", &|_| {}, 2, 12),
    ] {
        let world = World::<V6>::new(ServiceFlags(0));
        let frontend = (V6::host(VIP), 80);
        world.asked(1, frontend, Proto::UDP, LOWEST);
        change(&world);
        let (_, to) = world.asked(socket, frontend, Proto::UDP, HIGHEST);
        assert_eq!(to, Some((V6::host(expected), 8080)), "{name}");
        assert_eq!(world.told(socket, (V6::host(expected), 8080), Proto::UDP), frontend, "{name}");
    }
}

#[test]
fn protocols_without_ports_of_ours_are_left_alone() {
    let world = World::<[u8; 4]>::new(ServiceFlags(0));
    let left = (Decision::Leave, None);
    assert_eq!(world.asked(1, (Host::host(VIP), 80), Proto::ICMP, LOWEST), left);
}

#[test]
fn clients_are_of_the_nodes_namespace_or_of_the_initial_one_where_that_is_not_known() {
    for (own, netns, expected) in [(7, 7, true), (7, 1, false), (0, 1, true), (0, 7, false)] {
        let node = Node { netns_cookie: own, ..Node::default() };
        assert_eq!(is_of_node(&node, netns, 1), expected, "{own} {netns}");
    }
}
