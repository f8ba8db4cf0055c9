//! Session affinity `ClientIP`: the backend that a client had last serves it again.

use super::policy::Scope;
use super::{Choice, ServiceTables};
use crate::abi::{
    Addr, Affinity, AffinityKey, Backend, BackendState, Counter, Scopes, Service, Slot,
};

/// The key of a client, by its address before any translation.
#[inline(always)]
const fn key(client: Addr, service: &Service) -> AffinityKey {
    AffinityKey { client, service: service.id, epoch: service.affinity_epoch, reserved: 0 }
}

/// Puts the backend that the client is held to into the choice, where it is in the set that the
/// flow chooses from; tells whether it did.
#[inline(always)]
pub(super) fn honour(
    client: Addr,
    scope: Scope,
    tables: &impl ServiceTables,
    now: u32,
    choice: &mut Choice,
) -> bool {
    let Some(held) = tables.affinity(&key(client, &choice.service)) else {
        return false;
    };
    if now.saturating_sub(held.last_used) > choice.service.affinity_seconds
        || !is_in(&held.slot, scope.flag(), tables)
    {
        return false;
    }
    choice.slot = held.slot;
    true
}

/// Whether a slot's backend is still the one it was, and in a set.
#[inline(always)]
fn is_in(slot: &Slot, set: Scopes, tables: &impl ServiceTables) -> bool {
    let Backend { generation, state, scopes } = tables.backend(slot.backend).unwrap_or_default();
    generation == slot.generation
        && BackendState::from_number(state) == BackendState::Active
        && scopes.has(set)
}

/// Holds the client to the choice from now on. Only a choice by which a
/// flow goes counts: of two packets that begin one, the other's may be another. Where the table
/// refuses, the client's next flow may go elsewhere, and this one goes on.
#[inline(always)]
pub(crate) fn hold(client: Addr, tables: &impl ServiceTables, now: u32, choice: &Choice) {
    let held = Affinity { slot: choice.slot, last_used: now };
    if tables.hold_affinity(&key(client, &choice.service), &held) && !choice.is_held {
        tables.count(Counter::AffinityNew);
    }
}

#[cfg(test)]
mod tests {
    use super::hold;
    use crate::abi::{
        Address as _, Affinity, AffinityKey, BackendId, BackendState, Counter, NodeFlags, Scopes,
        Service, ServiceFlags, ServiceId,
    };
    use crate::flow::fake::{Fake, FixedEnv, backend_slot};
    use crate::flow::policy::Standing;
    use crate::flow::select::choose;
    use crate::flow::{Choice, Sender};

    type V4 = [u8; 4];

    const CLIENT: V4 = [10, 1, 1, 2];
    const SECONDS: u32 = 100;
    const BEGIN: u32 = 1000;
    /// Backends 1 (here) to 4 in the Cluster set.
    const SERVICE: Service = Service {
        id: ServiceId(1),
        base: 1,
        local_count: 1,
        cluster_offset: 0,
        cluster_count: 4,
        affinity_seconds: SECONDS,
        flags: ServiceFlags(0),
        affinity_epoch: 1,
        terminating_count: 0,
    };
    const HIGHEST: u32 = u32::MAX;

    fn tables() -> Fake<V4> {
        let tables = Fake::default();
        for number in 1..=4 {
            tables.add_slot(u32::from(number), backend_slot([10, 1, 1, number], 80, number.into()));
        }
        for remote in 2..=4 {
            tables.set_scopes(BackendId(remote), Scopes::CLUSTER);
        }
        tables
    }

    /// The backend of a client's new flow; the random number decides where nothing else does.
    fn flow(tables: &Fake<V4>, service: Service, now: u32, random: u32) -> u32 {
        let mut choice = Choice { service, ..Choice::default() };
        let env = FixedEnv { now, random };
        let standing =
            choose(CLIENT, Sender::LocalPod, NodeFlags::default(), tables, &env, &mut choice);
        assert_eq!(standing, Standing::Served);
        if service.affinity_seconds > 0 {
            hold(CLIENT.widen(), tables, now, &choice);
        }
        choice.slot.backend.0
    }

    /// What changes after a client's first flow went to backend 4, and where its next one goes that
    /// would by chance go to the first of the set.
    #[test]
    fn a_client_stays_with_its_backend_as_long_as_that_may_serve_it() {
        let local = Service { flags: ServiceFlags::INTERNAL_LOCAL, ..SERVICE };
        let nothing: fn(&Fake<V4>) = |_| {};
        let set = |state| move |tables: &Fake<V4>| tables.set_backend(BackendId(4), state);
        let dead = set(BackendState::Dead);
        let terminating = set(BackendState::Terminating);
        let reborn = |tables: &Fake<V4>| tables.set_generation(BackendId(4), 2);
        for (name, change, service, after, expected) in [
            ("at once", &nothing as &dyn Fn(&Fake<V4>), SERVICE, 0, 4),
            ("just in time", &nothing, SERVICE, SECONDS, 4),
            ("too late", &nothing, SERVICE, SECONDS + 1, 1),
            ("its backend is another's", &reborn, SERVICE, 1, 1),
            ("its backend is dead", &dead, SERVICE, 1, 1),
            ("its backend is on its way out", &terminating, SERVICE, 1, 1),
            ("its backend is not in the Local set", &nothing, local, 1, 1),
            ("affinity off and on", &nothing, Service { affinity_epoch: 2, ..SERVICE }, 1, 1),
            ("another ServicePort", &nothing, Service { id: ServiceId(2), ..SERVICE }, 1, 1),
            ("no affinity", &nothing, Service { affinity_seconds: 0, ..SERVICE }, 1, 1),
        ] {
            let tables = tables();
            assert_eq!(flow(&tables, SERVICE, BEGIN, HIGHEST), 4);
            change(&tables);
            assert_eq!(flow(&tables, service, BEGIN + after, 0), expected, "{name}");
        }
    }

    #[test]
    fn each_new_flow_begins_the_time_anew() {
        let tables = tables();
        flow(&tables, SERVICE, BEGIN, HIGHEST);
        for flows in 1..=3 {
            assert_eq!(flow(&tables, SERVICE, BEGIN + flows * SECONDS, 0), 4);
        }
    }

    #[test]
    fn who_cannot_be_served_where_he_was_is_held_to_where_he_is() {
        let tables = tables();
        let local = Service { flags: ServiceFlags::INTERNAL_LOCAL, ..SERVICE };
        flow(&tables, SERVICE, BEGIN, HIGHEST);
        assert_eq!(flow(&tables, local, BEGIN, HIGHEST), 1);
        assert_eq!(flow(&tables, SERVICE, BEGIN, HIGHEST), 1, "the Cluster set has it too");
        let key =
            AffinityKey { client: CLIENT.widen(), service: ServiceId(1), epoch: 1, reserved: 0 };
        let held = Affinity { slot: backend_slot([10, 1, 1, 1], 80, 1), last_used: BEGIN };
        assert_eq!(*tables.affinities.lock().unwrap(), [(key, held)].into());
        assert_eq!(tables.counted.lock().unwrap().get(&Counter::AffinityNew), Some(&2));
    }

    /// An endpoint of two Services has an identity in each.
    #[test]
    fn a_shared_endpoint_holds_the_clients_of_the_service_it_is_still_in() {
        let tables = tables();
        let other = Service { id: ServiceId(2), base: 11, ..SERVICE };
        tables.add_slot(14, backend_slot([10, 1, 1, 4], 80, 14));
        tables.add_slot(11, backend_slot([10, 1, 1, 1], 80, 11));
        assert_eq!(flow(&tables, SERVICE, BEGIN, HIGHEST), 4);
        assert_eq!(flow(&tables, other, BEGIN, HIGHEST), 14);
        tables.set_backend(BackendId(4), BackendState::Dead);
        assert_eq!(flow(&tables, SERVICE, BEGIN, 0), 1);
        assert_eq!(flow(&tables, other, BEGIN, 0), 14);
    }

    #[test]
    fn a_full_table_stops_no_flow() {
        let mut tables = tables();
        tables.refuses_affinities = true;
        assert_eq!([0, HIGHEST].map(|random| flow(&tables, SERVICE, BEGIN, random)), [1, 4]);
        assert_eq!(*tables.counted.lock().unwrap(), [].into());
    }
}
