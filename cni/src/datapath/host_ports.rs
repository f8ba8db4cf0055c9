//! The pinned maps of the node's ports that lead to pods. Who changes them holds the lock of the
//! record beside them.

use std::net::IpAddr;

use aya::maps::{Array, HashMap, Map, MapData, MapError};
use dataplane_common::abi::{Addr, FrontendKey, HostPort, names};
use hostnet::host_ports::HostPorts;

use super::{Datapath, failed, is_absent};
use crate::protocol::{Code, Error};

impl Datapath {
    /// Every port of the node that leads to a pod; none where the map is not pinned.
    ///
    /// # Errors
    /// When the map is of another layout, or unreadable.
    pub(crate) fn host_ports(&self) -> Result<HostPorts, Error> {
        let map = match self.host_port_map() {
            Err(error) if is_absent(&error) => return Ok(HostPorts::new()),
            other => other.map_err(|error| failed(&error))?,
        };
        map.iter().collect::<Result<_, _>>().map_err(|error| failed(&error))
    }

    /// Where one port leads.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn host_port(&self, key: &FrontendKey) -> Result<Option<HostPort>, Error> {
        match self.host_port_map().and_then(|map| map.get(key, 0)) {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Makes ports lead to a pod, whatever they led to.
    ///
    /// # Errors
    /// When the maps are missing, of another layout, or full.
    pub(crate) fn publish(&self, ports: &HostPorts) -> Result<(), Error> {
        let marks = self.marks();
        let (mut marks, mut map) = (
            marks.map_err(|error| missing(&error))?,
            self.host_port_map().map_err(|error| missing(&error))?,
        );
        for (key, to) in ports {
            // First, because the programs look for no port that is not marked.
            let marked = marks.set(HostPort::mark(key.port), 1, 0);
            marked.and_then(|()| map.insert(key, to, 0)).map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    /// Makes ports lead nowhere. What is gone already is well.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) fn withdraw(&self, ports: &HostPorts) -> Result<(), Error> {
        let mut map = match self.host_port_map() {
            Err(error) if is_absent(&error) => return Ok(()),
            other => other.map_err(|error| failed(&error))?,
        };
        for key in ports.keys() {
            match map.remove(key) {
                Err(error) if !is_absent(&error) => return Err(failed(&error)),
                _ => {}
            }
        }
        Ok(())
    }

    fn host_port_map(&self) -> Result<HashMap<MapData, FrontendKey, HostPort>, MapError> {
        let data = MapData::from_pin(self.pins.map(names::HOST_PORTS))?;
        HashMap::try_from(Map::HashMap(data))
    }

    fn marks(&self) -> Result<Array<MapData, u32>, MapError> {
        let data = MapData::from_pin(self.pins.map(names::HOST_PORT_MARKS))?;
        Array::try_from(Map::Array(data))
    }
}

/// The ports that lead to addresses.
#[must_use]
pub(crate) fn leading_to(ports: &HostPorts, ips: &[IpAddr]) -> HostPorts {
    let ips: Vec<_> = ips.iter().copied().map(Addr::from).collect();
    let own = ports.iter().filter(|(_, to)| ips.contains(&to.addr));
    own.map(|(key, to)| (*key, *to)).collect()
}

fn missing(error: &MapError) -> Error {
    if !is_absent(error) {
        return failed(error);
    }
    Error::new(Code::TryAgain, "the node's kernel programs know no host ports")
        .details("the agent is of an older release: update and start it (waggle agent)")
}
