//! A node as it is before anybody serves: addresses, ways out and a kernel that tells every refusal.

use anyhow::Result;
use xtask::topology::{Apart, Network, NodeAddresses, Site};

use crate::diff::{
    places::{NODE, OTHER_NODE, PRIMARY, Place, ROUTER, SECONDARY},
    wire::Tap,
};

/// Makes the node of an island.
pub(in crate::diff) fn make(network: &Network, name: &str, number: u8) -> Result<Apart> {
    let addresses = NodeAddresses { v4: PRIMARY.v4, v6: PRIMARY.v6 };
    let apart = network.make_apart(Site { name, node: NODE, number }, addresses)?;
    set_sysctls(&apart)?;
    apart.node().netns().ip(&addresses_of_node())?;
    Ok(apart)
}

/// In the kernel's order of preference the primary address is first of its device: of IPv4's the
/// one that was added first, of IPv6's the last.
fn addresses_of_node() -> Vec<String> {
    vec![
        format!("address add {}/24 dev eth0", PRIMARY.v4),
        format!("address add {}/24 dev eth0", SECONDARY.v4),
        format!("address add {}/64 dev eth0 nodad", SECONDARY.v6),
        format!("address add {}/64 dev eth0 nodad", PRIMARY.v6),
    ]
}

fn set_sysctls(apart: &Apart) -> Result<()> {
    let rows = [
        ("ipv4/ip_forward", "1"),
        ("ipv6/conf/all/forwarding", "1"),
        ("ipv4/conf/eth0/rp_filter", "1"),
        // By default one refusal is told to an address in a second.
        ("ipv4/icmp_ratelimit", "0"),
        ("ipv4/icmp_msgs_per_sec", "1000000"),
        ("ipv4/icmp_msgs_burst", "1000000"),
        ("ipv6/icmp/ratelimit", "0"),
    ];
    rows.iter().try_for_each(|(key, value)| apart.node().netns().set_sysctl(key, value))
}

/// Tells the node who is at its uplink: whoever it is, at one hardware address.
pub(super) fn populate(apart: &Apart) -> Result<()> {
    let mac = Tap::open(apart.wire(), apart.node().netns())?.mac();
    let mac = mac.map(|byte| format!("{byte:02x}")).join(":");
    let there = [ROUTER, OTHER_NODE].into_iter().flat_map(Place::both);
    let mut lines: Vec<String> = there
        .map(|address| format!("neighbour add {address} lladdr {mac} dev eth0 nud permanent"))
        .collect();
    lines.extend(ROUTER.both().map(|router| format!("route add default via {router}")));
    apart.node().netns().ip(&lines)
}
