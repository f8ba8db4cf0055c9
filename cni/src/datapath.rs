//! The agent's programs and its map of pods, as they are pinned. The plugin uses them whether or
//! not an agent runs at the moment.

mod host_ports;

use std::net::IpAddr;
use std::path::Path;

use aya::maps::{HashMap, Map, MapData, MapError};
use aya::pin::PinError;
use dataplane_common::abi::{Addr, Pod, names};
use hostnet::hook::{self, Choice, Direction, Hook};
use hostnet::link::Link;
use hostnet::{Cause, Netlink, Pins};

pub(crate) use self::host_ports::leading_to;
use crate::protocol::{Code, Error};

/// What sits at the host's end of each pod's link.
const PROGRAMS: [(&str, Direction); 2] =
    [(names::FROM_POD, Direction::Ingress), (names::TO_POD, Direction::Egress)];

/// The pins below a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Datapath {
    pins: Pins,
}

impl Datapath {
    /// The pins below a root, whether they are there or not.
    #[must_use]
    pub(crate) fn new(bpf_root: &Path) -> Self {
        Self { pins: Pins::new(bpf_root) }
    }

    /// Makes sure that everything a pod needs is pinned.
    ///
    /// # Errors
    /// When the agent has not loaded its programs yet.
    pub(crate) fn require(&self) -> Result<(), Error> {
        let programs = PROGRAMS.iter().map(|(name, _)| self.pins.program(name));
        let missing = programs.chain([self.pins.map(names::PODS)]).find(|pin| !pin.exists());
        let Some(pin) = missing else { return Ok(()) };
        let message = "the node's kernel programs are not loaded";
        Err(Error::new(Code::TryAgain, message)
            .details(format!("{} is not pinned: start the agent (waggle agent)", pin.display())))
    }

    /// Attaches the programs to the host's end of a link.
    ///
    /// # Errors
    /// When a pin is missing, or the kernel refuses.
    pub(crate) fn attach(&self, link: &Link, choice: Choice) -> Result<(), Error> {
        for (program, direction) in PROGRAMS {
            hook::attach_pinned(&self.pins.program(program), self.hook(link, direction), choice)?;
        }
        Ok(())
    }

    /// Whether the programs are attached to a device.
    ///
    /// # Errors
    /// When the pins cannot be read, or the kernel not be asked.
    pub(crate) async fn is_attached(&self, host: &Netlink, link: &Link) -> Result<bool, Error> {
        let mut attached = hook::filters(host, link).await?;
        for (_, direction) in PROGRAMS {
            attached.extend(hook::pinned_at(&self.pins, link.index, direction)?);
        }
        let is_attached = |direction| {
            let mut here = attached.iter().filter(|each| each.device.is_some());
            here.any(|each| each.direction == direction)
        };
        Ok(PROGRAMS.iter().all(|(_, direction)| is_attached(*direction)))
    }

    /// Detaches the programs. What is gone already is well.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) fn detach(&self, link: &Link) -> Result<(), Error> {
        for (_, direction) in PROGRAMS {
            hook::detach(self.hook(link, direction))?;
        }
        Ok(())
    }

    /// Removes the pins of devices that are gone: of such a device nobody knows the index.
    ///
    /// # Errors
    /// When pins cannot be read or removed.
    pub(crate) fn prune(&self) -> Result<(), Error> {
        for gone in hook::pinned(&self.pins)?.iter().filter(|each| each.device.is_none()) {
            hook::prune(&self.pins, gone.index, gone.direction)?;
        }
        Ok(())
    }

    fn hook<'a>(&'a self, link: &'a Link, direction: Direction) -> Hook<'a> {
        Hook { device: &link.name, index: link.index, direction, pins: &self.pins }
    }

    /// Tells the programs where packets to addresses go.
    ///
    /// # Errors
    /// When the map is missing, of another layout, or full.
    pub(crate) fn register(&self, ips: &[IpAddr], pod: Pod) -> Result<(), Error> {
        let mut pods = self.pods().map_err(|error| failed(&error))?;
        for ip in ips {
            pods.insert(Addr::from(*ip), pod, 0).map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    /// Where the programs send packets to an address.
    ///
    /// # Errors
    /// When the map is missing, of another layout, or unreadable.
    pub(crate) fn registered(&self, ip: IpAddr) -> Result<Option<Pod>, Error> {
        match self.pods().and_then(|pods| pods.get(&Addr::from(ip), 0)) {
            Ok(pod) => Ok(Some(pod)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Makes the programs forget addresses. What is gone already is well.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) fn forget(&self, ips: &[IpAddr]) -> Result<(), Error> {
        if ips.is_empty() {
            return Ok(());
        }
        let mut pods = match self.pods() {
            Err(error) if is_absent(&error) => return Ok(()),
            other => other.map_err(|error| failed(&error))?,
        };
        for ip in ips {
            match pods.remove(&Addr::from(*ip)) {
                Err(error) if !is_absent(&error) => return Err(failed(&error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Lets the pod behind a link send from its own addresses alone, or from any.
    ///
    /// # Errors
    /// When the kernel refuses, or the map is full.
    pub(crate) fn guard(&self, link: u32, guarded: bool) -> Result<(), Error> {
        let mut unguarded = match self.hash::<u32, u32>(names::UNGUARDED) {
            Err(error) if guarded && is_absent(&error) => return Ok(()),
            other => other.map_err(|error| failed(&error))?,
        };
        let changed = if guarded { unguarded.remove(&link) } else { unguarded.insert(link, 0, 0) };
        match changed {
            Err(error) if !is_absent(&error) => Err(failed(&error)),
            _ => Ok(()),
        }
    }

    fn pods(&self) -> Result<HashMap<MapData, Addr, Pod>, MapError> {
        self.hash(names::PODS)
    }

    fn hash<K: aya::Pod, V: aya::Pod>(
        &self,
        name: &str,
    ) -> Result<HashMap<MapData, K, V>, MapError> {
        let data = MapData::from_pin(self.pins.map(name))?;
        HashMap::try_from(Map::HashMap(data))
    }
}

fn is_absent(error: &MapError) -> bool {
    matches!(error, MapError::KeyNotFound)
        || errno(error) == Some(Cause::Errno(rustix::io::Errno::NOENT.raw_os_error()))
}

fn errno(error: &MapError) -> Option<Cause> {
    let call = match error {
        MapError::SyscallError(call)
        | MapError::PinError { error: PinError::SyscallError(call), .. } => call,
        _ => return None,
    };
    call.io_error.raw_os_error().map(Cause::Errno)
}

fn failed(error: &MapError) -> Error {
    let cause = match errno(error) {
        Some(cause) => cause.to_string(),
        None => error.to_string(),
    };
    Error::new(Code::Io, format!("failed to use a map of pods: {cause}"))
        .details("the agent's pins must be of the same release as the plugin: restart the agent")
}
