//! From what shall be served to what the maps hold, so that no packet meets a half-made change.
//!
//! ```text
//! Desired --reserve--> Target --plan::make---> Step.. --apply--> LbMaps, Realized
//!   (ids, extents, clock)      plan::retire
//! ```
//!
//! *Make*: backends become active, slots are written where no frontend points yet, then each
//! frontend is switched by one write. *Retire*: frontends that nobody wants go, then backends that
//! left change state, and identifiers and slots are set aside. A reader may still hold what was
//! replaced, so they are used again no sooner than [`QUARANTINE`] later.

mod affinity;
mod apply;
mod extents;
mod ids;
mod plan;
mod realized;
mod reserve;
mod restore;

use std::time::{Duration, Instant};

pub use extents::{Extents, NoRoom};
pub use ids::{BackendIds, IdPool};
pub use plan::{Plan, Step};
pub use realized::Realized;
pub use reserve::Shortage;

use crate::maps::{ApplyError, LbMaps};
use crate::state::{Desired, FamilyPort};

/// How long nothing that was given up is used again.
pub const QUARANTINE: Duration = Duration::from_secs(2);

/// Why a ServicePort is not served as it shall be. It is tried again; others are not concerned.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// There is no room for what it needs.
    #[error(transparent)]
    Shortage(#[from] Shortage),
    /// A map operation failed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl Realized {
    /// Makes the frontends of `port` lead to its backends.
    ///
    /// # Errors
    /// When there is no room or a write fails. What was done is remembered, so that another try
    /// goes on from there.
    pub fn make(
        &mut self,
        port: &FamilyPort,
        desired: &Desired,
        maps: &mut impl LbMaps,
        now: Instant,
    ) -> Result<(), ReconcileError> {
        let target = self.reserve(port, desired, now)?;
        let plan = plan::make(desired, &target, self);
        self.apply(target.id(), plan, maps)?;
        Ok(())
    }

    /// Takes away what `port` has and, by `desired`, shall not have. To be called after
    /// [`Self::make`] of all ports, so that a frontend that changes its owner is never missing.
    ///
    /// # Errors
    /// When a write fails, as for [`Self::make`].
    pub fn retire(
        &mut self,
        port: &FamilyPort,
        desired: Option<&Desired>,
        maps: &mut impl LbMaps,
        now: Instant,
    ) -> Result<(), ReconcileError> {
        let Some(id) = self.id_of(port) else {
            return Ok(());
        };
        let plan = plan::retire(id, desired, self);
        self.apply(id, plan, maps)?;
        self.set_aside(id, desired, now);
        Ok(())
    }

    /// Takes away what was found at the start and nobody has claimed since.
    ///
    /// # Errors
    /// When a write fails, as for [`Self::make`].
    pub fn prune(&mut self, maps: &mut impl LbMaps, now: Instant) -> Result<(), ReconcileError> {
        for id in self.unclaimed() {
            let plan = plan::retire(id, None, self);
            self.apply(id, plan, maps)?;
            self.set_aside(id, None, now);
        }
        self.apply_orphans(maps, now)?;
        Ok(())
    }
}
