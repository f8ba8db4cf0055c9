//! The hook by a TCX link.

use std::fs;
use std::io;
use std::path::Path;

use aya::pin::PinError;
use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::tc::{SchedClassifierLink, TcAttachOptions};
use aya::programs::{LinkOrder, SchedClassifier};

use super::Hook;
use crate::bpf;
use crate::error::{During as _, Error, Result};

/// Attaches a program; says no where the kernel has no TCX.
pub(super) fn attach(program: &mut SchedClassifier, hook: Hook<'_>) -> Result<bool> {
    if is_alive(hook)? {
        replace(program, hook)?;
        return Ok(true);
    }
    // What is pinned here belongs to a device that is gone.
    detach(&hook.pin())?;
    create(program, hook)
}

/// Removes a link with its pin; says whether there was one.
pub(super) fn detach(pin: &Path) -> Result<bool> {
    // A link that cannot be detached goes with its pin.
    let _: io::Result<()> = bpf::detach_link(pin);
    match fs::remove_file(pin) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).during("remove", format_args!("pin {}", pin.display())),
    }
}

/// Whether the pinned link is attached to the device, and not left from one that had its index.
fn is_alive(hook: Hook<'_>) -> Result<bool> {
    match bpf::tcx_link(&hook.pin()) {
        Ok(link) => Ok(link.ifindex == hook.index),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).during("read", format_args!("pinned link of {hook}")),
    }
}

fn replace(program: &mut SchedClassifier, hook: Hook<'_>) -> Result<()> {
    let pinned = PinnedLink::from_pin(hook.pin()).during("open", format_args!("link of {hook}"))?;
    let link = SchedClassifierLink::try_from(FdLink::from(pinned)).during("open", hook)?;
    let id = program.attach_to_link(link).during("replace", hook)?;
    // The pin keeps the link; the program must not keep a second claim to it.
    program.take_link(id).during("replace", hook).map(drop)
}

fn create(program: &mut SchedClassifier, hook: Hook<'_>) -> Result<bool> {
    let options = TcAttachOptions::TcxOrder(LinkOrder::default());
    let attached = program.attach_with_options(hook.device, hook.direction.into(), options);
    let id = match attached.during("attach", hook) {
        Ok(id) => id,
        // A kernel that does not know the attach type.
        Err(error) if error.errno() == Some(libc::EINVAL) => return Ok(false),
        Err(error) => return Err(error),
    };
    let link: FdLink =
        program.take_link(id).during("attach", hook)?.try_into().during("attach", hook)?;
    let pin = hook.pin();
    match link.pin(&pin) {
        Ok(_) => Ok(true),
        Err(PinError::SyscallError(call)) => Err(call.io_error),
        Err(other) => return Err(Error::new("pin", hook, other.to_string())),
    }
    .during("pin", format_args!("link of {hook} to {}", pin.display()))
}
