//! The kernel's part: programs and tables, pinned so that they outlive the agent.
//!
//! ```text
//! preflight -> shape of what is pinned -> same build? -> adopt, touching nothing
//!                       '-> meta: none -> programs::replace -> hooks::ensure -> meta: this build
//! ```
//!
//! Whenever the agent dies in between, hooks run either program over the same tables, and the next
//! start begins again whatever its build, because `meta` names none until hooks run one.

mod cgroup;
mod error;
pub mod hooks;
mod object;
mod preflight;
mod programs;
mod shape;

use aya::maps::{Array, Map, MapData, MapError};
pub use aya::util::online_cpus;
use dataplane_common::abi::{Meta, NodeConfig, names};
use hostnet::Pins;

pub(crate) use cgroup::NO_END;
pub use cgroup::{HostClients, attach_clients, refusal};
pub use error::LoadError;
pub use object::{build, object};
pub use preflight::{PreflightError, capable, cgroup_root, clock, has_bpf, on_bpffs, one_layout};
pub use programs::{current, forget_last};
pub use shape::{SHAPES, Shape};

/// What a start found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// This build with this configuration: nothing was loaded.
    Same,
    /// Nothing, or another build: programs were loaded and pinned, and hooks must be given them.
    Other,
}

/// Makes this build's programs the pinned ones, over the tables that are pinned.
///
/// # Errors
/// When what is pinned does not fit, or the kernel refuses.
pub fn load(pins: &Pins, object: &[u8], config: &NodeConfig) -> Result<Found, LoadError> {
    pins.create()?;
    let has_maps = shape::check(pins)?;
    let has_programs = current(pins)?.len() == programs::all().count();
    if has_maps && has_programs && pinned_build(pins)? == build(object, config) {
        return Ok(Found::Same);
    }
    if has_maps {
        settle(pins, 0)?;
    }
    programs::replace(pins, object, config)?;
    Ok(Found::Other)
}

/// Writes down that every hook runs this build.
///
/// # Errors
/// When the map cannot be written.
pub fn settle(pins: &Pins, build: u64) -> Result<(), LoadError> {
    let mut meta = meta(pins)?;
    meta.set(0, Meta { build }, 0).map_err(|cause| meta_error(pins, cause))
}

/// The build that every hook runs; 0 while there is none.
///
/// # Errors
/// When the map cannot be read.
pub fn pinned_build(pins: &Pins) -> Result<u64, LoadError> {
    let meta = meta(pins)?.get(&0, 0).map_err(|cause| meta_error(pins, cause))?;
    Ok(meta.build)
}

fn meta(pins: &Pins) -> Result<Array<MapData, Meta>, LoadError> {
    let data = MapData::from_pin(pins.map(names::META));
    data.and_then(|data| Array::try_from(Map::Array(data))).map_err(|cause| meta_error(pins, cause))
}

fn meta_error(pins: &Pins, cause: MapError) -> LoadError {
    LoadError::Map { path: pins.map(names::META), cause }
}
