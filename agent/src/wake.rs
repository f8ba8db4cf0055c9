//! Connected UDP sockets of the node's processes whose backend is gone. The kernel has no call to be
//! asked at, so they would send to nobody for ever: they are ended, and their processes ask anew.
//!
//! Nobody's socket is ended but one that was translated, and is connected to the very backend that
//! it was translated to.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use dataplane_common::abi::{Proto, SocketDirection, SocketKey};
use hostnet::Pins;
use hostnet::sockets::Sockets;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::maps::Result;
use crate::maps::sockets::SocketMap;

/// How long a call may take from its choice of a backend to its socket's connection.
const CALL: Duration = Duration::from_secs(1);
/// How often is looked at most.
const OFTEN: Duration = Duration::from_millis(200);

/// Ends sockets whose backend is gone.
pub(crate) struct Wake {
    sockets: SocketMap,
    times: Times,
}

/// When to look: soon after a backend has died, and once more when no call can have it in hand.
#[derive(Debug, Default)]
struct Times {
    next: Option<Instant>,
    last: Option<Instant>,
    looked: Option<Instant>,
}

impl Wake {
    /// Looks at once: an earlier agent may have ended before it could.
    ///
    /// # Errors
    /// When the tables are not pinned or the kernel refuses.
    pub(crate) fn open(pins: &Pins) -> Result<Self> {
        let mut times = Times::default();
        times.ask(Instant::now());
        Ok(Self { sockets: SocketMap::open(pins)?, times })
    }

    /// Backends of UDP have died, and the tables say so.
    pub(crate) fn ask(&mut self) {
        self.times.ask(Instant::now());
    }

    /// When to look.
    #[must_use]
    pub(crate) fn due(&self) -> Option<Instant> {
        self.times.next
    }

    /// Looks, and tells what came of it in the log.
    pub(crate) fn look(&mut self) {
        self.times.look(Instant::now());
        match self.end() {
            Ok(0) => {}
            Ok(ended) => info!(ended, "ended connected UDP sockets whose backend is gone"),
            Err(failure) => warn!("connected UDP sockets keep a backend that is gone: {failure:#}"),
        }
    }

    /// Says how many sockets were ended.
    fn end(&self) -> anyhow::Result<usize> {
        let held = self.held()?;
        if held.is_empty() {
            return Ok(0);
        }
        let kernel = Sockets::here()?;
        let connected = kernel.connected()?.into_iter();
        let bereft = connected.filter(|socket| held.contains(&(socket.cookie, socket.peer)));
        let ended = bereft.map(|socket| Ok(usize::from(kernel.destroy(&socket)?)));
        ended.sum()
    }

    /// The cookies of sockets that were translated to backends that are gone, with those backends.
    fn held(&self) -> Result<BTreeSet<(u64, SocketAddr)>> {
        let bereft = self.sockets.bereft(Proto::UDP)?;
        Ok(bereft.iter().filter_map(translated).collect())
    }
}

impl Times {
    fn ask(&mut self, now: Instant) {
        let soon = self.looked.map_or(now, |looked| now.max(looked + OFTEN));
        self.next = Some(self.next.map_or(soon, |next| next.min(soon)));
        self.last = Some(now + CALL);
    }

    fn look(&mut self, now: Instant) {
        self.looked = Some(now);
        self.next = self.last.take();
    }
}

/// The socket and its backend that a key tells of. Who is connected has one of the way back: the
/// other says where datagrams go that are sent to a frontend.
fn translated(key: &SocketKey) -> Option<(u64, SocketAddr)> {
    let is_reverse = key.direction == SocketDirection::Reverse.number();
    is_reverse.then(|| (key.cookie, SocketAddr::new(key.addr.to_ip(), key.port.number())))
}

#[cfg(test)]
mod tests {
    use dataplane_common::abi::{Addr, Port};

    use super::*;

    #[test]
    fn an_entry_of_the_way_back_tells_of_a_socket_and_its_backend() {
        let peer: SocketAddr = "10.1.1.2:5353".parse().unwrap();
        let (addr, port) = (Addr::from(peer.ip()), Port::new(peer.port()));
        for (direction, expected) in
            [(SocketDirection::Reverse, Some((5, peer))), (SocketDirection::Forward, None)]
        {
            let (direction, proto) = (direction.number(), Proto::UDP);
            let key = SocketKey { cookie: 5, addr, port, proto, direction, reserved: [0; 4] };
            assert_eq!(translated(&key), expected);
        }
    }

    #[test]
    fn is_looked_at_once_and_again_and_not_too_often() {
        let start = Instant::now();
        let at = |millis: u64| start + Duration::from_millis(millis);
        let mut times = Times::default();
        assert_eq!(times.next, None);
        times.ask(at(0));
        assert_eq!(times.next, Some(at(0)));
        times.look(at(0));
        assert_eq!(times.next, Some(at(1_000)), "once more when no call can have it in hand");
        times.ask(at(50));
        times.ask(at(300));
        assert_eq!(times.next, Some(at(200)), "not sooner than that after the last look");
        times.look(at(210));
        assert_eq!(times.next, Some(at(1_300)));
        times.look(at(1_300));
        assert_eq!(times.next, None);
    }
}
