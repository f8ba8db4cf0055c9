//! Reading a whole array by few system calls, which aya cannot (Linux 5.6).

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use aya::Pod;

const BPF_MAP_LOOKUP_BATCH: libc::c_int = 24;

/// Elements by one call: more gain nothing.
const CHUNK: usize = 4096;

/// The part of `union bpf_attr` for batches.
#[repr(C)]
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

/// Every element of an array, in the order of indexes. `V` must be the array's value.
pub(super) fn read_array<V: Pod + Default>(map: BorrowedFd<'_>) -> io::Result<Vec<V>> {
    let (mut all, mut place) = (Vec::new(), None);
    loop {
        let (mut values, next) = ([V::default(); CHUNK].to_vec(), &mut 0);
        let (count, is_last) = read_chunk(map, place, next, &mut values)?;
        values.truncate(count);
        all.append(&mut values);
        if is_last {
            return Ok(all);
        }
        place = Some(*next);
    }
}

/// Reads what follows `place`; says how many elements that were, and whether they were the last.
fn read_chunk<V: Pod>(
    map: BorrowedFd<'_>,
    place: Option<u32>,
    next: &mut u32,
    values: &mut [V],
) -> io::Result<(usize, bool)> {
    let mut keys = [0_u32; CHUNK];
    let mut batch = Batch {
        from: place.as_ref().map_or(0, |place| address(std::ptr::from_ref(place))),
        to: address(std::ptr::from_mut(next)),
        keys: address(keys.as_mut_ptr()),
        values: address(values.as_mut_ptr()),
        count: u32::try_from(values.len().min(CHUNK)).map_err(io::Error::other)?,
        map: map.as_raw_fd().cast_unsigned(),
        element_flags: 0,
        flags: 0,
    };
    // SAFETY: `batch` is the command's part of `union bpf_attr` and its size is given; the buffers
    // it points to outlive the call and hold `count` keys and values of the array's sizes.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_MAP_LOOKUP_BATCH,
            std::ptr::from_mut(&mut batch),
            size_of::<Batch>(),
        )
    };
    let is_last = answer != 0;
    match io::Error::last_os_error() {
        error if is_last && error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok((batch.count as usize, is_last)),
    }
}

fn address<T>(pointer: *const T) -> u64 {
    pointer as u64
}
