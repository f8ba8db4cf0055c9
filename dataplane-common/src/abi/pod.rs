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
    /// Where the pod's sockets are.
    pub netns: NetnsId,
}

const _: () = assert!(size_of::<Pod>() == 28 && align_of::<Pod>() == 4);

/// A network namespace as the host's own calls it (`IFLA_LINK_NETNSID`, Linux 4.0): one more than
/// the kernel's number, so that zero is none that is known.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NetnsId(pub u32);

impl NetnsId {
    /// By the kernel's number, which is negative where it has none.
    #[must_use]
    pub const fn of(number: i32) -> Self {
        if number < 0 { Self(0) } else { Self(number.cast_unsigned().saturating_add(1)) }
    }

    /// Whether there is one.
    #[must_use]
    #[inline(always)]
    pub const fn is_known(self) -> bool {
        self.0 != 0
    }

    /// The kernel's number, of one that is known.
    #[must_use]
    #[inline(always)]
    pub const fn number(self) -> u32 {
        self.0.wrapping_sub(1)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_without_number_is_not_known() {
        for (number, expected) in [(-1, None), (i32::MIN, None), (0, Some(0)), (7, Some(7))] {
            let netns = NetnsId::of(number);
            assert_eq!(netns.is_known().then_some(netns.number()), expected, "{number}");
        }
    }
}
