//! The pinned maps of the node's ports that lead to pods, which are the CNI plugin's but for what is
//! lost or left over.

use aya::maps::{Array, HashMap, MapData};
use dataplane_common::abi::{FrontendKey, HostPort, names};
use hostnet::Pins;
use hostnet::host_ports::HostPorts;

use super::kernel::{array, hash, read, write};
use super::{ApplyError, Result};

/// The pinned maps `host_ports` and `host_port_marks`.
pub struct HostPortMaps {
    ports: HashMap<MapData, FrontendKey, HostPort>,
    marks: Array<MapData, u32>,
}

impl HostPortMaps {
    /// Opens the maps, whose shapes must have been checked.
    ///
    /// # Errors
    /// When one is not pinned or the kernel refuses.
    pub fn open(pins: &Pins) -> Result<Self> {
        let (ports, marks) = (hash(pins, names::HOST_PORTS)?, array(pins, names::HOST_PORT_MARKS)?);
        Ok(Self { ports, marks })
    }

    /// Every port that leads to a pod.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn all(&self) -> Result<HostPorts> {
        self.ports.iter().collect::<std::result::Result<_, _>>().map_err(read(names::HOST_PORTS))
    }

    /// Makes ports lead to pods. Who calls holds the lock of the record.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn add(&mut self, ports: &HostPorts) -> Result<()> {
        for (key, to) in ports {
            let marked = self.marks.set(HostPort::mark(key.port), 1, 0);
            marked.map_err(write(names::HOST_PORT_MARKS))?;
            self.ports.insert(key, to, 0).map_err(write(names::HOST_PORTS))?;
        }
        Ok(())
    }

    /// Makes ports lead nowhere. Who calls holds the lock of the record.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn remove(&mut self, ports: &HostPorts) -> Result<()> {
        for key in ports.keys() {
            match self.ports.remove(key).map_err(write(names::HOST_PORTS)) {
                Ok(()) | Err(ApplyError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
