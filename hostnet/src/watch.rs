//! Word from the kernel that links or addresses of the namespace changed; not what changed, which
//! whoever hears it reads anew.

use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use rtnetlink::{MulticastGroup, new_multicast_connection};

use crate::error::{During as _, Result};

const GROUPS: [MulticastGroup; 3] =
    [MulticastGroup::Link, MulticastGroup::Ipv4Ifaddr, MulticastGroup::Ipv6Ifaddr];

/// Hears of changes from the moment it was opened.
pub struct Watch {
    changes: BoxStream<'static, ()>,
}

impl Watch {
    /// Listens in the calling thread's namespace.
    ///
    /// # Errors
    /// The kernel's, for want of file descriptors.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn here() -> Result<Self> {
        let opened = new_multicast_connection(&GROUPS);
        let (connection, _, messages) = opened.during("listen to", "changes of links")?;
        tokio::spawn(connection);
        Ok(Self { changes: messages.map(|_| ()).boxed() })
    }

    /// Waits for the next change. Several at once are one.
    pub async fn changed(&mut self) {
        if self.changes.next().await.is_none() {
            // The socket failed: nothing will ever be heard, which must not look like a change.
            return std::future::pending().await;
        }
        while self.changes.next().now_or_never().flatten().is_some() {}
    }
}
