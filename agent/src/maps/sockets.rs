//! The pinned map `sockets`: what the node's own sockets were translated to.

use aya::maps::{Array, HashMap, Map, MapData};
use dataplane_common::abi::{Backend, Proto, SocketEntry, SocketKey, names};
use hostnet::Pins;

use super::Result;
use super::dump::is_dead;
use super::kernel::{array, pinned, read};

/// The pinned map `sockets`, beside the backends that its entries name.
pub struct SocketMap {
    sockets: HashMap<MapData, SocketKey, SocketEntry>,
    backends: Array<MapData, Backend>,
}

impl SocketMap {
    /// Opens the maps, whose shapes must have been checked.
    ///
    /// # Errors
    /// When they are not pinned or the kernel refuses.
    pub fn open(pins: &Pins) -> Result<Self> {
        let sockets = Map::LruHashMap(pinned(pins, names::SOCKETS)?);
        let sockets = HashMap::try_from(sockets).map_err(read(names::SOCKETS))?;
        Ok(Self { sockets, backends: array(pins, names::BACKENDS)? })
    }

    /// The keys of a protocol whose backend is gone.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn bereft(&self, proto: Proto) -> Result<Vec<SocketKey>> {
        let mut bereft = Vec::new();
        for entry in &self.sockets {
            let (key, entry) = entry.map_err(read(names::SOCKETS))?;
            if key.proto == proto && is_gone(&entry, &self.backend(&entry)?) {
                bereft.push(key);
            }
        }
        Ok(bereft)
    }

    fn backend(&self, entry: &SocketEntry) -> Result<Backend> {
        self.backends.get(&entry.backend.0, 0).map_err(read(names::BACKENDS))
    }
}

/// Whether the backend of an entry is none any longer, or somebody else's now.
fn is_gone(entry: &SocketEntry, backend: &Backend) -> bool {
    is_dead(backend) || backend.generation != entry.generation
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
}
