//! Chains of the older iptables, whose tables are not in nftables.

use std::fs;
use std::io;
use std::mem::offset_of;
use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::net::{AddressFamily, RawProtocol, SocketType, socket};

use crate::error::{During as _, Result};
use crate::netfilter::Family;

/// `IPT_SO_GET_INFO` and `IP6T_SO_GET_INFO`.
const GET_INFO: libc::c_int = 64;
/// `IPT_SO_GET_ENTRIES` and `IP6T_SO_GET_ENTRIES`.
const GET_ENTRIES: libc::c_int = 65;

/// `struct ipt_getinfo`.
#[repr(C)]
#[derive(Default)]
struct Info {
    name: [u8; 32],
    valid_hooks: u32,
    hook_entry: [u32; 5],
    underflow: [u32; 5],
    num_entries: u32,
    size: u32,
}

/// The head of `struct ipt_get_entries`, which is aligned as a rule's counters are.
#[repr(C, align(8))]
struct Head {
    name: [u8; 32],
    size: u32,
}

/// Whether a table of the calling thread's namespace has a chain. A table that nobody has used is not
/// made for it.
///
/// # Errors
/// The kernel's, for want of `CAP_NET_ADMIN`.
pub fn has_chain(family: Family, table: &str, chain: &str) -> Result<bool> {
    let (names, domain, level) = match family {
        Family::Ip => ("/proc/net/ip_tables_names", AddressFamily::INET, libc::IPPROTO_IP),
        Family::Ip6 => ("/proc/net/ip6_tables_names", AddressFamily::INET6, libc::IPPROTO_IPV6),
        Family::Inet => return Ok(false),
    };
    // Not there where the kernel has no such tables.
    let tables = fs::read_to_string(names).unwrap_or_default();
    if !tables.lines().any(|line| line == table) {
        return Ok(false);
    }
    let object = || format!("chain {chain} of {family} table {table}");
    let raw = RawProtocol::new(255).map(rustix::net::Protocol::from_raw);
    let socket = socket(domain, SocketType::RAW, raw).during("look for", object())?;
    let rules = rules(&socket, level, table).during("look for", object())?;
    // A chain begins with a rule of its name.
    let name = [chain.as_bytes(), b"\0"].concat();
    Ok(rules.windows(name.len()).any(|window| window == name))
}

/// All rules of a table, as the kernel has them.
fn rules(socket: &OwnedFd, level: libc::c_int, table: &str) -> io::Result<Vec<u8>> {
    let mut info = Info { name: name(table), ..Info::default() };
    read(socket, level, GET_INFO, (&raw mut info).cast(), size_of::<Info>())?;
    let length = size_of::<Head>() + info.size as usize;
    // In eights, for the head's alignment.
    let mut buffer = vec![0_u64; length.div_ceil(8)];
    let head = Head { name: name(table), size: info.size };
    // SAFETY: the buffer is as large as the head and more, and aligned as it is.
    unsafe { buffer.as_mut_ptr().cast::<Head>().write(head) };
    read(socket, level, GET_ENTRIES, buffer.as_mut_ptr().cast(), length)?;
    Ok(buffer.into_iter().flat_map(u64::to_ne_bytes).skip(size_of::<Head>()).collect())
}

fn read(
    socket: &OwnedFd,
    level: libc::c_int,
    option: libc::c_int,
    to: *mut libc::c_void,
    length: usize,
) -> io::Result<()> {
    let mut length = libc::socklen_t::try_from(length).map_err(io::Error::other)?;
    // SAFETY: the callers own `length` bytes at `to`, and nobody else looks at them meanwhile.
    let outcome =
        unsafe { libc::getsockopt(socket.as_raw_fd(), level, option, to, &raw mut length) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn name(table: &str) -> [u8; 32] {
    let mut name = [0; 32];
    name.iter_mut().zip(table.bytes()).for_each(|(to, from)| *to = from);
    name
}

const _: () = assert!(size_of::<Info>() == 84 && size_of::<Head>() == 40);
const _: () = assert!(offset_of!(Head, size) == 32);
