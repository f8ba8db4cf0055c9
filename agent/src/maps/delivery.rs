//! The pinned maps of delivery: `links`, which is the agent's, and `pods` and `unguarded`, which are the
//! CNI plugin's but for entries whose device is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;

use aya::maps::{HashMap, MapData, MapError};
use dataplane_common::abi::{Addr, Link, Pod, names};
use hostnet::Pins;
use rustix::io::Errno;
use rustix::net::netdevice::index_to_name;
use rustix::net::{AddressFamily, SocketType, socket};

use super::kernel::{hash, read, write};
use super::links::EnsuredLinks;
use super::{ApplyError, Result};

/// The kernel's flag `BPF_NOEXIST`.
const ONLY_NEW: u64 = 1;

/// The pinned maps `links`, `pods` and `unguarded`.
pub struct DeliveryMaps {
    links: HashMap<MapData, u32, Link>,
    pods: HashMap<MapData, Addr, Pod>,
    unguarded: HashMap<MapData, u32, u32>,
}

impl DeliveryMaps {
    /// Opens the maps, whose shapes must have been checked.
    ///
    /// # Errors
    /// When one is not pinned or the kernel refuses.
    pub fn open(pins: &Pins) -> Result<Self> {
        Ok(Self {
            links: hash(pins, names::LINKS)?,
            pods: hash(pins, names::PODS)?,
            unguarded: hash(pins, names::UNGUARDED)?,
        })
    }

    /// Every device that has an entry, by its index.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn links(&self) -> Result<BTreeMap<u32, Link>> {
        self.links.iter().collect::<Result<_, _>>().map_err(read(names::LINKS))
    }

    /// Makes `links`, which holds what is `present`, hold exactly the wanted links by index, as far
    /// as there is room.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn ensure_links(
        &mut self,
        present: &BTreeMap<u32, Link>,
        wanted: BTreeMap<u32, Link>,
    ) -> Result<EnsuredLinks> {
        let changes = EnsuredLinks::of(present, wanted, names::MAX_LINKS as usize);
        // What goes makes room for what comes.
        for index in changes.gone() {
            absent_is_fine(self.links.remove(index).map_err(write(names::LINKS)))?;
        }
        for (index, link) in changes.written() {
            self.links.insert(index, link, 0).map_err(write(names::LINKS))?;
        }
        Ok(changes)
    }

    /// Every pod.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn pods(&self) -> Result<BTreeMap<Addr, Pod>> {
        self.pods.iter().collect::<Result<_, _>>().map_err(read(names::PODS))
    }

    /// Adds a pod, unless its address is there already; says whether it did.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn add_pod(&mut self, addr: Addr, pod: Pod) -> Result<bool> {
        match self.pods.insert(addr, pod, ONLY_NEW) {
            Err(MapError::SyscallError(call))
                if call.io_error.kind() == ErrorKind::AlreadyExists =>
            {
                Ok(false)
            }
            other => other.map(|()| true).map_err(write(names::PODS)),
        }
    }

    /// Makes a pod's entry another one, where it is still this one.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn change_pod(&mut self, addr: Addr, before: Pod, pod: Pod) -> Result<()> {
        // Between the two the plugin may give the address to another pod: the next look mends it.
        if self.pods.get(&addr, 0).ok() == Some(before) {
            self.pods.insert(addr, pod, 0).map_err(write(names::PODS))?;
        }
        Ok(())
    }

    /// Guards links again that are gone; `devices` are those there are.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn prune_unguarded(&mut self, devices: &BTreeSet<u32>) -> Result<()> {
        let links: Vec<u32> =
            self.unguarded.keys().collect::<Result<_, _>>().map_err(read(names::UNGUARDED))?;
        for link in links.into_iter().filter(|link| !devices.contains(link) && is_gone(*link)) {
            absent_is_fine(self.unguarded.remove(&link).map_err(write(names::UNGUARDED)))?;
        }
        Ok(())
    }

    /// Removes pods whose device is not among `devices`, of those that were `known` before the
    /// devices were listed: a pod that is newer than the list would look as if its device were
    /// gone. A list may lack devices while others come and go, so each is asked for once more.
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
            if is_gone(pod.ifindex) && self.pods.get(addr, 0).ok() == Some(*pod) {
                absent_is_fine(self.pods.remove(addr).map_err(write(names::PODS)))?;
                pruned.insert(*addr);
            }
        }
        Ok(pruned)
    }
}

/// Whether the kernel says that there is no device of this index.
pub(crate) fn is_gone(index: u32) -> bool {
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, None);
    socket.is_ok_and(|socket| index_to_name(&socket, index) == Err(Errno::NODEV))
}

fn absent_is_fine(result: Result<()>) -> Result<()> {
    match result {
        Err(ApplyError::NotFound { .. }) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_gone_only_when_the_kernel_says_so() {
        for (index, expected) in [(1, false), (u32::MAX >> 1, true)] {
            assert_eq!(is_gone(index), expected, "device {index}");
        }
    }
}
