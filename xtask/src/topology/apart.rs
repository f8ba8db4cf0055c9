//! A node apart: its uplink ends where nobody is but who opens sockets there.

use super::{Netns, Node};

/// Carries what the node itself has to say to the control plane.
pub(super) const MANAGEMENT: &str = "management";

/// A node whose uplink `eth0` ends at another `eth0`, in a namespace without addresses.
///
/// Its uplink has no address and leads nowhere until its owner gives it some. By a link of its own
/// it reaches what is beside the bridge, in IPv4 alone.
#[derive(Debug)]
pub struct Apart {
    node: Node,
    wire: Netns,
}

/// What a node apart is called.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// Among the sites of the network: its namespaces, cgroup and folder of logs have it in their
    /// names.
    pub name: &'a str,
    /// The node's own name; several sites may have nodes of the same name.
    pub node: &'a str,
    /// Tells its address of the management network from those of other sites: up to 99.
    pub number: u8,
}

impl Apart {
    pub(super) fn new(node: Node, wire: Netns) -> Self {
        Self { node, wire }
    }

    /// The node.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The far end of its uplink: whatever leaves the node by `eth0` can be seen at `eth0` there.
    #[must_use]
    pub fn wire(&self) -> &Netns {
        &self.wire
    }
}
