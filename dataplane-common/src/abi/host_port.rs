//! Ports of the node that lead to pods (`hostPort`): the hash `host_ports`, which the CNI plugin
//! writes, and the array `host_port_marks` that spares others its look-ups.
//!
//! The hash is keyed by [`super::FrontendKey`]: `Exact` with the `hostIP`, or `AnyNode` with the
//! unspecified address of a family, which stands for every address that the node has in it.

use super::{Addr, Port, ServiceId};

/// Value of the hash `host_ports`: where a port of the node leads.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct HostPort {
    /// The pod's address.
    pub addr: Addr,
    /// The port in the pod.
    pub port: Port,
    /// Zero.
    pub reserved: [u8; 2],
    /// Index of the host side of the pod's link: who owns the entry. None is given twice in a boot.
    pub ifindex: u32,
}

const _: () = assert!(size_of::<HostPort>() == 24 && align_of::<HostPort>() == 4);

impl HostPort {
    /// What flows keep of their owner, so that they notice that another pod has its address.
    #[must_use]
    #[inline(always)]
    pub const fn generation(ifindex: u32) -> u16 {
        (ifindex & 0xffff) as u16
    }

    /// The element of `host_port_marks` that is not zero where there may be an entry of a port,
    /// whatever its address and protocol. It stays so: what that costs is a look-up.
    #[must_use]
    #[inline(always)]
    pub const fn mark(port: Port) -> u32 {
        port.number() as u32 % super::names::MAX_HOST_PORT_MARKS
    }
}

impl ServiceId {
    /// What flows to a port of the node have in the place of a ServicePort, beside
    /// [`super::BackendId::NONE`] and [`HostPort::generation`].
    pub const HOST_PORT: Self = Self(u32::MAX);
}
