//! What aya does not do with links: ask what one is attached to, give one another program, and
//! detach one at once.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

const BPF_OBJ_GET: libc::c_int = 7;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BPF_LINK_UPDATE: libc::c_int = 29;
const BPF_LINK_DETACH: libc::c_int = 34;
const BPF_LINK_TYPE_CGROUP: u32 = 3;
const BPF_LINK_TYPE_TCX: u32 = 11;
/// Size of [`LinkInfo`].
const LINK_INFO_SIZE: u32 = 32;
const _: () = assert!(size_of::<LinkInfo>() == LINK_INFO_SIZE as usize);

/// What the kernel says of a TCX link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TcxLink {
    /// The attached program.
    pub(crate) program: u32,
    /// The device it is attached to, 0 when that is gone.
    pub(crate) ifindex: u32,
}

/// What the kernel says of a link to a cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CgroupLink {
    /// The attached program.
    pub(crate) program: u32,
    /// The cgroup it is attached to, 0 when that is gone.
    pub(crate) cgroup: u64,
}

/// Leading part of `union bpf_attr` for `BPF_OBJ_GET`.
#[repr(C)]
struct ObjectGet {
    path: u64,
    fd: u32,
    flags: u32,
}

/// Leading part of `union bpf_attr` for `BPF_OBJ_GET_INFO_BY_FD`.
#[repr(C)]
struct ObjectInfo {
    fd: u32,
    length: u32,
    info: u64,
}

/// Leading part of `union bpf_attr` for `BPF_LINK_UPDATE`.
#[repr(C)]
struct LinkUpdate {
    fd: u32,
    new_program: u32,
    flags: u32,
    old_program: u32,
}

/// Leading part of `union bpf_attr` for `BPF_LINK_DETACH`.
#[repr(C)]
struct LinkDetach {
    fd: u32,
}

/// Leading part of `struct bpf_link_info`, with the union's two first words: TCX has the device's
/// index in the first, a cgroup's identifier takes both.
#[repr(C)]
#[derive(Default)]
struct LinkInfo {
    kind: u32,
    id: u32,
    program: u32,
    reserved: u32,
    target: [u32; 2],
    rest: [u32; 2],
}

/// Reads the link that is pinned at a path.
pub(crate) fn tcx_link(pin: &Path) -> io::Result<TcxLink> {
    let LinkInfo { program, target: [ifindex, _], .. } = info(&open(pin)?, BPF_LINK_TYPE_TCX)?;
    Ok(TcxLink { program, ifindex })
}

/// Reads the link to a cgroup that is pinned at a path.
pub(crate) fn cgroup_link(pin: &Path) -> io::Result<CgroupLink> {
    let LinkInfo { program, target: [low, high], .. } = info(&open(pin)?, BPF_LINK_TYPE_CGROUP)?;
    let [low, high] = [low, high].map(u32::to_ne_bytes);
    let [a, b, c, d] = low;
    let [e, f, g, h] = high;
    Ok(CgroupLink { program, cgroup: u64::from_ne_bytes([a, b, c, d, e, f, g, h]) })
}

/// Makes the link that is pinned at a path run another program, at once.
pub(crate) fn update_link(pin: &Path, program: impl AsFd) -> io::Result<()> {
    let link = open(pin)?;
    let request = LinkUpdate {
        fd: link.as_raw_fd().cast_unsigned(),
        new_program: program.as_fd().as_raw_fd().cast_unsigned(),
        flags: 0,
        old_program: 0,
    };
    bpf(BPF_LINK_UPDATE, &request).map(drop)
}

/// Detaches the link that is pinned at a path. Without, the kernel does it some time after the pin
/// was removed, and refuses to attach the same program until then.
pub(crate) fn detach_link(pin: &Path) -> io::Result<()> {
    let fd = open(pin)?;
    bpf(BPF_LINK_DETACH, &LinkDetach { fd: fd.as_raw_fd().cast_unsigned() }).map(drop)
}

fn open(pin: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(pin.as_os_str().as_bytes())?;
    let request = ObjectGet { path: path.as_ptr() as u64, fd: 0, flags: 0 };
    let fd = bpf(BPF_OBJ_GET, &request)?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn info(fd: &OwnedFd, kind: u32) -> io::Result<LinkInfo> {
    let mut info = LinkInfo::default();
    let request = ObjectInfo {
        fd: fd.as_raw_fd().cast_unsigned(),
        length: LINK_INFO_SIZE,
        info: &raw mut info as u64,
    };
    bpf(BPF_OBJ_GET_INFO_BY_FD, &request)?;
    if info.kind == kind { Ok(info) } else { Err(io::Error::from_raw_os_error(libc::EINVAL)) }
}

fn bpf<T>(command: libc::c_int, attributes: &T) -> io::Result<RawFd> {
    // SAFETY: `attributes` is the command's part of `union bpf_attr`, its size is given, and what
    // it points to outlives the call; the kernel checks the rest.
    let answer = unsafe {
        libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>())
    };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    RawFd::try_from(answer).map_err(io::Error::other)
}
