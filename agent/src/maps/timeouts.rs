//! The pinned array `timeouts`: how long silent flows last.

use aya::maps::{Array, MapData};
use dataplane_common::abi::{LIVES, names};
use hostnet::Pins;

use super::Result;
use super::kernel::{array, read, write};

/// The pinned map `timeouts`.
pub struct TimeoutMap {
    timeouts: Array<MapData, u32>,
    /// What it holds: nobody else writes to it.
    written: Vec<u32>,
}

impl TimeoutMap {
    /// Opens the map, whose shape must have been checked.
    ///
    /// # Errors
    /// When it is not pinned or the kernel refuses.
    pub fn open(pins: &Pins) -> Result<Self> {
        let timeouts: Array<_, u32> = array(pins, names::TIMEOUTS)?;
        let seconds = |index| timeouts.get(&index, 0).map_err(read(names::TIMEOUTS));
        let written = (0..LIVES).map(seconds).collect::<Result<_>>()?;
        Ok(Self { timeouts, written })
    }

    /// Makes each element hold these seconds; says whether any had to be written.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn ensure(&mut self, wanted: impl Iterator<Item = u32>) -> Result<bool> {
        let mut is_other = false;
        for ((index, written), wanted) in (0..).zip(&mut self.written).zip(wanted) {
            if *written != wanted {
                self.timeouts.set(index, wanted, 0).map_err(write(names::TIMEOUTS))?;
                *written = wanted;
                is_other = true;
            }
        }
        Ok(is_other)
    }
}
