//! What the way of pods' packets does not allow any longer: an uplink may have become narrower since
//! a pod was wired, or strict about where packets come from.

use std::collections::{BTreeMap, BTreeSet};

use hostnet::link::Link;
use hostnet::sysctl;

use super::plan::Seen;
use crate::problem::Problem;

/// How many pods are named at most.
const NAMED: usize = 8;
/// Of `rp_filter`: what comes must come by the device that answers leave by (RFC 3704, 2.2).
const STRICT: u8 = 1;

/// What is wrong where links of pods take longer packets than the ways from them do.
pub(super) fn too_wide(seen: &Seen, mtu: u32) -> Option<Problem> {
    let indexes: BTreeSet<u32> = seen.pods.values().map(|pod| pod.ifindex).collect();
    let links = indexes.iter().filter_map(|index| seen.devices.device(*index));
    let wide: Vec<_> = links.filter(|link| link.mtu > mtu).map(named).collect();
    let others = wide.len().saturating_sub(NAMED);
    let mut names = wide[..wide.len() - others].join(", ");
    if others > 0 {
        names = format!("{names} and {others} others");
    }
    let message = format!(
        "of links of pods is larger than their path takes, which is {mtu} bytes: {names}; longer \
         packets are refused with an ICMP error, which not all programs see: make those pods anew"
    );
    (!wide.is_empty()).then(|| Problem::error("MTU", message))
}

/// A pod's link, with the pod if the CNI plugin has told: network, namespace and name come first.
fn named(link: &Link) -> String {
    let mut words = link.alias.iter().flat_map(|alias| alias.split('/')).skip(1);
    match (words.next(), words.next()) {
        (Some(namespace), Some(name)) if !name.is_empty() => {
            format!("{} of {namespace}/{name}", link.name)
        }
        _ => link.name.clone(),
    }
}

/// What is lost where packets go through the tunnel one way and directly the other.
pub(super) fn strict<'a>(
    uplinks: &'a BTreeMap<u32, &'a Link>,
) -> impl Iterator<Item = Problem> + 'a {
    // What is set for all devices counts where it is more.
    let mode = |place: &str| sysctl::get(&format!("net/ipv4/conf/{place}/rp_filter"));
    let number = move |place: &str| mode(place).ok().and_then(|mode| mode.trim().parse().ok());
    let all: u8 = number("all").unwrap_or_default();
    let is_strict = move |name: &str| number(name).unwrap_or_default().max(all) == STRICT;
    uplinks.values().filter(move |link| is_strict(&link.name)).map(|link| strictness(&link.name))
}

fn strictness(uplink: &str) -> Problem {
    let message = format!(
        "drops what does not come by the way that answers take, as what pods of other nodes answer \
         to this node's own address, past the tunnel, and what comes from nodes of another mode; \
         set the sysctl net.ipv4.conf.{uplink}.rp_filter=2"
    );
    Problem::note(uplink, message)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use dataplane_common::abi::{Addr, Pod};
    use hostnet::route::Routes;

    use super::*;
    use crate::devices::tests::devices;

    /// A node with pods whose links have an MTU each.
    fn seen(mtus: &[u32]) -> Seen {
        let names: Vec<String> = (0..mtus.len()).map(|number| format!("wag{number}")).collect();
        let rows: Vec<_> = (10..)
            .zip(names.iter().zip(mtus))
            .map(|(index, (name, mtu))| (index, name.as_str(), *mtu, &[][..]))
            .collect();
        let mut devices = devices(&rows);
        devices.links[0].alias = Some("waggle/shop/cart/0123/eth0".to_owned());
        let pod = |link: &Link| {
            let addr = Addr::from(IpAddr::from(Ipv4Addr::from_bits(link.index)));
            (addr, Pod { ifindex: link.index, ..Pod::default() })
        };
        let pods = devices.links.iter().map(pod).collect();
        Seen { pods, links: BTreeMap::new(), devices, routes: Routes::default() }
    }

    #[test]
    fn pods_whose_links_are_too_wide_are_named() {
        let told = |mtus: &[u32]| too_wide(&seen(mtus), 1400).map(|problem| problem.to_string());
        let expected = |names: &str| {
            format!(
                "MTU of links of pods is larger than their path takes, which is 1400 bytes: \
                 {names}; longer packets are refused with an ICMP error, which not all programs \
                 see: make those pods anew"
            )
        };
        for (mtus, names) in [
            (&[1400, 1280][..], None),
            (&[1401], Some("wag0 of shop/cart")),
            (&[1500, 1400, 9000], Some("wag0 of shop/cart, wag2")),
            (
                &[1500; 10],
                Some("wag0 of shop/cart, wag1, wag2, wag3, wag4, wag5, wag6, wag7 and 2 others"),
            ),
        ] {
            assert_eq!(told(mtus), names.map(expected), "{mtus:?}");
        }
    }
}
