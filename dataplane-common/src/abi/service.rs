//! Frontends and the backend extents they stand for: maps `services` and `slots`.

use super::{Addr, Port, Proto};

/// Key of the hash `services`: one address, port and protocol that clients use.
#[repr(C, align(4))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrontendKey {
    /// The virtual address.
    pub addr: Addr,
    /// The port clients connect to.
    pub port: Port,
    /// The transport protocol.
    pub proto: Proto,
    /// How the address is to be read: a [`FrontendKind`] as its number.
    pub kind: u8,
}

const _: () = assert!(size_of::<FrontendKey>() == 20 && align_of::<FrontendKey>() == 4);

/// How a frontend's address is matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FrontendKind {
    /// The key's address is the packet's destination.
    Exact,
    /// The key's address alone, with port and protocol zero and a value of nothing but flags: some
    /// port of it is served. Tells fragments without ports that they are meant for a frontend, and
    /// whether ports that nobody serves are refused.
    Address,
    /// A NodePort: the key's address is its family's unspecified one, and every address of the node
    /// that serves NodePorts matches.
    AnyNode,
}

impl FrontendKind {
    /// The number that stands in [`FrontendKey::kind`].
    #[must_use]
    #[inline(always)]
    pub const fn number(self) -> u8 {
        match self {
            Self::Exact => 0,
            Self::Address => 1,
            Self::AnyNode => 2,
        }
    }
}

/// One ServicePort of one family. Dense, from 1; 0 is none.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ServiceId(pub u32);

/// Value of the hash `services`.
///
/// The ServicePort's backends are one run of `slots`, its extent: first those only in the Local
/// set, then those in both, then those only in the Cluster set, then those in none. So Local is
/// `[base, base + local_count)` and Cluster is `[base + cluster_offset, .. + cluster_count)`.
/// All frontends of a ServicePort share one extent, and one write of this value switches a
/// frontend to another.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Service {
    /// The ServicePort.
    pub id: ServiceId,
    /// Index in `slots` of the first backend.
    pub base: u32,
    /// How many backends the Local set has.
    pub local_count: u32,
    /// Where the Cluster set begins, counted from `base`.
    pub cluster_offset: u32,
    /// How many backends the Cluster set has.
    pub cluster_count: u32,
    /// Session affinity in seconds; 0 is none.
    pub affinity_seconds: u32,
    /// See [`ServiceFlags`].
    pub flags: ServiceFlags,
    /// Another one whenever affinity was switched on or off.
    pub affinity_epoch: u16,
    /// How many backends stand behind both sets: they keep the flows they have and take no new ones.
    /// For the agent alone, which finds them again after a restart.
    pub terminating_count: u32,
}

const _: () = assert!(size_of::<Service>() == 32 && align_of::<Service>() == 4);

/// Switches of a [`Service`].
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ServiceFlags(pub u16);

impl ServiceFlags {
    /// `internalTrafficPolicy: Local`: senders inside the cluster get the Local set.
    pub const INTERNAL_LOCAL: Self = Self(1);
    /// The frontend is a NodePort, a load balancer's address or an external address: the external
    /// traffic policy holds instead of the internal one.
    pub const EXTERNAL: Self = Self(2);
    /// `externalTrafficPolicy: Local`: senders outside the cluster get the Local set and keep their
    /// address.
    pub const EXTERNAL_LOCAL: Self = Self(4);
    /// Flows to backends of this node keep their client's address where they need not.
    pub const KEEP_CLIENT: Self = Self(8);
    /// Of [`FrontendKind::Address`]: the address is a cluster IP, of which every port that nobody
    /// serves is refused.
    pub const CLUSTER_IP: Self = Self(16);
    /// Only clients that the map `sources` has for the ServicePort begin flows here.
    pub const SOURCE_RANGES: Self = Self(32);

    /// Whether all of `flags` are set.
    #[must_use]
    #[inline(always)]
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Both sets joined.
    #[must_use]
    #[inline(always)]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
