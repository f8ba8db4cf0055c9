//! Calls that name whom to talk to: connect and sendmsg.

use super::{Call, SocketTables};
use crate::abi::{
    Address, BackendState, Port, Proto, ServiceFlags, ServiceId, Slot, SlotFlags, SocketDirection,
    SocketEntry,
};
use crate::flow::policy::Standing;
use crate::flow::select::{choose, frontend, is_own, lets_in};
use crate::flow::{Choice, Env, Sender, affinity, cluster_ip};

/// What a call comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// As if no program were there. Also where a traffic policy hides all backends or a load
    /// balancer's address does not let the node in: a call can be refused but not be left without an
    /// answer, so the packets are dropped instead.
    Leave,
    /// The peer is the backend in the choice.
    Translate,
    /// Nobody serves the frontend: the call fails as one to a closed port does.
    Refuse,
}

/// Decides about a datagram of a socket that has a peer or, where that is port 0, has none.
///
/// What is sent to the peer names nobody anew, and meets the packets' hooks if the peer is a
/// frontend. The kernel asks about such datagrams of sockets of IPv6 with a peer of IPv4.
#[inline(always)]
pub fn send<A: Address>(
    call: &Call<A>,
    peer: (A, Port),
    tables: &impl SocketTables,
    env: &impl Env,
    choice: &mut Choice,
) -> Decision {
    if peer == (call.addr, call.port) {
        return Decision::Leave;
    }
    ask(call, tables, env, choice)
}

/// Decides about a connect, or about a datagram of a socket that is not connected.
#[inline(always)]
pub fn ask<A: Address>(
    call: &Call<A>,
    tables: &impl SocketTables,
    env: &impl Env,
    choice: &mut Choice,
) -> Decision {
    let decision = decide(call, tables, env, choice);
    match decision {
        Decision::Translate => call_by_frontend(call, tables, choice),
        Decision::Leave => call_by_itself(call, tables),
        Decision::Refuse => {}
    }
    decision
}

#[inline(always)]
fn decide<A: Address>(
    call: &Call<A>,
    tables: &impl SocketTables,
    env: &impl Env,
    choice: &mut Choice,
) -> Decision {
    if !matches!(call.proto, Proto::TCP | Proto::UDP) {
        return Decision::Leave;
    }
    if !frontend((call.addr, call.port, call.proto), true, tables, choice) {
        let is_unserved = cluster_ip::is_one(call.addr, tables);
        return if is_unserved { Decision::Refuse } else { Decision::Leave };
    }
    // There is but one pod behind a host port, and it was found just now.
    let is_held = call.proto == Proto::UDP && choice.service.id != ServiceId::HOST_PORT;
    if is_held && stays(call, tables, choice) {
        return Decision::Translate;
    }
    if choice.service.flags.has(ServiceFlags::SOURCE_RANGES)
        && let Some(decision) = shut_out(call, tables, choice)
    {
        return decision;
    }
    let node = tables.node().unwrap_or_default();
    let client = A::masquerade(&node);
    match choose(client, Sender::OwnNode, node.flags, tables, env, choice) {
        Standing::Served => {}
        Standing::Rejected => return Decision::Refuse,
        Standing::NoLocalBackend => return Decision::Leave,
    }
    if choice.service.affinity_seconds != 0 {
        affinity::hold(client.widen(), tables, env.now(), choice);
    }
    if is_held {
        stay(call, tables, choice);
    }
    Decision::Translate
}

/// What a call comes to whose packets the load balancer's source ranges leave out. At an address of
/// the node's own they would come from that address, and never leave.
// Not inlined: rare, and its stack is needed elsewhere.
#[inline(never)]
fn shut_out<A: Address>(
    call: &Call<A>,
    tables: &impl SocketTables,
    choice: &Choice,
) -> Option<Decision> {
    let is_own = is_own(call.addr, tables);
    let source = if is_own { call.addr } else { client::<A>(tables) };
    if lets_in(&choice.service, source, tables) {
        None
    } else if is_own {
        Some(Decision::Refuse)
    } else {
        Some(Decision::Leave)
    }
}

/// By whom a node is known to session affinity: no call knows the address it will come from.
#[inline(always)]
fn client<A: Address>(tables: &impl SocketTables) -> A {
    A::masquerade(&tables.node().unwrap_or_default())
}

/// Puts the backend that the socket's datagrams to the frontend go to into the choice, unless it is
/// dead; tells whether there is one.
#[inline(always)]
fn stays<A: Address>(call: &Call<A>, tables: &impl SocketTables, choice: &mut Choice) -> bool {
    let Some(known) = tables.socket(&call.key(SocketDirection::Forward)) else {
        return false;
    };
    let SocketEntry { addr, port, generation, backend, service } = known;
    let state = match tables.backend(backend) {
        Some(there) if there.generation == generation => BackendState::from_number(there.state),
        Some(_) | None => BackendState::Dead,
    };
    if state == BackendState::Dead || service != choice.service.id {
        return false;
    }
    choice.slot = Slot { addr, port, generation, backend, flags: SlotFlags::default() };
    true
}

/// Writes down what was chosen, for later datagrams.
#[inline(always)]
fn stay<A: Address>(call: &Call<A>, tables: &impl SocketTables, choice: &Choice) {
    let Slot { addr, port, generation, backend, .. } = choice.slot;
    let entry = SocketEntry { addr, port, generation, backend, service: choice.service.id };
    tables.hold_socket(&call.key(SocketDirection::Forward), &entry);
}

/// From now on the process knows the chosen backend by the frontend. It may have known it by another
/// one: frontends share backends.
#[inline(always)]
fn call_by_frontend<A: Address>(call: &Call<A>, tables: &impl SocketTables, choice: &Choice) {
    let Slot { addr, port, generation, backend, .. } = choice.slot;
    let mut key = call.key(SocketDirection::Reverse);
    let service = choice.service.id;
    let entry = SocketEntry { addr: key.addr, port: key.port, generation, backend, service };
    (key.addr, key.port) = (addr, port);
    // Few sockets talk to many frontends, and reading is cheaper than writing.
    if tables.socket(&key) != Some(entry) {
        tables.hold_socket(&key, &entry);
    }
}

/// From now on the process knows the peer as itself.
#[inline(always)]
fn call_by_itself<A: Address>(call: &Call<A>, tables: &impl SocketTables) {
    let key = call.key(SocketDirection::Reverse);
    if tables.socket(&key).is_some() {
        tables.forget_socket(&key);
    }
}

/// A port of the node's own loopback address that nobody listens at (tcpmux, RFC 1078): where calls
/// are sent that the kernel cannot be told to refuse.
pub const CLOSED_PORT: Port = Port::new(1);
