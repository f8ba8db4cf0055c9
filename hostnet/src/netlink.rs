//! A netlink socket, bound for its life to the namespace it was opened in.

use std::fmt;

use rtnetlink::Handle;

use crate::error::{During as _, Result};
use crate::netns::NetNs;

/// A way to ask the kernel about one network namespace, and to change it.
///
/// Clones share one socket. It is closed when the last one is dropped.
#[derive(Clone)]
pub struct Netlink(pub(crate) Handle);

impl Netlink {
    /// Opens a socket in the calling thread's namespace.
    ///
    /// # Errors
    /// The kernel's, for want of file descriptors.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn here() -> Result<Self> {
        Self::open().during("open", "a netlink socket")
    }

    /// Opens a socket in another namespace.
    ///
    /// # Errors
    /// The kernel's, for want of `CAP_SYS_ADMIN` or because the file is no network namespace.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn within(namespace: &NetNs) -> Result<Self> {
        let runtime = tokio::runtime::Handle::current();
        namespace
            .run(|| {
                let _entered = runtime.enter();
                Self::open()
            })?
            .during("open", format_args!("a netlink socket in {namespace}"))
    }

    fn open() -> std::io::Result<Self> {
        let (connection, handle, _) = rtnetlink::new_connection()?;
        tokio::spawn(connection);
        Ok(Self(handle))
    }
}

impl fmt::Debug for Netlink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Netlink")
    }
}
