//! Backends: the array `slots`, from which one is chosen, and the array `backends`, which tells
//! established flows whether theirs still lives.

use super::{Addr, Port};

/// Index into `backends`: one endpoint of one ServicePort.
///
/// An endpoint that serves two Services has two of them, so that it can leave one and stay in the
/// other. Dense; 0 is none.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct BackendId(pub u32);

impl BackendId {
    /// What a flow has that no Service chose for: its destination is as its client addressed it.
    pub const NONE: Self = Self(0);
}

/// Element of the array `slots`: where a new flow goes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Slot {
    /// The endpoint's address.
    pub addr: Addr,
    /// The endpoint's port.
    pub port: Port,
    /// The generation of `backend` when the slot was written, so that choosing needs no second read.
    pub generation: u16,
    /// Its identity in `backends`.
    pub backend: BackendId,
    /// See [`SlotFlags`].
    pub flags: SlotFlags,
}

const _: () = assert!(size_of::<Slot>() == 28 && align_of::<Slot>() == 4);

/// Switches of a [`Slot`].
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SlotFlags(pub u32);

impl SlotFlags {
    /// The endpoint is on this node.
    pub const LOCAL: Self = Self(1);
    /// The endpoint is on another node of the cluster, so that what is sent to it needs nothing of
    /// what the host's netfilter does for the world outside.
    pub const OTHER_NODE: Self = Self(2);

    /// Whether all of `flags` are set.
    #[must_use]
    #[inline(always)]
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }
}

/// Element of the array `backends`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Backend {
    /// Counts the owners of this identity; a flow that holds another one holds a dead backend.
    pub generation: u16,
    /// A [`BackendState`] as its number.
    pub state: u8,
    /// The sets it is in.
    pub scopes: Scopes,
}

const _: () = assert!(size_of::<Backend>() == 4 && align_of::<Backend>() == 2);

/// What a backend may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BackendState {
    /// It is no backend (any longer): UDP flows choose again at their next packet.
    Dead,
    /// It takes new flows.
    Active,
    /// It keeps the flows it has.
    Terminating,
}

impl BackendState {
    /// The number that stands in [`Backend::state`].
    #[must_use]
    #[inline(always)]
    pub const fn number(self) -> u8 {
        match self {
            Self::Dead => 0,
            Self::Active => 1,
            Self::Terminating => 2,
        }
    }

    /// The state of a number; one that is not known is dead.
    #[must_use]
    #[inline(always)]
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Active,
            2 => Self::Terminating,
            _ => Self::Dead,
        }
    }
}

/// The sets a backend is in.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Scopes(pub u8);

impl Scopes {
    /// The set for `Local` traffic policies.
    pub const LOCAL: Self = Self(1);
    /// The set for `Cluster` traffic policies.
    pub const CLUSTER: Self = Self(2);

    /// Whether all of `scopes` are set.
    #[must_use]
    #[inline(always)]
    pub const fn has(self, scopes: Self) -> bool {
        self.0 & scopes.0 == scopes.0
    }

    /// Both sets' members joined.
    #[must_use]
    #[inline(always)]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
