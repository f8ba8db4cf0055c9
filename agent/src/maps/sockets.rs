//! The pinned map `sockets`: what the node's own sockets were translated to.

use aya::maps::{Array, HashMap, Map, MapData, MapError};
use dataplane_common::abi::{
    Addr, Backend, HostPort, Pod, Proto, ServiceId, SocketEntry, SocketKey, names,
};
use hostnet::Pins;

use super::Result;
use super::dump::is_dead;
use super::kernel::{array, hash, pinned, read};

/// The pinned map `sockets`, beside the backends and pods that its entries name.
pub struct SocketMap {
    sockets: HashMap<MapData, SocketKey, SocketEntry>,
    backends: Array<MapData, Backend>,
    pods: HashMap<MapData, Addr, Pod>,
}

impl SocketMap {
    /// Opens the maps, whose shapes must have been checked.
    ///
    /// # Errors
    /// When they are not pinned or the kernel refuses.
    pub fn open(pins: &Pins) -> Result<Self> {
        let sockets = Map::LruHashMap(pinned(pins, names::SOCKETS)?);
        let sockets = HashMap::try_from(sockets).map_err(read(names::SOCKETS))?;
        let (backends, pods) = (array(pins, names::BACKENDS)?, hash(pins, names::PODS)?);
        Ok(Self { sockets, backends, pods })
    }

    /// The keys of a protocol whose backend is gone.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn bereft(&self, proto: Proto) -> Result<Vec<SocketKey>> {
        let mut bereft = Vec::new();
        for entry in &self.sockets {
            let (key, entry) = entry.map_err(read(names::SOCKETS))?;
            if key.proto == proto && self.is_bereft(&key, &entry)? {
                bereft.push(key);
            }
        }
        Ok(bereft)
    }

    fn is_bereft(&self, key: &SocketKey, entry: &SocketEntry) -> Result<bool> {
        if entry.service == ServiceId::HOST_PORT {
            return Ok(has_lost_its_pod(entry, self.pod(&key.addr)?));
        }
        Ok(is_gone(entry, &self.backend(entry)?))
    }

    fn pod(&self, addr: &Addr) -> Result<Option<Pod>> {
        match self.pods.get(addr, 0) {
            Err(MapError::KeyNotFound) => Ok(None),
            other => other.map(Some).map_err(read(names::PODS)),
        }
    }

    fn backend(&self, entry: &SocketEntry) -> Result<Backend> {
        self.backends.get(&entry.backend.0, 0).map_err(read(names::BACKENDS))
    }
}

/// Whether the backend of an entry is none any longer, or somebody else's now.
fn is_gone(entry: &SocketEntry, backend: &Backend) -> bool {
    is_dead(backend) || backend.generation != entry.generation
}

/// Whether the pod that a port of the node led to is gone, or another one has its address.
fn has_lost_its_pod(entry: &SocketEntry, pod: Option<Pod>) -> bool {
    pod.is_none_or(|pod| HostPort::generation(pod.ifindex) != entry.generation)
}

#[cfg(test)]
mod tests {
    use dataplane_common::abi::BackendState;

    use super::*;

    #[test]
    fn a_backend_is_gone_when_it_is_dead_or_its_identity_has_another_owner() {
        let entry = SocketEntry { generation: 7, ..SocketEntry::default() };
        for (state, generation, expected) in [
            (BackendState::Active, 7, false),
            (BackendState::Terminating, 7, false),
            (BackendState::Dead, 7, true),
            (BackendState::Active, 8, true),
        ] {
            let backend = Backend { generation, state: state.number(), ..Backend::default() };
            assert_eq!(is_gone(&entry, &backend), expected, "{state:?} {generation}");
        }
    }
    #[test]
    fn a_port_of_the_node_has_lost_its_pod_when_another_link_leads_to_the_address() {
        let entry = SocketEntry { generation: 7, ..SocketEntry::default() };
        let pod = |ifindex| Some(Pod { ifindex, ..Pod::default() });
        for (pod, expected) in [(pod(7), false), (pod(8), true), (None, true)] {
            assert_eq!(has_lost_its_pod(&entry, pod), expected, "{pod:?}");
        }
    }
}
