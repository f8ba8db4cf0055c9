//! Conntrack and routes of either family, in memory.

use std::collections::BTreeMap;

use dataplane_common::abi::{Address, FlowEntry, FlowKey};
use dataplane_common::flow::{FlowTable, Inserted, Route};

use super::{FakeMaps, Flows};

/// What differs between the families: which collections they live in.
pub trait FakeFamily: Address {
    /// The family's conntrack.
    fn flows(maps: &FakeMaps) -> &Flows<Self>;
    /// The family's routes.
    fn routes(maps: &FakeMaps) -> &BTreeMap<Self, Route<Self>>;
}

impl FakeFamily for [u8; 4] {
    fn flows(maps: &FakeMaps) -> &Flows<Self> {
        &maps.flows4
    }

    fn routes(maps: &FakeMaps) -> &BTreeMap<Self, Route<Self>> {
        &maps.routes4
    }
}

impl FakeFamily for [u8; 16] {
    fn flows(maps: &FakeMaps) -> &Flows<Self> {
        &maps.flows6
    }

    fn routes(maps: &FakeMaps) -> &BTreeMap<Self, Route<Self>> {
        &maps.routes6
    }
}

impl<A: FakeFamily> FlowTable<A> for FakeMaps {
    fn flow(&self, key: &FlowKey<A>) -> Option<FlowEntry<A>> {
        A::flows(self).borrow().get(key).copied()
    }

    fn insert_flow(&self, key: &FlowKey<A>, entry: &FlowEntry<A>) -> Inserted {
        let mut flows = A::flows(self).borrow_mut();
        if flows.contains_key(key) {
            return Inserted::Exists;
        }
        if self.full_flows.get() {
            return Inserted::Full;
        }
        flows.insert(*key, *entry);
        Inserted::Yes
    }

    fn update_flow(&self, key: &FlowKey<A>, entry: &FlowEntry<A>) -> bool {
        let mut flows = A::flows(self).borrow_mut();
        let FlowEntry { last_seen, flags, .. } = *entry;
        let same = |there: &&mut FlowEntry<A>| FlowEntry { last_seen, flags, ..**there } == *entry;
        flows.get_mut(key).filter(same).map(|there| *there = *entry).is_some()
    }

    fn remove_flow(&self, key: &FlowKey<A>) {
        A::flows(self).borrow_mut().remove(key);
    }
}
