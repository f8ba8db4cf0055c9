//! Word from the kernel that links, addresses or routes of the namespace changed, or what one link
//! knows of its neighbours; not how, which whoever hears it reads anew.

use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::{MulticastGroup, new_multicast_connection};

use crate::error::{During as _, Result};
use crate::route::is_ours;

const GROUPS: [MulticastGroup; 6] = [
    MulticastGroup::Link,
    MulticastGroup::Neigh,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
];

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Changed {
    /// Routes of others and nothing else, which some hosts do all the time.
    Routes,
    /// Links or addresses, or that something of ours went.
    Devices,
}

/// Hears of changes from the moment it was opened.
pub struct Watch {
    heard: BoxStream<'static, Heard>,
    minded: Option<u32>,
}

/// What one message tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Changed(Changed),
    /// The link of this index has lost a neighbour.
    LostNeighbour(u32),
    Nothing,
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
        let heard = messages.map(|(message, _)| heard(&message)).boxed();
        Ok(Self { heard, minded: None })
    }

    /// Has the neighbours of this link count, and of no other: hosts lose neighbours all the time.
    pub fn mind(&mut self, link: Option<u32>) {
        self.minded = link;
    }

    /// Waits for the next change. Several at once are one.
    pub async fn changed(&mut self) -> Changed {
        let mut changed = None;
        while changed.is_none() {
            let Some(heard) = self.heard.next().await else {
                // The socket failed: nothing will ever be heard, which must not look like a change.
                return std::future::pending().await;
            };
            changed = self.counts(heard);
            while let Some(more) = self.heard.next().now_or_never().flatten() {
                changed = changed.max(self.counts(more));
            }
        }
        changed.unwrap_or(Changed::Routes)
    }

    fn counts(&self, heard: Heard) -> Option<Changed> {
        match heard {
            Heard::Changed(changed) => Some(changed),
            Heard::LostNeighbour(link) => (self.minded == Some(link)).then_some(Changed::Devices),
            Heard::Nothing => None,
        }
    }
}

fn heard(message: &NetlinkMessage<RouteNetlinkMessage>) -> Heard {
    use RouteNetlinkMessage::{DelNeighbour, DelRoute, NewNeighbour, NewRoute};

    match &message.payload {
        NetlinkPayload::InnerMessage(DelRoute(gone)) if is_ours(gone) => {
            Heard::Changed(Changed::Devices)
        }
        NetlinkPayload::InnerMessage(NewRoute(_) | DelRoute(_)) => Heard::Changed(Changed::Routes),
        NetlinkPayload::InnerMessage(DelNeighbour(gone)) => {
            Heard::LostNeighbour(gone.header.ifindex)
        }
        NetlinkPayload::InnerMessage(NewNeighbour(_)) => Heard::Nothing,
        // What was lost in an overrun may have been anything.
        _ => Heard::Changed(Changed::Devices),
    }
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_route::link::LinkMessage;
    use rtnetlink::packet_route::neighbour::NeighbourMessage;
    use rtnetlink::packet_route::route::{RouteHeader, RouteMessage, RouteProtocol};

    use super::*;
    use crate::route::PROTOCOL;

    fn told(message: RouteNetlinkMessage, minded: Option<u32>) -> Option<Changed> {
        let watch = Watch { heard: futures_util::stream::empty().boxed(), minded };
        watch.counts(heard(&NetlinkMessage::from(message)))
    }

    #[test]
    fn what_went_of_ours_is_told_from_what_others_change() {
        let mut gone = NeighbourMessage::default();
        gone.header.ifindex = 7;
        let lost = || RouteNetlinkMessage::DelNeighbour(gone.clone());
        let mut ours = RouteMessage::default();
        ours.header.protocol = RouteProtocol::Other(PROTOCOL);
        ours.header.table = RouteHeader::RT_TABLE_MAIN;
        for (message, minded, expected) in [
            (lost(), Some(7), Some(Changed::Devices)),
            (lost(), Some(8), None),
            (lost(), None, None),
            (RouteNetlinkMessage::NewNeighbour(gone.clone()), Some(7), None),
            (RouteNetlinkMessage::DelRoute(RouteMessage::default()), None, Some(Changed::Routes)),
            (RouteNetlinkMessage::DelRoute(ours.clone()), None, Some(Changed::Devices)),
            (RouteNetlinkMessage::NewRoute(ours), None, Some(Changed::Routes)),
            (RouteNetlinkMessage::DelLink(LinkMessage::default()), None, Some(Changed::Devices)),
        ] {
            assert_eq!(told(message.clone(), minded), expected, "{message:?}");
        }
    }
}
