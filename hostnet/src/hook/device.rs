//! Names and indexes of devices, asked of the kernel at the moment they are needed.

use std::ffi::{CStr, CString};

use crate::error::{Cause, During as _, Result};

/// The index of the device that has a name at this moment.
pub(super) fn index(name: &str) -> Result<u32> {
    let text = CString::new(name).map_err(|_| Cause::Errno(libc::ENODEV)).during("find", name)?;
    // SAFETY: the pointer is to a string with a NUL at its end, which outlives the call.
    let index = unsafe { libc::if_nametoindex(text.as_ptr()) };
    if index == 0 {
        return Err(std::io::Error::last_os_error()).during("find", name);
    }
    Ok(index)
}

/// The name that the device of an index has at this moment.
pub(super) fn name(index: u32) -> Option<String> {
    let mut buffer = [0; libc::IF_NAMESIZE];
    // SAFETY: the buffer has the size that the call demands, and outlives it.
    let found = unsafe { libc::if_indextoname(index, buffer.as_mut_ptr()) };
    if found.is_null() {
        return None;
    }
    // SAFETY: on success the call has put a string with a NUL at its end into the buffer.
    let text = unsafe { CStr::from_ptr(buffer.as_ptr()) };
    text.to_str().ok().map(str::to_owned)
}
