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
}

/// All of them.
pub(super) const ALL: [Metric; 6] = [
    Metric::Established,
    Metric::Requests,
    Metric::Connections,
    Metric::StickyConnections,
    Metric::NewFlow,
    Metric::StickyNewFlow,
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
        }
    }

    /// Whether a generator sends frames.
    pub(super) fn is_live(self) -> bool {
        matches!(self, Self::Established | Self::NewFlow | Self::StickyNewFlow)
    }

    /// Most rounds: a client has only so many ports for connections, and the last one's rests for a
    /// minute.
    pub(super) fn rounds(self) -> usize {
        match self {
            Self::Established | Self::NewFlow | Self::StickyNewFlow | Self::Requests => usize::MAX,
            Self::Connections | Self::StickyConnections => 250,
        }
    }

    /// The Service that is asked.
    fn service(self) -> SocketAddrV4 {
        let asked = match self {
            Self::Established => catalog::ESTABLISHED,
            Self::NewFlow => catalog::NEW_FLOWS,
            Self::StickyNewFlow => catalog::STICKY_NEW_FLOWS,
            Self::Requests | Self::Connections => catalog::CONNECTIONS,
            Self::StickyConnections => catalog::STICKY_CONNECTIONS,
        };
        asked.frontend()
    }

    /// Prepares windows.
    pub(super) fn probe<'a>(self, testbed: &'a Testbed<'a>, cpu: usize) -> Result<Probe<'a>> {
        let (device, service) = (testbed.client_device(), self.service());
        let ask = |transaction| {
            let target = testbed.target(service);
            Client::start(testbed, transaction, target, cpu).map(Probe::Client)
        };
        match self {
            Self::Established => {
                testbed.prime(PORT, service)?;
                let generator = Generator::one_flow(&testbed.frame(PORT, service), device)?;
                Frames::new(testbed, generator, FRAMES, cpu).map(Probe::Frames)
            }
            Self::NewFlow | Self::StickyNewFlow => {
                let frame = testbed.frame(FIRST_PORT, service);
                let generator = Generator::many_flows(&frame, device)?;
                Frames::new(testbed, generator, NEW_FLOWS, cpu).map(Probe::Frames)
            }
            Self::Requests => ask(Transaction::Request),
            Self::Connections | Self::StickyConnections => ask(Transaction::Connection),
        }
    }
}
