//! Word from the kernel that links, addresses or routes of the namespace changed; not how, which
//! whoever hears it reads anew.

use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::{MulticastGroup, new_multicast_connection};

use crate::error::{During as _, Result};

const GROUPS: [MulticastGroup; 5] = [
    MulticastGroup::Link,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
];

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Changed {
    /// Routes and nothing else, which some hosts do all the time.
    Routes,
    /// Links or addresses.
    Devices,
}

/// Hears of changes from the moment it was opened.
pub struct Watch {
    changes: BoxStream<'static, Changed>,
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
        Ok(Self { changes: messages.map(|(message, _)| changed(&message)).boxed() })
    }

    /// Waits for the next change. Several at once are one.
    pub async fn changed(&mut self) -> Changed {
        let Some(mut changed) = self.changes.next().await else {
            // The socket failed: nothing will ever be heard, which must not look like a change.
            return std::future::pending().await;
        };
        while let Some(more) = self.changes.next().now_or_never().flatten() {
            changed = changed.max(more);
        }
        changed
    }
}

fn changed(message: &NetlinkMessage<RouteNetlinkMessage>) -> Changed {
    use RouteNetlinkMessage::{DelRoute, NewRoute};

    match message.payload {
        NetlinkPayload::InnerMessage(NewRoute(_) | DelRoute(_)) => Changed::Routes,
        // What was lost in an overrun may have been anything.
        _ => Changed::Devices,
    }
}
