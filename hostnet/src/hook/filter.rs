//! The hook by a filter of the clsact qdisc, known by its priority and handle.

use std::mem;

use aya::programs::SchedClassifier;
use aya::programs::links::Link as _;
use aya::programs::tc::{self, NlOptions, SchedClassifierLink, TcAttachOptions, TcError, TcHandle};
use dataplane_common::abi::names::{TC_HANDLE, TC_PRIORITY};

use super::Hook;
use crate::error::{Cause, During as _, Error, Result};

/// Attaches a program, in the place of our filter if there is one.
pub(super) fn attach(program: &mut SchedClassifier, hook: Hook<'_>) -> Result<()> {
    ensure_qdisc(hook)?;
    let options = TcAttachOptions::Netlink(NlOptions {
        priority: TC_PRIORITY,
        handle: TcHandle::from(TC_HANDLE),
        classid: None,
    });
    let attached = program.attach_with_options(hook.device, hook.direction.into(), options);
    let id = match attached.during("attach", hook) {
        Err(error) if error.is_taken() => {
            program.attach_to_link(ours(hook)?).during("replace", hook)?
        }
        other => other.map_err(explain)?,
    };
    let link = program.take_link(id).during("attach", hook)?;
    // Dropping it would detach the filter, which is to outlive the process.
    mem::forget(link);
    Ok(())
}

/// Deletes our filter; says whether there was one. The qdisc stays; see
/// [`super::delete_unused_qdisc`].
pub(super) fn detach(hook: Hook<'_>) -> Result<bool> {
    let link = match ours(hook) {
        Ok(link) => link,
        Err(error) if error.is_absent() => return Ok(false),
        Err(error) => return Err(error),
    };
    match link.detach().during("detach", hook) {
        Ok(()) => Ok(true),
        // What the kernel answers where there is no qdisc.
        Err(error) if error.is_absent() || error.errno() == Some(libc::EINVAL) => Ok(false),
        Err(error) => Err(error),
    }
}

fn ensure_qdisc(hook: Hook<'_>) -> Result<()> {
    let object = format_args!("clsact qdisc of {}", hook.device);
    match tc::qdisc_add_clsact(hook.device).during("add", object) {
        Err(error) if error.is_taken() => Ok(()),
        other => other.map_err(explain),
    }
}

/// The kernel's answers where it was built without what filters need are those for an object that
/// is missing, which the device is not.
fn explain(error: Error) -> Error {
    const NEEDS: &str = "the kernel lacks CONFIG_NET_SCH_INGRESS or CONFIG_NET_CLS_BPF: use one \
                         that has both, or Linux 6.6 or later with attach: auto";
    match error.errno() {
        Some(libc::ENOENT | libc::EOPNOTSUPP) => Error::new(error.action, error.object, NEEDS),
        _ => error,
    }
}

fn ours(hook: Hook<'_>) -> Result<SchedClassifierLink> {
    let handle = TcHandle::from(TC_HANDLE);
    let kind = hook.direction.into();
    SchedClassifierLink::attached(hook.device, kind, TC_PRIORITY, handle, None).during("find", hook)
}

impl From<TcError> for Cause {
    fn from(error: TcError) -> Self {
        aya::programs::ProgramError::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_filters_is_no_missing_device() {
        for (errno, is_explained) in [
            (libc::ENOENT, true),
            (libc::EOPNOTSUPP, true),
            (libc::ENODEV, false),
            (libc::EEXIST, false),
        ] {
            let error = Error { action: "add", object: "x".into(), cause: Cause::Errno(errno) };
            let explained = explain(error).to_string();
            assert_eq!(explained.contains("CONFIG_NET_CLS_BPF"), is_explained, "{explained}");
        }
    }
}
