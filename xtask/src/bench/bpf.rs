//! The few calls of bpf(2) that this program makes; everything ends when its descriptor is closed.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use anyhow::{Context as _, Result};

use super::instruction::Assembly;

const MAP_CREATE: libc::c_long = 0;
const MAP_LOOKUP: libc::c_long = 1;
const MAP_UPDATE: libc::c_long = 2;
const OBJ_GET: libc::c_long = 7;
const MAP_TAKE_BATCH: libc::c_long = 25;
const PROG_LOAD: libc::c_long = 5;
const PROG_TEST_RUN: libc::c_long = 10;
const LINK_CREATE: libc::c_long = 28;

const ARRAY: u32 = 2;
const TCX_INGRESS: u32 = 46;
const LIVE_FRAMES: u32 = 2;

/// Frames in one softirq round, as many as a device's poll takes.
const BATCH: u32 = 64;

/// Elements of a map in one call.
const MOST: usize = 16_384;

/// What a program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    SchedClassifier = 3,
    Xdp = 6,
}

/// A loaded program.
#[derive(Debug)]
pub(super) struct Program(OwnedFd);

/// One number that a program shares with us.
#[derive(Debug)]
pub(super) struct Number(OwnedFd);

/// A program at a device, until dropped.
#[derive(Debug)]
pub(super) struct Link(#[expect(dead_code, reason = "closing it detaches")] OwnedFd);

#[repr(C)]
#[derive(Default)]
struct MapCreate {
    kind: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
}

#[repr(C)]
struct Element {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
#[derive(Default)]
struct ProgLoad {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
}

#[repr(C)]
#[derive(Default)]
struct TestRun {
    program: u32,
    verdict: u32,
    size_in: u32,
    size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    context_size_in: u32,
    context_size_out: u32,
    context_in: u64,
    context_out: u64,
    flags: u32,
    cpu: u32,
    batch_size: u32,
    padding: u32,
}

#[repr(C)]
#[derive(Default)]
struct ObjectGet {
    path: u64,
    descriptor: u32,
    flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct Batch {
    from: u64,
    to: u64,
    keys: u64,
    values: u64,
    count: u32,
    map: u32,
    element_flags: u64,
    flags: u64,
}

#[repr(C)]
struct LinkCreate {
    program: u32,
    device: u32,
    attach_type: u32,
    flags: u32,
}

impl Number {
    /// Zero.
    pub(super) fn new() -> Result<Self> {
        let mut create = MapCreate { kind: ARRAY, key_size: 4, value_size: 8, max_entries: 1 };
        Ok(Self(open(MAP_CREATE, &mut create).context("making a map")?))
    }

    /// How programs point to it.
    pub(super) fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Its value.
    pub(super) fn get(&self) -> Result<u64> {
        let mut value = 0;
        self.element(MAP_LOOKUP, &raw mut value as u64).context("reading a map")?;
        Ok(value)
    }

    /// Sets it.
    pub(super) fn set(&self, value: u64) -> Result<()> {
        self.element(MAP_UPDATE, &raw const value as u64).context("writing a map")
    }

    fn element(&self, command: libc::c_long, value: u64) -> io::Result<()> {
        let key = 0_u32;
        let (map, key) = (number(&self.0), &raw const key as u64);
        call(command, &mut Element { map, padding: 0, key, value, flags: 0 }).map(drop)
    }
}

impl Program {
    /// Loads a program; the verifier's words are the error.
    pub(super) fn load(kind: Kind, code: &Assembly) -> Result<Self> {
        let mut log = vec![0_u8; 1 << 16];
        let mut load = ProgLoad {
            kind: kind as u32,
            count: u32::try_from(code.0.len())?,
            instructions: code.0.as_ptr() as u64,
            license: c"GPL".as_ptr() as u64,
            log_level: 1,
            log_size: u32::try_from(log.len())?,
            log: log.as_mut_ptr() as u64,
        };
        let loaded = open(PROG_LOAD, &mut load).with_context(|| {
            let text = String::from_utf8_lossy(&log);
            format!("loading a program: {}", text.trim_end_matches('\0'))
        })?;
        Ok(Self(loaded))
    }

    /// Attaches it to the ingress of a device of this thread's network namespace.
    pub(super) fn attach(&self, device: u32) -> Result<Link> {
        let program = number(&self.0);
        let mut create = LinkCreate { program, device, attach_type: TCX_INGRESS, flags: 0 };
        let link = open(LINK_CREATE, &mut create).with_context(|| {
            format!("attaching to device {device} by TCX, which is in Linux 6.6")
        })?;
        Ok(Link(link))
    }

    /// Runs an XDP program on so many copies of a frame, which then go where it sends them, with
    /// all they cause on this processor; nanoseconds for each.
    pub(super) fn run_live(&self, frame: &[u8], repeat: u32) -> Result<u32> {
        let mut run = TestRun {
            program: number(&self.0),
            size_in: u32::try_from(frame.len())?,
            data_in: frame.as_ptr() as u64,
            repeat,
            flags: LIVE_FRAMES,
            batch_size: BATCH,
            ..TestRun::default()
        };
        call(PROG_TEST_RUN, &mut run)
            .context("sending live frames by BPF_PROG_TEST_RUN, which is in Linux 5.18")?;
        Ok(run.duration)
    }
}

/// Takes everything out of a pinned hash map, whose keys and values have these sizes.
pub(crate) fn empty(pin: &Path, [key, value]: [usize; 2]) -> Result<()> {
    let path = CString::new(pin.as_os_str().as_bytes())?;
    let mut get = ObjectGet { path: path.as_ptr() as u64, ..ObjectGet::default() };
    let map = open(OBJ_GET, &mut get).with_context(|| format!("opening {}", pin.display()))?;
    let (mut keys, mut values) = (vec![0_u8; MOST * key], vec![0_u8; MOST * value]);
    let mut position = 0_u32;
    loop {
        let mut batch = Batch {
            from: if position == 0 { 0 } else { &raw const position as u64 },
            to: &raw mut position as u64,
            keys: keys.as_mut_ptr() as u64,
            values: values.as_mut_ptr() as u64,
            count: u32::try_from(MOST)?,
            map: number(&map),
            ..Batch::default()
        };
        match call(MAP_TAKE_BATCH, &mut batch) {
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(()),
            Err(error) => {
                return Err(error).with_context(|| format!("emptying {}", pin.display()));
            }
        }
    }
}

fn number(descriptor: &OwnedFd) -> u32 {
    descriptor.as_raw_fd().unsigned_abs()
}

fn open<T>(command: libc::c_long, attributes: &mut T) -> io::Result<OwnedFd> {
    let descriptor = call(command, attributes)?;
    let descriptor = RawFd::try_from(descriptor).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made the descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn call<T>(command: libc::c_long, attributes: &mut T) -> io::Result<libc::c_long> {
    // SAFETY: the attributes are of the command's layout, live for the call, and all pointers in
    // them are to memory of the caller that outlives it.
    let outcome =
        unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attributes, size_of::<T>()) };
    if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(outcome) }
}
