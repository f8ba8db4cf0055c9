//! What is asked of a node and what came of it: flows that begin, counted by where they ended.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

/// Who begins a flow, by where it begins; what a proxy takes the sender for is the proxy's matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Sender {
    /// The first of [`super::places::LOCAL_PODS`].
    LocalPod,
    /// The first of [`super::places::REMOTE_PODS`], by way of the uplink.
    RemotePod,
    /// A process of the node under test.
    OwnNode,
    /// A process of [`super::places::OTHER_NODE`], by way of the uplink.
    OtherNode,
    /// Each of [`super::places::outside`] in turn, by way of the uplink.
    Outside,
}

impl Sender {
    /// Each once.
    pub(super) const ALL: [Self; 5] =
        [Self::LocalPod, Self::RemotePod, Self::OwnNode, Self::OtherNode, Self::Outside];

    /// As reports have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::LocalPod => "local pod",
            Self::RemotePod => "remote pod",
            Self::OwnNode => "own node",
            Self::OtherNode => "other node",
            Self::Outside => "outside",
        }
    }
}

/// What carries a flow.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Protocol {
    /// A flow is one SYN.
    Tcp,
    /// A flow is one datagram; the node's own are sent by connected and by unconnected sockets in
    /// turn.
    Udp,
    /// A flow is one INIT; the node's own are written whole, as not every kernel has sockets for it.
    Sctp,
}

impl Protocol {
    /// Each once.
    pub(super) const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Sctp];

    /// As objects have it, and reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }
}

/// Flows of one kind, each from a source port of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Probe {
    /// Who begins them.
    pub(super) sender: Sender,
    /// Where they go.
    pub(super) to: SocketAddr,
    /// What carries them.
    pub(super) protocol: Protocol,
    /// How many there are.
    pub(super) flows: u32,
}

/// The address that an endpoint sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Source {
    /// The sender's own; never of [`Sender::OwnNode`], whose addresses are the node's.
    Kept,
    /// This one of the node under test.
    Node(IpAddr),
    /// One that is neither.
    Other(IpAddr),
}

/// How a flow reached an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Arrival {
    /// The endpoint.
    pub(super) at: SocketAddr,
    /// Whom it sees.
    pub(super) source: Source,
}

/// How a sender was told that nobody answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Refusal {
    /// By an ICMP error that a port cannot be reached; processes of the node are told of every
    /// refusal by ECONNREFUSED, which counts as this.
    Unreachable,
    /// By a TCP reset.
    Reset,
}

/// What became of a probe's flows; each is counted once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Those that reached an endpoint: a local pod at any address, or by the uplink or at the
    /// node's own addresses one that is not the probe's destination. Whether anybody answers there is
    /// not asked.
    pub(super) arrived: BTreeMap<Arrival, u32>,
    /// Those whose sender was refused.
    pub(super) refused: BTreeMap<Refusal, u32>,
    /// Those that left by the uplink for the probe's own destination.
    pub(super) passed: u32,
    /// Those of which nothing was seen again.
    pub(super) silent: u32,
    /// Whether flows of one client reached several endpoints.
    pub(super) is_strewn: bool,
}
