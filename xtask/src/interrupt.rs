//! Ctrl-C and its relatives as a question that long verbs ask themselves between two steps.

use std::{
    mem::MaybeUninit,
    ptr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Result, bail};

const SIGNALS: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// Whether somebody wants what runs to end.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    wanted: Arc<AtomicBool>,
}

impl Interrupt {
    /// Takes the signals over; to be called before other threads are started, which inherit that.
    pub(crate) fn catch() -> Result<Self> {
        let signals = block()?;
        let wanted = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&wanted);
        thread::spawn(move || {
            let mut signal = 0;
            loop {
                // SAFETY: both pointers are to live values of the types that sigwait asks for.
                let outcome = unsafe { libc::sigwait(&raw const signals, &raw mut signal) };
                if outcome == 0 {
                    flag.store(true, Ordering::Relaxed);
                }
            }
        });
        Ok(Self { wanted })
    }

    /// One that never comes, as tests leave signals alone.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self { wanted: Arc::default() }
    }

    /// An error once a signal has come.
    pub(crate) fn check(&self) -> Result<()> {
        if self.wanted.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        Ok(())
    }

    /// Sleeps, unless a signal has come.
    pub(crate) fn pause(&self, time: Duration) -> Result<()> {
        self.check()?;
        thread::sleep(time);
        Ok(())
    }
}

/// Keeps the signals from the default action of this thread and those it starts; children that
/// are started through the standard library get an empty mask.
fn block() -> Result<libc::sigset_t> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initialises the set before anything reads it, and the mask is changed by
    // a valid set.
    let (set, outcome) = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in SIGNALS {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        let set = set.assume_init();
        (set, libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()))
    };
    if outcome != 0 {
        bail!("failed to block signals: {}", std::io::Error::from_raw_os_error(outcome));
    }
    Ok(set)
}
