//! The pinned programs, and how one set of them takes the place of another.
//!
//! ```text
//! <program>        what new hooks get
//! <program>-last   what it replaced, until no hook runs it: tells which program a hook runs
//! <program>-next   a moment between loading and taking the place
//! ```

use std::collections::BTreeMap;
use std::io;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use aya::pin::PinError;
use aya::programs::{Program, ProgramError, ProgramInfo, SchedClassifier};
use aya::{Ebpf, EbpfLoader};
use dataplane_common::abi::{NodeConfig, names};
use hostnet::Pins;

use super::error::{LoadError, causes};
use super::shape::SHAPES;

/// Loads an object's programs over the pinned maps, making those that are missing, and pins them
/// in the place of those that are pinned. Hooks still run what they ran.
///
/// # Errors
/// When the kernel refuses any part. What was pinned is then still pinned.
pub(super) fn replace(pins: &Pins, object: &[u8], config: &NodeConfig) -> Result<(), LoadError> {
    let map_pins = SHAPES.map(|shape| (shape, pins.map(shape.name)));
    let mut loader = EbpfLoader::new();
    loader.override_global(names::CONFIG, config, true);
    for (shape, pin) in &map_pins {
        loader.map_max_entries(shape.name, shape.max_entries).map_pin_path(shape.name, pin);
    }
    let mut ebpf = loader.load(object).map_err(|cause| LoadError::Object { cause })?;
    // All are pinned beside the old ones before the first takes its place.
    for (name, program) in loaded(&mut ebpf)? {
        pin(&next(pins, name), |path| program.pin(path))?;
    }
    for name in all() {
        if names::PROGRAMS.contains(&name) {
            keep_last(pins, name)?;
        }
        promote(pins, name)?;
    }
    Ok(())
}

/// The names of all programs.
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    names::PROGRAMS.into_iter().chain(names::SOCKET_PROGRAMS)
}

/// A program with its name.
type Named<'a> = (&'static str, &'a mut Program);

/// Loads all programs, on all processors: the kernel verifies each for itself, which is most of what
/// a start takes.
fn loaded(ebpf: &mut Ebpf) -> Result<Vec<Named<'_>>, LoadError> {
    let mut found: BTreeMap<_, _> = ebpf.programs_mut().collect();
    let named = |name| Ok((name, found.remove(name).ok_or(LoadError::NoProgram { name })?));
    let waiting = Mutex::new(all().map(named).collect::<Result<Vec<_>, LoadError>>()?.into_iter());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || std::iter::from_fn(next).map(load).collect::<Result<Vec<_>, _>>();
    thread::scope(|scope| {
        let others = thread::available_parallelism().map_or(0, |all| all.get() - 1);
        // Where there can be no thread, the others have more to do.
        let others =
            (0..others).map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok());
        let others: Vec<_> = others.collect();
        let mut programs = work();
        for other in others {
            let more = other.join().unwrap_or_else(|panic| resume_unwind(panic));
            programs =
                programs.and_then(|programs| Ok(programs.into_iter().chain(more?).collect()));
        }
        programs
    })
}

fn load((name, program): Named<'_>) -> Result<Named<'_>, LoadError> {
    let outcome = match program {
        Program::SchedClassifier(program) => program.load(),
        Program::CgroupSockAddr(program) => program.load(),
        _ => Err(ProgramError::UnexpectedProgramType),
    };
    outcome.map_err(|cause| LoadError::Program { name, cause }).map(|()| (name, program))
}

/// The identifiers of all pinned programs, with the program that each is.
///
/// # Errors
/// When a pin cannot be read.
pub(super) fn known(pins: &Pins) -> Result<BTreeMap<u32, &'static str>, LoadError> {
    let mut known = BTreeMap::new();
    for name in names::PROGRAMS {
        for path in [pins.program(name), last(pins, name)] {
            known.extend(id(name, &path)?.map(|id| (id, name)));
        }
    }
    Ok(known)
}

/// The identifiers of the programs that hooks should run.
///
/// # Errors
/// When a pin cannot be read.
pub fn current(pins: &Pins) -> Result<BTreeMap<&'static str, u32>, LoadError> {
    let mut current = BTreeMap::new();
    for name in all() {
        current.extend(id(name, &pins.program(name))?.map(|id| (name, id)));
    }
    Ok(current)
}

/// Forgets replaced programs, once no hook runs them.
///
/// # Errors
/// When a pin cannot be removed.
pub fn forget_last(pins: &Pins) -> Result<(), LoadError> {
    names::PROGRAMS.into_iter().try_for_each(|name| remove(&last(pins, name)))
}

fn keep_last(pins: &Pins, name: &'static str) -> Result<(), LoadError> {
    let current = pins.program(name);
    if id(name, &current)?.is_none() {
        return Ok(());
    }
    let mut program =
        SchedClassifier::from_pin(&current).map_err(|cause| LoadError::Program { name, cause })?;
    pin(&last(pins, name), |path| program.pin(path))
}

fn promote(pins: &Pins, name: &str) -> Result<(), LoadError> {
    let current = pins.program(name);
    std::fs::rename(next(pins, name), &current)
        .map_err(|error| LoadError::Pin { path: current, cause: error.to_string() })
}

fn pin(path: &Path, pin: impl FnOnce(&Path) -> Result<(), PinError>) -> Result<(), LoadError> {
    remove(path)?;
    pin(path).map_err(|error| LoadError::Pin { path: path.into(), cause: causes(&error) })
}

fn remove(path: &Path) -> Result<(), LoadError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(LoadError::Pin { path: path.into(), cause: error.to_string() })
        }
        _ => Ok(()),
    }
}

fn id(name: &'static str, path: &Path) -> Result<Option<u32>, LoadError> {
    match ProgramInfo::from_pin(path) {
        Err(ProgramError::SyscallError(error))
            if error.io_error.kind() == io::ErrorKind::NotFound =>
        {
            Ok(None)
        }
        read => {
            read.map(|info| Some(info.id())).map_err(|cause| LoadError::Program { name, cause })
        }
    }
}

fn last(pins: &Pins, name: &str) -> PathBuf {
    pins.program(&format!("{name}-last"))
}

fn next(pins: &Pins, name: &str) -> PathBuf {
    pins.program(&format!("{name}-next"))
}
