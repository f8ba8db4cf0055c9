//! A wire without link-layer headers: two tun devices, and threads that carry packets between them.

use std::{
    ffi::c_short,
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::AsRawFd as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::OFlags,
};
use xtask::topology::Netns;

/// Longer than any packet here.
const LONGEST: usize = 65_536;

/// How soon a carrier sees that its work is over.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// The wire; its drop takes both devices away.
pub(super) struct Wire {
    is_over: Arc<AtomicBool>,
    carriers: Vec<JoinHandle<io::Result<()>>>,
}

impl Wire {
    /// Makes a device of that name in each of two places.
    pub(super) fn between(name: &str, ends: [&Netns; 2]) -> Result<Self> {
        let [one, other] = ends.map(|netns| netns.run(|| open(name)));
        let (one, other) = (Arc::new(one??), Arc::new(other??));
        let is_over = Arc::new(AtomicBool::new(false));
        let carriers = [(Arc::clone(&one), Arc::clone(&other)), (other, one)]
            .map(|(from, to)| {
                let is_over = Arc::clone(&is_over);
                thread::spawn(move || carry(&from, &to, &is_over))
            })
            .into();
        Ok(Self { is_over, carriers })
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for carrier in self.carriers.drain(..) {
            // A device that was taken away under it is what its test is told by its packets.
            let _ = carrier.join();
        }
    }
}

/// Makes a tun device that says nothing before its packets.
fn open(name: &str) -> Result<File> {
    let device = File::options().read(true).write(true).open("/dev/net/tun");
    let device = device.context("opening /dev/net/tun (module tun)")?;
    // SAFETY: all zero is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = c_short::try_from(libc::IFF_TUN | libc::IFF_NO_PI)?;
    // SAFETY: the pointer is to a live ifreq, which is what this request takes.
    let outcome = unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    if outcome != 0 {
        return Err(io::Error::last_os_error()).with_context(|| format!("making {name}"));
    }
    rustix::fs::fcntl_setfl(&device, OFlags::NONBLOCK)?;
    Ok(device)
}

/// Carries packets one way.
fn carry(mut from: &File, mut to: &File, is_over: &AtomicBool) -> io::Result<()> {
    let mut packet = vec![0; LONGEST];
    while !is_over.load(Ordering::Relaxed) {
        poll(&mut [PollFd::new(from, PollFlags::IN)], Some(&PAUSE))?;
        match from.read(&mut packet) {
            // The other end is down, or full: it is a wire.
            Ok(length) => drop(to.write(&packet[..length])),
            Err(nothing) if nothing.kind() == io::ErrorKind::WouldBlock => {}
            Err(other) => return Err(other),
        }
    }
    Ok(())
}
