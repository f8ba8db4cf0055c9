//! A thread with namespaces of its own, and work for it.

use std::{
    path::PathBuf,
    process::Command,
    sync::mpsc::{Sender, channel},
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use rustix::thread::{UnshareFlags, gettid, unshare_unsafe};

type Work = Box<dyn FnOnce() + Send>;

/// The thread. Its namespaces live as long as it does.
#[derive(Debug)]
pub(super) struct Inside {
    work: Option<Sender<Work>>,
    thread: Option<JoinHandle<()>>,
    id: i32,
}

impl Inside {
    /// Starts a thread that leaves the given namespaces for new ones.
    pub(super) fn new(namespaces: UnshareFlags) -> Result<Self> {
        let (work, works) = channel::<Work>();
        let (started, start) = channel();
        let thread = thread::spawn(move || {
            // SAFETY: no file descriptors are unshared, which is what could break others.
            let left = unsafe { unshare_unsafe(namespaces) };
            if started.send(left.map(|()| gettid().as_raw_nonzero().get())).is_ok() {
                works.into_iter().for_each(|work| work());
            }
        });
        let id = start.recv()?.context("leaving namespaces; are you root?")?;
        Ok(Self { work: Some(work), thread: Some(thread), id })
    }

    /// Does something there.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let (done, result) = channel();
        let work = Box::new(move || drop(done.send(work())));
        let sender = self.work.as_ref().context("the thread has ended")?;
        sender.send(work).map_err(|_| anyhow!("the thread has ended"))?;
        result.recv().context("the work panicked")
    }

    /// Has `ip` of iproute2 do something there.
    pub(super) fn ip(&self, line: &str) -> Result<()> {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        let output = self.run(move || Command::new("ip").args(words).output())??;
        ensure!(output.status.success(), "ip {line}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// The path of its network namespace.
    pub(super) fn netns(&self) -> PathBuf {
        format!("/proc/{}/task/{}/ns/net", std::process::id(), self.id).into()
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        drop(self.work.take());
        // A panic of the work was reported by who asked for it.
        drop(self.thread.take().map(JoinHandle::join));
    }
}
