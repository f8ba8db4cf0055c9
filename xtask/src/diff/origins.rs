//! Where flows come from: for each an address and port that none had before it, as long as that can
//! be.

use std::{collections::BTreeMap, net::SocketAddr};

use super::{
    places::{LOCAL_PODS, OTHER_NODE, OUTSIDE, PRIMARY, Place, REMOTE_PODS, outside},
    probe::{Probe, Protocol, Sender},
};

/// The first port; those below are of well-known services.
const FIRST: u16 = 1024;

/// How many ports there are from the first on.
const PORTS: u32 = u16::MAX as u32 - FIRST as u32 + 1;

const SENDERS: u64 = Sender::ALL.len() as u64;

/// How many flows of each kind have begun.
#[derive(Debug, Default)]
pub(super) struct Origins {
    begun: BTreeMap<(Sender, Protocol, bool), u32>,
}

impl Origins {
    /// Of the next flow of a probe; none where a socket chooses.
    pub(super) fn next(&mut self, probe: &Probe) -> Option<SocketAddr> {
        let &Probe { sender, to, protocol, .. } = probe;
        let begun = self.begun.entry((sender, protocol, to.is_ipv4())).or_default();
        let number = *begun;
        *begun = begun.wrapping_add(1);
        // Ports go round before the addresses outside do so again. What one sender has now the others
        // do not: what is masqueraded may have to keep its port.
        let step = u64::from(number) * SENDERS + sender as u64;
        let port = FIRST + u16::try_from(step % u64::from(PORTS)).unwrap_or_default();
        Some(SocketAddr::new(address(sender, number)?.like(to.ip()), port))
    }
}

/// All addresses that a sender has.
pub(super) fn places(sender: Sender) -> Vec<Place> {
    match sender {
        Sender::LocalPod => vec![LOCAL_PODS[0]],
        Sender::RemotePod => vec![REMOTE_PODS[0]],
        Sender::OwnNode => vec![PRIMARY],
        Sender::OtherNode => vec![OTHER_NODE],
        Sender::Outside => (0..OUTSIDE).map(outside).collect(),
    }
}

fn address(sender: Sender, number: u32) -> Option<Place> {
    if sender == Sender::OwnNode {
        return None;
    }
    // Each round of ports begins at another address.
    let turn = usize::try_from(number + number / PORTS).unwrap_or_default();
    let places = places(sender);
    Some(places[turn % places.len()])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Origins, PORTS};
    use crate::diff::{
        places::{LOCAL_PODS, OUTSIDE},
        probe::{Probe, Protocol, Sender},
    };

    fn probe(sender: Sender, to: &str, protocol: Protocol) -> Probe {
        Probe { sender, to: to.parse().unwrap(), protocol, flows: 1 }
    }

    #[test]
    fn no_two_flows_from_outside_have_one_origin_until_all_were_used() {
        let (mut origins, probe) =
            (Origins::default(), probe(Sender::Outside, "10.96.0.1:80", Protocol::Udp));
        let all = PORTS * u32::from(OUTSIDE);
        let distinct: BTreeSet<_> = (0..all).filter_map(|_| origins.next(&probe)).collect();
        assert_eq!(distinct.len(), usize::try_from(all).unwrap());
        assert!(distinct.contains(&origins.next(&probe).unwrap()));
    }

    #[test]
    fn kinds_of_flows_go_round_by_themselves() {
        let mut origins = Origins::default();
        let [v4, v6] = LOCAL_PODS[0].both();
        let rows = [
            ("10.96.0.1:80", Protocol::Tcp, v4, 1024),
            ("10.96.0.2:80", Protocol::Tcp, v4, 1029),
            ("10.96.0.1:80", Protocol::Udp, v4, 1024),
            ("[fd00::1]:80", Protocol::Tcp, v6, 1024),
        ];
        for (to, protocol, address, port) in rows {
            let origin = origins.next(&probe(Sender::LocalPod, to, protocol));
            assert_eq!(origin, Some((address, port).into()), "{to}");
        }
        let own = probe(Sender::OwnNode, "10.96.0.1:80", Protocol::Tcp);
        assert_eq!(origins.next(&own), None);
    }
}
