//! Kernel settings under `/proc/sys`.
//!
//! Those below `net` belong to the namespace of the calling thread; see [`crate::NetNs::run`].

use std::fs;
use std::path::Path;

use crate::error::{During as _, Result};

/// Sets a value, named like `net/ipv4/conf/eth0/rp_filter`, unless it is set already; says whether
/// it had to be written.
///
/// Reading first is no optimisation alone: writing `forwarding` resets other keys of the device.
///
/// # Errors
/// When the key does not exist or cannot be written.
pub fn ensure(key: &str, value: &str) -> Result<bool> {
    if get(key)? == value {
        return Ok(false);
    }
    fs::write(path(key), value).during("write", format_args!("sysctl {key}"))?;
    Ok(true)
}

/// The value of a key, without the line's end.
///
/// # Errors
/// When the key does not exist or cannot be read.
pub fn get(key: &str) -> Result<String> {
    let text = fs::read_to_string(path(key)).during("read", format_args!("sysctl {key}"))?;
    Ok(text.trim_end().to_owned())
}

/// Whether the kernel speaks IPv6 here; without, no key below `net/ipv6` exists.
#[must_use]
pub fn has_ipv6() -> bool {
    path("net/ipv6/conf/all").exists()
}

/// What has settings of its own below `net/ipv6/conf`: the devices, and `default`, which new ones
/// begin with.
///
/// # Errors
/// When they cannot be listed.
pub fn ipv6_devices() -> Result<Vec<String>> {
    const CONF: &str = "net/ipv6/conf";
    let object = format_args!("sysctls below {CONF}");
    let mut devices = Vec::new();
    for entry in fs::read_dir(path(CONF)).during("list", object)? {
        let name = entry.during("list", object)?.file_name().to_string_lossy().into_owned();
        if name != "all" {
            devices.push(name);
        }
    }
    Ok(devices)
}

fn path(key: &str) -> std::path::PathBuf {
    Path::new("/proc/sys").join(key)
}
