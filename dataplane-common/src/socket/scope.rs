//! Whose processes are clients of this node.

use crate::abi::Node;

/// Whether a network namespace is the node's own, by the cookies of that namespace and of the
/// initial one. Where the node's cookie is not known the initial namespace is meant.
///
/// A process of another namespace may be in the same cgroup: what it sends passes other hooks.
#[must_use]
#[inline(always)]
pub const fn is_of_node(node: &Node, netns: u64, initial: u64) -> bool {
    let own = if node.netns_cookie == 0 { initial } else { node.netns_cookie };
    netns == own
}
