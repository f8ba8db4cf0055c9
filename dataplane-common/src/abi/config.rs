//! What the kernel programs are told at load, in read-only data.

/// Source address of a flow whose backend is its own client, as that backend sees it.
///
/// Link-local (RFC 3927), so that no host of the cluster can have it.
pub const HAIRPIN_V4: [u8; 4] = [169, 254, 7, 1];

/// The same for IPv6: unique local (RFC 4193), because a link-local peer address would need a scope
/// that applications forget.
pub const HAIRPIN_V6: [u8; 16] =
    [0xfd, 0x57, 0x61, 0x67, 0x67, 0x6c, 0x65, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// Read-only global `CONFIG` of the kernel object.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeConfig {
    /// Nanoseconds to use as the clock; 0 is the kernel's own. For tests.
    pub clock_override: u64,
    /// Random number to use; `RANDOM_OVERRIDDEN` in `random_overridden` says whether. For tests.
    pub random_override: u32,
    /// 1 where `random_override` is to be used.
    pub random_overridden: u8,
    /// How translated flows are delivered: a [`Delivery`] as its number.
    pub delivery: u8,
    /// How calls of processes are refused: a [`Refusal`] as its number.
    pub refusal: u8,
    /// What time is read from: a [`Clock`] as its number.
    pub clock: u8,
}

const _: () = assert!(size_of::<NodeConfig>() == 16 && align_of::<NodeConfig>() == 8);

impl NodeConfig {
    /// A configuration with the kernel's clock and random numbers, for any kernel.
    #[must_use]
    pub const fn new(delivery: Delivery) -> Self {
        Self {
            clock_override: 0,
            random_override: 0,
            random_overridden: 0,
            delivery: delivery.number(),
            refusal: Refusal::ClosedPort.number(),
            clock: Clock::Exact.number(),
        }
    }
}

/// How packets of translated flows reach their next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Delivery {
    /// Redirected at the first hook, past the host's stack and its netfilter.
    Bypass,
    /// Routed by the host's stack, which sees one consistent tuple.
    Stack,
}

impl Delivery {
    /// The number that stands in [`NodeConfig::delivery`].
    #[must_use]
    #[inline(always)]
    pub const fn number(self) -> u8 {
        match self {
            Self::Bypass => 0,
            Self::Stack => 1,
        }
    }

    /// The delivery of a number; one that is not known is the stack, which can always deliver.
    #[must_use]
    #[inline(always)]
    pub const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Bypass,
            _ => Self::Stack,
        }
    }
}

/// How a call of a process to a frontend that nobody serves is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// It goes to a port of the node's loopback address that nobody listens at.
    ClosedPort,
    /// It fails with `ECONNREFUSED`, which programs can say where the kernel has `bpf_set_retval`
    /// for them.
    Error,
}

impl Refusal {
    /// The number that stands in [`NodeConfig::refusal`].
    #[must_use]
    #[inline(always)]
    pub const fn number(self) -> u8 {
        match self {
            Self::ClosedPort => 0,
            Self::Error => 1,
        }
    }
}

/// What the programs read the time from. Both are the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clock {
    /// The hardware, which takes its time to answer.
    Exact,
    /// The kernel's last tick: exact enough for seconds. Programs can read it since Linux 5.11.
    Coarse,
}

impl Clock {
    /// The number that stands in [`NodeConfig::clock`].
    #[must_use]
    #[inline(always)]
    pub const fn number(self) -> u8 {
        match self {
            Self::Exact => 0,
            Self::Coarse => 1,
        }
    }
}
