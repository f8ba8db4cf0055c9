//! What is measured.

use std::net::SocketAddrV4;

use anyhow::Result;

use super::{
    catalog,
    generator::Generator,
    probe::{FIRST_PORT, Frames, Probe},
    testbed::Testbed,
    transactions::{Client, Transaction},
    variant::Variant,
};

/// Frames of one flow in a window.
pub(super) const FRAMES: u32 = 8_000;

/// Flows that begin in a window.
pub(super) const NEW_FLOWS: u32 = 1_500;

/// The port of the flow that goes on.
const PORT: u16 = 19_999;

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metric {
    /// What a packet of a flow costs that was answered before.
    Established,
    /// What the first packet of a flow costs.
    NewFlow,
    /// The same with session affinity.
    StickyNewFlow,
    /// Requests and answers on one connection.
    Requests,
    /// Connections, each with a request and an answer.
    Connections,
    /// The same with session affinity.
    StickyConnections,
    /// What a packet costs from one pod to another one itself.
    Pods(Far),
    /// Requests and answers on one connection with a pod itself.
    PodRequests(Far),
}

/// Where the other pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Far {
    /// On the same node.
    Here,
    /// On another node, by routes.
    Routed,
    /// On another node, through a tunnel.
    Tunnelled,
}

/// All of Services.
pub(super) const ALL: [Metric; 6] = [
    Metric::Established,
    Metric::Requests,
    Metric::Connections,
    Metric::StickyConnections,
    Metric::NewFlow,
    Metric::StickyNewFlow,
];

/// All of pods.
pub(super) const PODS: [Metric; 6] = [
    Metric::Pods(Far::Here),
    Metric::PodRequests(Far::Here),
    Metric::Pods(Far::Routed),
    Metric::PodRequests(Far::Routed),
    Metric::Pods(Far::Tunnelled),
    Metric::PodRequests(Far::Tunnelled),
];

impl Metric {
    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Established => "established_flow",
            Self::NewFlow => "new_flow",
            Self::StickyNewFlow => "new_flow_affinity",
            Self::Requests => "tcp_rr",
            Self::Connections => "tcp_crr",
            Self::StickyConnections => "tcp_crr_affinity",
            Self::Pods(Far::Here) => "pod_to_pod",
            Self::Pods(Far::Routed) => "pod_to_pod_host_gw",
            Self::Pods(Far::Tunnelled) => "pod_to_pod_vxlan",
            Self::PodRequests(Far::Here) => "pod_to_pod_tcp_rr",
            Self::PodRequests(Far::Routed) => "pod_to_pod_host_gw_tcp_rr",
            Self::PodRequests(Far::Tunnelled) => "pod_to_pod_vxlan_tcp_rr",
        }
    }

    /// What its values count.
    pub(super) fn unit(self) -> &'static str {
        if self.is_live() { "ns/packet" } else { "transactions/s" }
    }

    /// The variant that the others are compared with.
    pub(super) fn reference(self) -> Variant {
        match self {
            Self::Established | Self::Requests => Variant::Plain,
            Self::NewFlow | Self::StickyNewFlow | Self::Connections | Self::StickyConnections => {
                Variant::Nft
            }
            Self::Pods(_) | Self::PodRequests(_) => self.variants()[0],
        }
    }

    /// The variants that are compared.
    pub(super) fn variants(self) -> &'static [Variant] {
        match self {
            Self::Pods(far) | Self::PodRequests(far) => match far {
                Far::Here => &[Variant::Plain, Variant::Bypass, Variant::Stack],
                Far::Routed => &[Variant::Routes, Variant::HostGw],
                Far::Tunnelled => &[Variant::Tunnel, Variant::Vxlan],
            },
            _ => &[Variant::Plain, Variant::Nft, Variant::Bypass, Variant::Stack],
        }
    }

    /// Whether a generator sends frames.
    pub(super) fn is_live(self) -> bool {
        matches!(self, Self::Established | Self::NewFlow | Self::StickyNewFlow | Self::Pods(_))
    }

    /// Most rounds: a client has only so many ports for connections, and the last one's rests for a
    /// minute.
    pub(super) fn rounds(self) -> usize {
        match self {
            Self::Connections | Self::StickyConnections => 250,
            _ => usize::MAX,
        }
    }

    /// The Service that is asked, unless it is the pod itself.
    fn service(self) -> Option<SocketAddrV4> {
        let asked = match self {
            Self::Pods(_) | Self::PodRequests(_) => return None,
            Self::Established => catalog::ESTABLISHED,
            Self::NewFlow => catalog::NEW_FLOWS,
            Self::StickyNewFlow => catalog::STICKY_NEW_FLOWS,
            Self::Requests | Self::Connections => catalog::CONNECTIONS,
            Self::StickyConnections => catalog::STICKY_CONNECTIONS,
        };
        Some(asked.frontend())
    }

    /// Prepares windows.
    pub(super) fn probe<'a>(self, testbed: &'a Testbed<'a>, cpu: usize) -> Result<Probe<'a>> {
        let (device, target) = (testbed.client_device(), testbed.target(self.service()));
        let ask = |transaction| Client::start(testbed, transaction, target, cpu).map(Probe::Client);
        match self {
            Self::Established | Self::Pods(_) => {
                testbed.prime(PORT, target)?;
                let generator = Generator::one_flow(&testbed.frame(PORT, target), device)?;
                Frames::new(testbed, generator, FRAMES, cpu).map(Probe::Frames)
            }
            Self::NewFlow | Self::StickyNewFlow => {
                let frame = testbed.frame(FIRST_PORT, target);
                let generator = Generator::many_flows(&frame, device)?;
                Frames::new(testbed, generator, NEW_FLOWS, cpu).map(Probe::Frames)
            }
            Self::Requests | Self::PodRequests(_) => ask(Transaction::Request),
            Self::Connections | Self::StickyConnections => ask(Transaction::Connection),
        }
    }
}
