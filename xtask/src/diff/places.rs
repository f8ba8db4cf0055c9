//! The addresses of the islands; every island has the same.
//!
//! ```text
//!    outside, node-b and its pods: one wire
//!                    │
//!                  eth0   primary and secondary addresses
//!    node-a          │
//!       ┌────────────┼────────────┐
//!   local pod 1  local pod 2  local pod 3
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Value, json};

/// The node under test.
pub(super) const NODE: &str = "node-a";

/// The name of [`OTHER_NODE`].
pub(super) const OTHER_NODE_NAME: &str = "node-b";

/// The zone of the node under test.
pub(super) const ZONE: &str = "zone-a";

/// The zone of the other node.
pub(super) const OTHER_ZONE: &str = "zone-b";

/// One address of each family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) v4: Ipv4Addr,
    pub(super) v6: Ipv6Addr,
}

impl Place {
    /// The one of another address's family.
    pub(super) fn like(self, other: IpAddr) -> IpAddr {
        match other {
            IpAddr::V4(_) => self.v4.into(),
            IpAddr::V6(_) => self.v6.into(),
        }
    }

    /// Both.
    pub(super) fn both(self) -> [IpAddr; 2] {
        [self.v4.into(), self.v6.into()]
    }
}

const fn place(v4: [u8; 4], v6: [u16; 8]) -> Place {
    let [a, b, c, d] = v4;
    let [s, t, u, v, w, x, y, z] = v6;
    Place { v4: Ipv4Addr::new(a, b, c, d), v6: Ipv6Addr::new(s, t, u, v, w, x, y, z) }
}

/// The node's addresses that its Node object has.
pub(super) const PRIMARY: Place = place([192, 168, 88, 11], [0xfd88, 0, 0, 0, 0, 0, 0, 0x11]);

/// Addresses of the same device that no object has.
pub(super) const SECONDARY: Place = place([192, 168, 89, 11], [0xfd89, 0, 0, 0, 0, 0, 0, 0x11]);

/// Where the node's own processes alone reach it.
pub(super) const LOCALHOST: Place = Place { v4: Ipv4Addr::LOCALHOST, v6: Ipv6Addr::LOCALHOST };

/// The next hop of the node's default route.
pub(super) const ROUTER: Place = place([192, 168, 88, 1], [0xfd88, 0, 0, 0, 0, 0, 0, 1]);

/// The node that has the remote pods.
pub(super) const OTHER_NODE: Place = place([192, 168, 88, 21], [0xfd88, 0, 0, 0, 0, 0, 0, 0x21]);

/// Pods of the node under test; the first is the client, and may be an endpoint too.
pub(super) const LOCAL_PODS: [Place; 3] = [local_pod(2), local_pod(3), local_pod(4)];

/// Pods of the other node; the first is the client, and may be an endpoint too.
pub(super) const REMOTE_PODS: [Place; 4] =
    [remote_pod(2), remote_pod(3), remote_pod(4), remote_pod(5)];

/// A pod of the other node that is never a client, of a number below 200.
pub(super) const fn distant_pod(number: u8) -> Place {
    remote_pod(10 + number)
}

const fn local_pod(host: u8) -> Place {
    place([10, 244, 1, host], [0xfd00, 0x10, 0x244, 1, 0, 0, 0, host as u16])
}

const fn remote_pod(host: u8) -> Place {
    place([10, 244, 2, host], [0xfd00, 0x10, 0x244, 2, 0, 0, 0, host as u16])
}

/// Pods of the node under test.
pub(super) const POD_CIDRS: [&str; 2] = ["10.244.1.0/24", "fd00:10:244:1::/64"];

/// Pods of the other node.
pub(super) const OTHER_POD_CIDRS: [&str; 2] = ["10.244.2.0/24", "fd00:10:244:2::/64"];

/// How many senders are outside.
pub(super) const OUTSIDE: u8 = 16;

/// A sender outside, of a number below [`OUTSIDE`].
pub(super) fn outside(number: u8) -> Place {
    let host = 16 + number % OUTSIDE;
    place([203, 0, 113, host], [0xfdcb, 0, 0, 0, 0, 0, 0, u16::from(host)])
}

/// The Node objects of both nodes, which must be there before an island is made.
pub(super) fn nodes() -> [Value; 2] {
    [node_under_test(ZONE), node(OTHER_NODE_NAME, OTHER_ZONE, OTHER_NODE, OTHER_POD_CIDRS)]
}

/// The Node object of the node under test, in a zone.
pub(super) fn node_under_test(zone: &str) -> Value {
    node(NODE, zone, PRIMARY, POD_CIDRS)
}

fn node(name: &str, zone: &str, at: Place, pods: [&str; 2]) -> Value {
    let labels = json!({
        "kubernetes.io/hostname": name,
        "topology.kubernetes.io/zone": zone,
    });
    let addresses = at.both().map(|address| json!({"type": "InternalIP", "address": address}));
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"podCIDR": pods[0], "podCIDRs": pods},
        "status": {"addresses": addresses},
    })
}
