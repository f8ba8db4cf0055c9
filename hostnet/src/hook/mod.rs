//! Hooks: where a device hands its packets to a program.
//!
//! The kernel has two ways. TCX links (from Linux 6.6) are pinned, replaced atomically and gone
//! with their pin. Before, a program is a filter of the device's clsact qdisc, and ours is
//! known by its priority and handle. [`attach`] takes the first where the kernel has it.
//!
//! Pins are named by the device's index, because a device keeps that when it is renamed. A link
//! whose device is gone says so, so that its pin is never taken for one of a later device.
//!
//! Everything acts in the calling thread's network namespace, because the kernel resolves a
//! device there.

mod device;
mod filter;
mod list;
mod qdisc;
mod tcx;

use std::path::{Path, PathBuf};

use aya::programs::links::LinkError;
use aya::programs::tc::TcError;
use aya::programs::{ProgramError, SchedClassifier, TcAttachType};

use crate::error::{Cause, During as _, Error, Result};
use crate::pins::Pins;

pub use crate::direction::Direction;
pub use list::{Attachment, filters, pinned, pinned_at};
pub use qdisc::delete_unused_qdisc;

/// How a program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mechanism {
    /// A pinned TCX link.
    Tcx,
    /// A filter of the clsact qdisc.
    Filter,
}

/// Which mechanisms may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Choice {
    /// TCX where the kernel has it, else a filter.
    #[default]
    Best,
    /// A filter in any case.
    Filter,
}

/// A device's hook, and where its link is pinned.
#[derive(Clone, Copy, Debug)]
pub struct Hook<'a> {
    /// The device's name.
    pub device: &'a str,
    /// The device's index.
    pub index: u32,
    /// Which packets.
    pub direction: Direction,
    /// Where links are pinned.
    pub pins: &'a Pins,
}

impl Hook<'_> {
    fn pin(self) -> PathBuf {
        self.pins.link(self.index, self.direction)
    }
}

/// Attaches a loaded program, in the place of one that was attached here before, and says how.
/// The program stays attached when the process ends.
///
/// # Errors
/// When the device does not exist or has another name, the pin cannot be made, or the kernel refuses
/// the program.
pub fn attach(program: &mut SchedClassifier, hook: Hook<'_>, choice: Choice) -> Result<Mechanism> {
    if device::index(hook.device)? != hook.index {
        let cause = Cause::Errno(libc::ENODEV);
        return Err(Error { action: "attach", object: hook.to_string(), cause });
    }
    if choice == Choice::Best && tcx::attach(program, hook)? {
        // A filter of ours may be here from a time of another choice; it must not run twice.
        filter::detach(hook)?;
        return Ok(Mechanism::Tcx);
    }
    filter::attach(program, hook)?;
    tcx::detach(&hook.pin())?;
    Ok(Mechanism::Filter)
}

/// Attaches the program that is pinned at a path; else like [`attach`].
///
/// # Errors
/// [`crate::Error::is_absent`] of the program when nothing is pinned there; else like [`attach`].
pub fn attach_pinned(program: &Path, hook: Hook<'_>, choice: Choice) -> Result<Mechanism> {
    let mut program = SchedClassifier::from_pin(program)
        .during("open", format_args!("program {}", program.display()))?;
    attach(&mut program, hook, choice)
}

/// Detaches what [`attach`] attached, by either mechanism; says whether anything was.
///
/// # Errors
/// The kernel's, unless it says that there is nothing, or no such device.
pub fn detach(hook: Hook<'_>) -> Result<bool> {
    let had_link = tcx::detach(&hook.pin())?;
    let had_filter = filter::detach(hook)?;
    Ok(had_link || had_filter)
}

/// Removes what is left of a hook whose device is gone; says whether anything was.
///
/// # Errors
/// The file system's.
pub fn prune(pins: &Pins, index: u32, direction: Direction) -> Result<bool> {
    tcx::detach(&pins.link(index, direction))
}

impl std::fmt::Display for Hook<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let direction = match self.direction {
            Direction::Ingress => "ingress",
            Direction::Egress => "egress",
        };
        write!(f, "program at {direction} of {}", self.device)
    }
}

impl From<Direction> for TcAttachType {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Ingress => Self::Ingress,
            Direction::Egress => Self::Egress,
        }
    }
}

impl From<ProgramError> for Cause {
    fn from(error: ProgramError) -> Self {
        match error {
            ProgramError::SyscallError(call) => call.io_error.into(),
            ProgramError::IOError(error) | ProgramError::TcError(TcError::IoError(error)) => {
                error.into()
            }
            ProgramError::NetlinkError(error)
            | ProgramError::TcError(TcError::NetlinkError(error)) => {
                error.raw_os_error().map_or_else(|| Self::Message(error.to_string()), Self::Errno)
            }
            other => Self::Message(other.to_string()),
        }
    }
}

impl From<LinkError> for Cause {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::SyscallError(call) => call.io_error.into(),
            other => Self::Message(other.to_string()),
        }
    }
}
