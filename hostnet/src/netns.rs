//! Network namespaces: opening one, and acting inside it.
//!
//! No function here changes the namespace of the thread that calls it.

use std::fmt;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::path::{Path, PathBuf};
use std::thread;

use rustix::fs::{fstat, fstatfs};
use rustix::net::{AddressFamily, SocketType, socket};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::error::{During as _, Error, Result};

/// The magic number of the file system that namespaces are files of.
const NSFS: i64 = 0x6e73_6673;

/// An open network namespace, which lives at least as long as this value.
#[derive(Debug)]
pub struct NetNs {
    file: File,
    path: PathBuf,
    identity: Identity,
}

/// What tells one namespace from all others that exist at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The device of the namespace file system.
    pub device: u64,
    /// The namespace's inode on it.
    pub inode: u64,
}

/// `SO_NETNS_COOKIE` of the kernel's `asm-generic/socket.h`.
const SO_NETNS_COOKIE: libc::c_int = 71;

/// The number that kernel programs know the calling thread's namespace by; none before Linux 5.14,
/// which does not tell it.
///
/// # Errors
/// When no socket can be made.
pub fn cookie() -> Result<Option<u64>> {
    const OBJECT: &str = "the cookie of this network namespace";
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, None).during("read", OBJECT)?;
    let mut cookie = 0_u64;
    let mut length: libc::socklen_t = 8;
    // SAFETY: the pointers are to a value of the given length and to that length, which the call
    // alone uses.
    let outcome = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if outcome == 0 {
        return Ok(Some(cookie));
    }
    let error = std::io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ENOPROTOOPT) {
        return Ok(None);
    }
    Err(error).during("read", OBJECT)
}

impl NetNs {
    /// Opens the namespace that a path stands for, like `/run/netns/a` or `/proc/7/ns/net`.
    ///
    /// # Errors
    /// When there is nothing at the path, or something else.
    pub fn open(path: &Path) -> Result<Self> {
        let object = format_args!("network namespace {}", path.display());
        let file = File::open(path).during("open", object)?;
        let kind = fstatfs(&file).during("examine", object)?.f_type;
        if kind != NSFS {
            return Err(Error::new("open", object, "the file is no namespace"));
        }
        let stat = fstat(&file).during("examine", object)?;
        let identity = Identity { device: stat.st_dev, inode: stat.st_ino };
        Ok(Self { file, path: path.to_owned(), identity })
    }

    /// Opens the calling thread's namespace.
    ///
    /// # Errors
    /// When `/proc` is not mounted.
    pub fn current() -> Result<Self> {
        Self::open(Path::new("/proc/thread-self/ns/net"))
    }

    /// What tells this namespace from all others.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs a closure inside the namespace, on a thread made for it.
    ///
    /// Files under `/proc/sys/net` belong to the namespace of the thread that opens them, and
    /// sockets to that of the thread that makes them.
    ///
    /// # Errors
    /// When the thread cannot enter the namespace; the closure did not run then.
    pub fn run<T: Send>(&self, action: impl FnOnce() -> T + Send) -> Result<T> {
        let inside = || {
            move_into_link_name_space(self.file.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok::<_, rustix::io::Errno>(action())
        };
        let joined = thread::scope(|scope| {
            let thread = thread::Builder::new().name("netns".into()).spawn_scoped(scope, inside);
            thread.map(thread::ScopedJoinHandle::join)
        });
        match joined.during("start", "a thread")? {
            Ok(entered) => entered.during("enter", self),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl AsFd for NetNs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl fmt::Display for NetNs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "network namespace {}", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_the_same_by_whichever_path_it_was_opened() {
        let by_thread = NetNs::current().unwrap();
        let by_process = NetNs::open(Path::new("/proc/self/ns/net")).unwrap();
        assert_eq!(by_thread.identity(), by_process.identity());
    }

    #[test]
    fn each_namespace_has_a_cookie_of_its_own() {
        let here = cookie().unwrap();
        assert!(here.is_none_or(|cookie| cookie != 0) && here == cookie().unwrap(), "{here:?}");
    }

    #[test]
    fn other_files_are_refused() {
        for path in ["/proc/self/status", "/", "/nothing/here"] {
            let error = NetNs::open(Path::new(path)).unwrap_err().to_string();
            assert!(error.starts_with("failed to open network namespace"), "{error}");
        }
    }
}
