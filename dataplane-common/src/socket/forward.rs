//! Calls that name whom to talk to: connect and sendmsg.

use super::{Call, SocketTables};
use crate::abi::{
    Address, BackendState, Port, Proto, Slot, SlotFlags, SocketDirection, SocketEntry,
};
use crate::flow::policy::Standing;
use crate::flow::select::{choose, frontend};
use crate::flow::{Choice, Env, Sender};

/// What a call comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// As if no program were there. Also where a traffic policy hides all backends: a call can be
    /// refused but not be left without an answer, so the packets are dropped instead.
    Leave,
    /// The peer is the backend in the choice.
    Translate,
    /// Nobody serves the frontend: the call fails as one to a closed port does.
    Refuse,
}

/// Decides about a connect.
#[inline(always)]
pub fn connect<A: Address>(
    call: &Call<A>,
    tables: &impl SocketTables,
    env: &impl Env,
    choice: &mut Choice,
) -> Decision {
    let decision = send(call, tables, env, choice);
    if decision == Decision::Leave {
        // The same socket may have reached this address by a frontend before.
        tables.forget_socket(&call.key(SocketDirection::Reverse));
    }
    decision
}

/// Decides about a datagram of a socket that is not connected.
#[inline(always)]
pub fn send<A: Address>(
    call: &Call<A>,
    tables: &impl SocketTables,
    env: &impl Env,
    choice: &mut Choice,
) -> Decision {
    if !matches!(call.proto, Proto::TCP | Proto::UDP)
        || !frontend(call.addr, call.port, call.proto, tables, &mut choice.service)
    {
        return Decision::Leave;
    }
    if call.proto == Proto::UDP && stays(call, tables, choice) {
        return Decision::Translate;
    }
    match choose(client::<A>(tables), Sender::OwnNode, tables, env, choice) {
        Standing::Served => {}
        Standing::Rejected => return Decision::Refuse,
        Standing::NoLocalBackend => return Decision::Leave,
    }
    hold(call, tables, choice);
    Decision::Translate
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

/// Writes down what was chosen, for answers and for later datagrams.
#[inline(always)]
fn hold<A: Address>(call: &Call<A>, tables: &impl SocketTables, choice: &Choice) {
    let Slot { addr, port, generation, backend, .. } = choice.slot;
    let mut entry = SocketEntry { addr, port, generation, backend, service: choice.service.id };
    let mut key = call.key(SocketDirection::Forward);
    if call.proto == Proto::UDP {
        tables.hold_socket(&key, &entry);
    }
    (entry.addr, entry.port) = (key.addr, key.port);
    (key.addr, key.port) = (addr, port);
    key.direction = SocketDirection::Reverse.number();
    tables.hold_socket(&key, &entry);
}

/// A port of the node's own loopback address that nobody listens at (tcpmux, RFC 1078): where calls
/// are sent that the kernel cannot be told to refuse.
pub const CLOSED_PORT: Port = Port::new(1);
