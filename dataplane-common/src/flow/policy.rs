//! Traffic policies: which of a ServicePort's sets a sender gets, and whether its address is hidden.

use super::Sender;
use crate::abi::{Address, NodeFlags, Scopes, Service, ServiceFlags, SlotFlags};

/// That a node's own processes count as clients outside: wrong on purpose.
const PLANTED_BUG: bool = cfg!(feature = "planted-bug");

/// The set that a flow chooses from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Backends of this node.
    Local,
    /// Backends of the cluster.
    Cluster,
}

impl Scope {
    /// The set that a sender gets behind a frontend.
    #[inline(always)]
    pub(crate) const fn of(flags: ServiceFlags, sender: Sender) -> Self {
        let local = if !flags.has(ServiceFlags::EXTERNAL) {
            flags.has(ServiceFlags::INTERNAL_LOCAL)
        } else {
            // What this node and its pods send has not come through a load balancer that knows
            // which nodes have backends.
            flags.has(ServiceFlags::EXTERNAL_LOCAL)
                && !matches!(sender, Sender::LocalPod)
                && (PLANTED_BUG || !matches!(sender, Sender::OwnNode))
        };
        if local { Self::Local } else { Self::Cluster }
    }

    /// The set as a backend's state has it.
    #[inline(always)]
    pub(crate) const fn flag(self) -> Scopes {
        match self {
            Self::Local => Scopes::LOCAL,
            Self::Cluster => Scopes::CLUSTER,
        }
    }

    /// Where the set begins, counted from the extent's base, and how many backends it has.
    #[inline(always)]
    pub(crate) const fn extent(self, service: &Service) -> (u32, u32) {
        match self {
            Self::Local => (0, service.local_count),
            Self::Cluster => (service.cluster_offset, service.cluster_count),
        }
    }
}

/// Whether the backend sees the node's address instead of the sender's.
#[inline(always)]
pub(crate) const fn masquerades<A: Address>(
    flags: ServiceFlags,
    sender: Sender,
    slot: SlotFlags,
    node: NodeFlags,
) -> bool {
    if !flags.has(ServiceFlags::EXTERNAL) {
        return node.has(NodeFlags::MASQUERADE_ALL)
            || !(node.has(A::PODS_UNKNOWN) || matches!(sender, Sender::LocalPod));
    }
    if flags.has(ServiceFlags::EXTERNAL_LOCAL) {
        return matches!(sender, Sender::OwnNode);
    }
    !(flags.has(ServiceFlags::KEEP_CLIENT) && slot.has(SlotFlags::LOCAL))
}

/// What a new flow to a frontend meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Backends.
    Served,
    /// Nobody serves it: rejected.
    Rejected,
    /// Somebody does, but the policy hides them: dropped, so that a load balancer tries elsewhere
    /// (KEP-2086).
    NoLocalBackend,
}

impl Standing {
    /// What a flow that chooses from a set meets.
    #[inline(always)]
    pub(crate) const fn of(service: &Service, scope: Scope) -> Self {
        let (_, count) = scope.extent(service);
        if count > 0 {
            Self::Served
        } else if matches!(scope, Scope::Local) && service.cluster_count > 0 {
            Self::NoLocalBackend
        } else {
            Self::Rejected
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER_IP: ServiceFlags = ServiceFlags(0);
    const EXTERNAL: ServiceFlags = ServiceFlags::EXTERNAL;

    #[test]
    fn clients_are_kept_on_request_where_the_backend_is_here() {
        let keep = ServiceFlags::KEEP_CLIENT;
        for (flags, sender, slot, expected) in [
            (EXTERNAL.union(keep), Sender::Outside, SlotFlags::LOCAL, false),
            (EXTERNAL.union(keep), Sender::Outside, SlotFlags::OTHER_NODE, true),
            (EXTERNAL.union(keep), Sender::Outside, SlotFlags::default(), true),
            (CLUSTER_IP.union(keep), Sender::Outside, SlotFlags::LOCAL, true),
        ] {
            assert_eq!(
                masquerades::<[u8; 4]>(flags, sender, slot, NodeFlags::default()),
                expected,
                "{flags:?} {slot:?}"
            );
        }
    }

    #[test]
    fn nobody_anywhere_is_rejected_and_nobody_here_is_dropped() {
        use Standing::{NoLocalBackend, Rejected, Served};
        let nobody = Service::default();
        let elsewhere = Service { cluster_count: 1, ..nobody };
        let both_local = ServiceFlags::INTERNAL_LOCAL.union(ServiceFlags::EXTERNAL_LOCAL);
        for (name, flags, nobody_serves, elsewhere_serves) in [
            ("ClusterIP", CLUSTER_IP, [Rejected; 3], [Served; 3]),
            ("ClusterIP, Local", both_local, [Rejected; 3], [NoLocalBackend; 3]),
            (
                "ClusterIP, externally Local",
                ServiceFlags::EXTERNAL_LOCAL,
                [Rejected; 3],
                [Served; 3],
            ),
            ("NodePort", EXTERNAL, [Rejected; 3], [Served; 3]),
            (
                "NodePort, internally Local",
                EXTERNAL.union(ServiceFlags::INTERNAL_LOCAL),
                [Rejected; 3],
                [Served; 3],
            ),
            (
                "NodePort, Local",
                EXTERNAL.union(both_local),
                [Rejected; 3],
                [Served, Served, NoLocalBackend],
            ),
        ] {
            for (service, expected) in [(nobody, nobody_serves), (elsewhere, elsewhere_serves)] {
                let met = [Sender::LocalPod, Sender::OwnNode, Sender::Outside]
                    .map(|sender| Standing::of(&service, Scope::of(flags, sender)));
                assert_eq!(met, expected, "{name}: {service:?}");
            }
        }
    }
}
