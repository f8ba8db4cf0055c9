//! Where packets are delivered: the hashes `pods` and `links`, and the array `meta`.

/// Value of the hash `pods`, keyed by the pod's address ([`super::Addr`]): a pod of this node.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pod {
    /// Index of the host side of the pod's link.
    pub ifindex: u32,
    /// MTU of the pod's link in bytes.
    pub mtu: u32,
    /// Hardware address of the pod's side.
    pub pod_mac: [u8; 6],
    /// Hardware address of the host's side.
    pub host_mac: [u8; 6],
    /// See [`PodFlags`].
    pub flags: PodFlags,
}

const _: () = assert!(size_of::<Pod>() == 24 && align_of::<Pod>() == 4);

/// Switches of a [`Pod`].
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PodFlags(pub u32);

impl PodFlags {
    /// Packets must pass the host side's egress (bandwidth limits live there): no redirect to the
    /// peer.
    pub const NO_PEER: Self = Self(1);

    /// Whether all of `flags` are set.
    #[must_use]
    #[inline(always)]
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }
}

/// Value of the hash `links`, keyed by interface index (u32): a device packets come in and leave by.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Link {
    /// MTU of the device in bytes, without its link-layer header.
    pub mtu: u32,
    /// See [`LinkFlags`].
    pub flags: LinkFlags,
}

const _: () = assert!(size_of::<Link>() == 8);

/// Switches of a [`Link`].
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LinkFlags(pub u32);

impl LinkFlags {
    /// Pods or containers that are not ours are behind it: what goes there or comes from there is
    /// the stack's.
    pub const WORKLOADS: Self = Self(1);
    /// Where pods are told by their devices: senders behind this one count as pods of this node.
    pub const LOCAL_PODS: Self = Self(2);

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

/// The one element of the array `meta`: which build owns the pins.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Meta {
    /// Hash over the loaded object and its configuration; equal means there is nothing to replace.
    pub build: u64,
}

const _: () = assert!(size_of::<Meta>() == 8);
