//! The tables Services are written to, as the reconciler sees them; not what is written or when.

mod batch;
mod bounds;
pub mod delivery;
pub mod dump;
mod error;
pub mod fake;
pub mod faulty;
pub(crate) mod fill;
pub mod host_ports;
pub mod kernel;
pub mod links;
pub mod networks;
pub mod sockets;
mod sources;
pub mod timeouts;

use std::ops::Range;

use dataplane_common::abi::{Backend, BackendId, FrontendKey, Service, Slot};

pub use bounds::Bounds;
pub use error::{ApplyError, Result};
pub use sources::Source;

/// The maps `services`, `slots`, `backends` and `sources`, and what `node` says of their content.
///
/// A failed write has changed nothing, but for [`LbMaps::write_slots`], which may have written a
/// part.
pub trait LbMaps {
    /// How many elements the maps can hold.
    fn capacity(&self) -> Capacity;

    /// Every frontend, in no particular order.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn services(&self) -> Result<Vec<(FrontendKey, Service)>>;

    /// Makes `key` stand for `value`, whatever it stood for: one atomic switch.
    ///
    /// # Errors
    /// [`ApplyError::Full`] when the map takes no more keys, else when the kernel refuses.
    fn put_service(&mut self, key: &FrontendKey, value: &Service) -> Result<()>;

    /// Takes a frontend out.
    ///
    /// # Errors
    /// [`ApplyError::NotFound`] when there is none, else when the kernel refuses.
    fn delete_service(&mut self, key: &FrontendKey) -> Result<()>;

    /// The slots of a range of indexes.
    ///
    /// # Errors
    /// [`ApplyError::NotFound`] when the range leaves the array, else when the kernel refuses.
    fn slots(&self, range: Range<u32>) -> Result<Vec<Slot>>;

    /// Writes slots from index `base` on.
    ///
    /// # Errors
    /// [`ApplyError::NotFound`] when they leave the array, else when the kernel refuses.
    fn write_slots(&mut self, base: u32, slots: &[Slot]) -> Result<()>;

    /// Every backend that is not all zero, that is, every one that was ever written, by its id.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn backends(&self) -> Result<Vec<(BackendId, Backend)>>;

    /// Writes the state of a backend.
    ///
    /// # Errors
    /// [`ApplyError::NotFound`] when the id leaves the array, else when the kernel refuses.
    fn write_backend(&mut self, id: BackendId, backend: &Backend) -> Result<()>;

    /// Every network of clients that is let in, in no particular order.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn sources(&self) -> Result<Vec<Source>>;

    /// Lets clients in.
    ///
    /// # Errors
    /// [`ApplyError::Full`] when the map takes no more, else when the kernel refuses.
    fn put_source(&mut self, source: Source) -> Result<()>;

    /// Lets them in no longer.
    ///
    /// # Errors
    /// [`ApplyError::NotFound`] when they were not, else when the kernel refuses.
    fn delete_source(&mut self, source: Source) -> Result<()>;

    /// Says where NodePorts and cluster IPs are. What is outside is not looked up.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn bound(&mut self, bounds: &Bounds) -> Result<()>;
}

/// How many elements the arrays have. Of `backends`, the first is never used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Elements of `slots`.
    pub slots: u32,
    /// Elements of `backends`.
    pub backends: u32,
    /// Elements of `services`.
    pub services: u32,
    /// Elements of `sources`.
    pub sources: u32,
}

/// How many slots there are, as the maps count.
#[must_use]
pub fn length(slots: &[Slot]) -> u32 {
    u32::try_from(slots.len()).unwrap_or(u32::MAX)
}
