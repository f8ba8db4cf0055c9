//! The pinned maps of delivery: `links`, which is the agent's, and `pods`, which is the CNI
//! plugin's but for entries whose device is gone.

use std::collections::{BTreeMap, BTreeSet};

use aya::maps::{HashMap, MapData};
use dataplane_common::abi::{Addr, Link, Pod, names};
use hostnet::Pins;

use super::kernel::{hash, read, write};
use super::{ApplyError, Result};

/// The pinned maps `links` and `pods`.
pub struct DeliveryMaps {
    links: HashMap<MapData, u32, Link>,
    pods: HashMap<MapData, Addr, Pod>,
}

impl DeliveryMaps {
    /// Opens the maps, whose shapes must have been checked.
    ///
    /// # Errors
    /// When one is not pinned or the kernel refuses.
    pub fn open(pins: &Pins) -> Result<Self> {
        Ok(Self { links: hash(pins, names::LINKS)?, pods: hash(pins, names::PODS)? })
    }

    /// Makes `links` hold exactly the wanted MTUs by index; says which entries it had to write or
    /// remove.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn ensure_links(&mut self, wanted: &BTreeMap<u32, u32>) -> Result<BTreeSet<u32>> {
        let present: BTreeMap<u32, Link> =
            self.links.iter().collect::<Result<_, _>>().map_err(read(names::LINKS))?;
        let mut changed = BTreeSet::new();
        for (&index, &mtu) in wanted {
            if present.get(&index) != Some(&Link { mtu }) {
                self.links.insert(index, Link { mtu }, 0).map_err(write(names::LINKS))?;
                changed.insert(index);
            }
        }
        for index in present.keys().filter(|index| !wanted.contains_key(index)) {
            absent_is_fine(self.links.remove(index).map_err(write(names::LINKS)))?;
            changed.insert(*index);
        }
        Ok(changed)
    }

    /// Every pod.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn pods(&self) -> Result<BTreeMap<Addr, Pod>> {
        self.pods.iter().collect::<Result<_, _>>().map_err(read(names::PODS))
    }

    /// Removes pods whose device is not among `devices`, of those that were `known` before the
    /// devices were listed: a pod that is newer than the list would look as if its device were
    /// gone.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn prune_pods(
        &mut self,
        known: &BTreeMap<Addr, Pod>,
        devices: &BTreeSet<u32>,
    ) -> Result<BTreeSet<Addr>> {
        let gone = known.iter().filter(|(_, pod)| !devices.contains(&pod.ifindex));
        let mut pruned = BTreeSet::new();
        for (addr, pod) in gone {
            // The address may be another pod's by now.
            if self.pods.get(addr, 0).ok() == Some(*pod) {
                absent_is_fine(self.pods.remove(addr).map_err(write(names::PODS)))?;
                pruned.insert(*addr);
            }
        }
        Ok(pruned)
    }
}

fn absent_is_fine(result: Result<()>) -> Result<()> {
    match result {
        Err(ApplyError::NotFound { .. }) => Ok(()),
        other => other,
    }
}
