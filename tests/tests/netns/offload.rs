//! Checksums that are computed and looked at by software: between namespaces the kernel does neither
//! unless it is told to.

use std::{ffi::c_char, io, net::UdpSocket, os::fd::AsRawFd as _};

use anyhow::{Context as _, Result};
use xtask::topology::Netns;

/// `ETHTOOL_SRXCSUM` and `ETHTOOL_STXCSUM`.
const COMMANDS: [u32; 2] = [0x15, 0x17];

/// `SIOCETHTOOL`.
const REQUEST: libc::Ioctl = 0x8946;

/// `struct ethtool_value`.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// `struct ifreq` with a pointer in its union, which is 24 bytes long.
#[repr(C)]
struct Wish {
    name: [c_char; libc::IFNAMSIZ],
    value: *mut Value,
    rest: [u8; 16],
}

/// Makes every device of a namespace do without the help of hardware.
pub(super) fn switch_off(netns: &Netns) -> Result<()> {
    let output = netns.command("ip").args(["-brief", "link"]).output()?;
    let lines = String::from_utf8(output.stdout)?;
    let names = lines.lines().filter_map(|line| line.split([' ', '@']).next());
    for name in names.filter(|name| *name != "lo") {
        netns.run(|| set(name))?.with_context(|| name.to_owned())?;
    }
    Ok(())
}

fn set(device: &str) -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    for command in COMMANDS {
        let mut value = Value { command, data: 0 };
        let mut wish = Wish { name: [0; libc::IFNAMSIZ], value: &raw mut value, rest: [0; 16] };
        // The last one stays the end of the text.
        let places = wish.name.iter_mut().take(libc::IFNAMSIZ - 1);
        for (place, byte) in places.zip(device.bytes()) {
            *place = c_char::from_ne_bytes([byte]);
        }
        // SAFETY: the pointers are to live values of the kernel's shape, which outlive the call.
        let outcome = unsafe { libc::ioctl(socket.as_raw_fd(), REQUEST, &raw mut wish) };
        let error = io::Error::last_os_error();
        // A bridge has nothing to help it with what it receives.
        if outcome != 0 && error.kind() != io::ErrorKind::Unsupported {
            return Err(error);
        }
    }
    Ok(())
}
