//! Programs at a cgroup, which see the calls of processes below it.
//!
//! Each is attached by a pinned link, which keeps it in place. Others' programs at the same cgroup
//! run as well.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use aya::pin::PinError;
use aya::programs::links::FdLink;
use aya::programs::{CgroupAttachMode, CgroupSockAddr, CgroupSockAddrAttachType as Call};
use dataplane_common::abi::names;

use crate::bpf;
use crate::error::{During as _, Error, Result};
use crate::pins::Pins;

/// A folder of a cgroup v2 hierarchy.
#[derive(Debug)]
pub struct Cgroup {
    folder: File,
    path: PathBuf,
    id: u64,
}

/// A program of ours at a cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The program's name, one of [`names::SOCKET_PROGRAMS`].
    pub name: &'static str,
    /// The program's identifier in the kernel.
    pub program: u32,
    /// The cgroup's identifier in the kernel; 0 when the cgroup is gone.
    pub cgroup: u64,
}

impl Cgroup {
    /// Opens the cgroup of a folder.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn open(path: &Path) -> Result<Self> {
        let object = format_args!("cgroup {}", path.display());
        let folder = File::open(path).during("open", object)?;
        let id = folder.metadata().during("examine", object)?.ino();
        Ok(Self { folder, path: path.to_owned(), id })
    }

    /// The kernel's identifier of it.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }
}

/// Makes the cgroup run the pinned programs, each at once in place of the one that ran before there
/// or at another cgroup; says how many it did not run.
///
/// # Errors
/// When one is not pinned, or the kernel refuses it: what was attached stays as it was.
pub fn attach_pinned(cgroup: &Cgroup, pins: &Pins) -> Result<usize> {
    // Of a start that was cut short.
    drop_prepared(pins);
    let steps = names::SOCKET_PROGRAMS.into_iter().map(|name| Step::prepare(name, cgroup, pins));
    let steps = steps.collect::<Result<Vec<_>>>().inspect_err(|_| drop_prepared(pins))?;
    let mut changed = 0;
    for (name, step) in names::SOCKET_PROGRAMS.into_iter().zip(steps) {
        changed += usize::from(step.take(name, pins)?);
    }
    Ok(changed)
}

/// Detaches what was prepared and has not taken its place.
fn drop_prepared(pins: &Pins) {
    for name in names::SOCKET_PROGRAMS {
        let _mostly_none: io::Result<()> = fs::remove_file(next_pin(pins, name));
    }
}

/// A program that a cgroup runs as long as this is held, beside all that it runs anyway.
#[derive(Debug)]
pub struct Trial {
    _link: FdLink,
}

impl Trial {
    /// Makes a cgroup run the program that is pinned under a name.
    ///
    /// # Errors
    /// When it is not pinned, or the kernel refuses it.
    pub fn begin(name: &'static str, cgroup: &Cgroup, pins: &Pins) -> Result<Self> {
        let link = link(&mut program(name, pins)?, name, cgroup)?;
        Ok(Self { _link: link })
    }
}

/// What is left to do for a program to be attached.
enum Step {
    /// It is.
    Nothing,
    /// Its link runs another program.
    Replace(Box<CgroupSockAddr>),
    /// Its new link has yet to take the pin of the old one.
    Move,
}

impl Step {
    /// Does what takes nothing away.
    fn prepare(name: &'static str, cgroup: &Cgroup, pins: &Pins) -> Result<Self> {
        let mut program = program(name, pins)?;
        let id = program.info().during("examine", pins_text(pins, name))?.id();
        match attached(pins, name)? {
            Some(there) if there.cgroup == cgroup.id && there.program == id => Ok(Self::Nothing),
            Some(there) if there.cgroup == cgroup.id => Ok(Self::Replace(Box::new(program))),
            Some(_) | None => {
                let link = link(&mut program, name, cgroup)?;
                pin_next(link, name, cgroup, pins).map(|()| Self::Move)
            }
        }
    }

    /// Says whether there was anything to do.
    fn take(self, name: &str, pins: &Pins) -> Result<bool> {
        match self {
            Self::Nothing => return Ok(false),
            Self::Replace(program) => {
                let object = pins_text(pins, name);
                let new = program.fd().during("replace", &object)?;
                bpf::update_link(&pin(pins, name), new).during("replace", &object)?;
            }
            // The old link ends thereby: at no time none is there.
            Self::Move => {
                let next = next_pin(pins, name);
                let object = format_args!("pin {}", next.display());
                fs::rename(&next, pin(pins, name)).during("move", object)?;
            }
        }
        Ok(true)
    }
}

/// What is attached by pinned links.
///
/// # Errors
/// When a pin cannot be read.
pub fn list(pins: &Pins) -> Result<Vec<Attachment>> {
    let mut attachments = Vec::new();
    for name in names::SOCKET_PROGRAMS {
        attachments.extend(attached(pins, name)?);
    }
    Ok(attachments)
}

/// Detaches what is attached by the pinned link of a name; says whether anything was.
///
/// # Errors
/// When the pin cannot be removed.
pub fn detach(pins: &Pins, name: &str) -> Result<bool> {
    let pin = pin(pins, name);
    // A link that cannot be detached goes with its pin.
    let _: io::Result<()> = bpf::detach_link(&pin);
    match fs::remove_file(&pin) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).during("remove", format_args!("pin {}", pin.display())),
    }
}

fn attached(pins: &Pins, name: &'static str) -> Result<Option<Attachment>> {
    let pin = pin(pins, name);
    match bpf::cgroup_link(&pin) {
        Ok(bpf::CgroupLink { program, cgroup }) => Ok(Some(Attachment { name, program, cgroup })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).during("read", format_args!("pinned link {}", pin.display())),
    }
}

fn program(name: &'static str, pins: &Pins) -> Result<CgroupSockAddr> {
    let object = pins_text(pins, name);
    let call = call(name).ok_or_else(|| Error::new("attach", &object, "no such call is known"))?;
    CgroupSockAddr::from_pin(pins.program(name), call).during("open", object)
}

/// Attaches a program until the link is dropped.
fn link(program: &mut CgroupSockAddr, name: &str, cgroup: &Cgroup) -> Result<FdLink> {
    let object = format_args!("{name} at cgroup {}", cgroup.path.display());
    // Links run beside others' programs whatever the mode, and the kernel takes no other.
    let attached = program.attach(&cgroup.folder, CgroupAttachMode::Single);
    let id = attached.during("attach", object)?;
    program.take_link(id).during("attach", object)?.try_into().during("attach", object)
}

/// Keeps a link beside the one that it shall take the place of.
fn pin_next(link: FdLink, name: &str, cgroup: &Cgroup, pins: &Pins) -> Result<()> {
    let object = format_args!("{name} at cgroup {}", cgroup.path.display());
    let next = next_pin(pins, name);
    match link.pin(&next) {
        Ok(_) => Ok(()),
        Err(PinError::SyscallError(call)) => Err(call.io_error).during("pin", object),
        Err(other) => Err(Error::new("pin", object, other.to_string())),
    }
}

fn next_pin(pins: &Pins, name: &str) -> PathBuf {
    pins.links().join(OsStr::new(&format!("cgroup-{name}-next")))
}

fn pin(pins: &Pins, name: &str) -> PathBuf {
    pins.links().join(OsStr::new(&format!("cgroup-{name}")))
}

fn pins_text(pins: &Pins, name: &str) -> String {
    format!("pinned program {}", pins.program(name).display())
}

/// The call that the program of a name is asked about.
fn call(name: &str) -> Option<Call> {
    Some(match name {
        "connect4" => Call::Connect4,
        "connect6" => Call::Connect6,
        "sendmsg4" => Call::UDPSendMsg4,
        "sendmsg6" => Call::UDPSendMsg6,
        "recvmsg4" => Call::UDPRecvMsg4,
        "recvmsg6" => Call::UDPRecvMsg6,
        "getpeername4" => Call::GetPeerName4,
        "getpeername6" => Call::GetPeerName6,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_a_call() {
        let unknown: Vec<_> =
            names::SOCKET_PROGRAMS.into_iter().filter(|name| call(name).is_none()).collect();
        assert_eq!(unknown, Vec::<&str>::new());
    }
}
