//! The per-CPU array `counters`: packets by path and by drop reason.

/// Why a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// A fragment to a frontend without the transport header that says whose flow it is.
    FragmentToFrontend,
    /// No free source port makes the flow's answer tell itself from another flow's.
    NoSourcePort,
    /// The conntrack table refused a new flow.
    FlowTableFull,
    /// A packet that resets a flow nobody knows.
    ResetWithoutFlow,
    /// The packet could not be rewritten.
    RewriteFailed,
    /// An ICMP error could not be built.
    AnswerFailed,
    /// The traffic policy is Local and no backend is.
    NoLocalBackend,
    /// A packet to the hairpin's stand-in whose flow nobody knows.
    HairpinWithoutFlow,
    /// A flow that must be masqueraded, on a node without an address of its family.
    NoMasqueradeAddress,
    /// A process of this node that begins a flow by the tuple of a masqueraded one.
    SourcePortTaken,
    /// To an address that can be a cluster IP and is none.
    UnallocatedClusterIp,
    /// What the node itself sends to a cluster IP, where nobody serves it.
    UnservedClusterIp,
    /// A client that the load balancer's source ranges leave out.
    SourceRanges,
    /// What still goes to a frontend where it leaves the node: while another proxy's tables are there,
    /// or of SCTP from a process of this node.
    UntranslatedVip,
    /// In the middle of an SCTP association to a frontend that nobody knows.
    MiddleWithoutFlow,
    /// A frame of the tunnel between nodes, of somebody who is none.
    TunnelOfStranger,
    /// Of a pod, and from an address of somebody else.
    ForgedSource,
}

/// What became of a packet that was not dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathTaken {
    /// Not ours: left alone.
    Passed,
    /// Left to the host's stack, rewritten where its flow wants it.
    Stack,
    /// Redirected into a pod of this node.
    Peer,
    /// Redirected to a neighbour of this node.
    Neighbour,
    /// Answered with an ICMP error: too big.
    AnsweredTooBig,
    /// Answered with an ICMP error: nobody serves this port.
    AnsweredUnreachable,
    /// Answered with a TCP reset: nobody knows the connection.
    AnsweredReset,
}

/// Index into `counters`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counter {
    /// Packets that took a path.
    Path(PathTaken),
    /// Packets dropped.
    Drop(DropReason),
    /// Flows created.
    NewFlow,
    /// Flow creations that met another packet of the same flow and followed it.
    FlowRaceLost,
    /// Clients that were given a backend to stay with, and had none.
    AffinityNew,
    /// Source ports tried until a masqueraded flow had one, by [`Tries`].
    Tries(Tries),
}

/// A bucket of the histogram of source ports that a masqueraded flow had to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tries {
    /// The first was free.
    One,
    /// At most 2.
    Two,
    /// At most 4.
    Four,
    /// At most 8.
    Eight,
    /// At most 16.
    Sixteen,
    /// More.
    More,
}

impl Tries {
    /// The bucket of a number of tries, from 1.
    #[must_use]
    #[inline(always)]
    pub const fn of(tries: u32) -> Self {
        match tries {
            0 | 1 => Self::One,
            2 => Self::Two,
            3 | 4 => Self::Four,
            5..=8 => Self::Eight,
            9..=16 => Self::Sixteen,
            _ => Self::More,
        }
    }

    /// The bucket's place, from 0.
    #[inline(always)]
    const fn place(self) -> u32 {
        match self {
            Self::One => 0,
            Self::Two => 1,
            Self::Four => 2,
            Self::Eight => 3,
            Self::Sixteen => 4,
            Self::More => 5,
        }
    }
}

impl Counter {
    /// Every counter, in the order of its index.
    pub const ALL: [Self; 33] = [
        Self::Path(PathTaken::Passed),
        Self::Path(PathTaken::Stack),
        Self::Path(PathTaken::Peer),
        Self::Path(PathTaken::Neighbour),
        Self::Path(PathTaken::AnsweredTooBig),
        Self::Path(PathTaken::AnsweredUnreachable),
        Self::Drop(DropReason::FragmentToFrontend),
        Self::Drop(DropReason::NoSourcePort),
        Self::Drop(DropReason::FlowTableFull),
        Self::Drop(DropReason::ResetWithoutFlow),
        Self::Drop(DropReason::RewriteFailed),
        Self::Drop(DropReason::AnswerFailed),
        Self::NewFlow,
        Self::FlowRaceLost,
        Self::Drop(DropReason::NoLocalBackend),
        Self::Drop(DropReason::HairpinWithoutFlow),
        Self::Drop(DropReason::NoMasqueradeAddress),
        Self::AffinityNew,
        Self::Tries(Tries::One),
        Self::Tries(Tries::Two),
        Self::Tries(Tries::Four),
        Self::Tries(Tries::Eight),
        Self::Tries(Tries::Sixteen),
        Self::Tries(Tries::More),
        Self::Drop(DropReason::SourcePortTaken),
        Self::Drop(DropReason::UnallocatedClusterIp),
        Self::Drop(DropReason::UnservedClusterIp),
        Self::Drop(DropReason::SourceRanges),
        Self::Drop(DropReason::UntranslatedVip),
        Self::Path(PathTaken::AnsweredReset),
        Self::Drop(DropReason::MiddleWithoutFlow),
        Self::Drop(DropReason::TunnelOfStranger),
        Self::Drop(DropReason::ForgedSource),
    ];

    /// The counter's index in the map.
    #[must_use]
    #[inline(always)]
    pub const fn index(self) -> u32 {
        match self {
            Self::Path(PathTaken::Passed) => 0,
            Self::Path(PathTaken::Stack) => 1,
            Self::Path(PathTaken::Peer) => 2,
            Self::Path(PathTaken::Neighbour) => 3,
            Self::Path(PathTaken::AnsweredTooBig) => 4,
            Self::Path(PathTaken::AnsweredUnreachable) => 5,
            Self::Drop(DropReason::FragmentToFrontend) => 6,
            Self::Drop(DropReason::NoSourcePort) => 7,
            Self::Drop(DropReason::FlowTableFull) => 8,
            Self::Drop(DropReason::ResetWithoutFlow) => 9,
            Self::Drop(DropReason::RewriteFailed) => 10,
            Self::Drop(DropReason::AnswerFailed) => 11,
            Self::NewFlow => 12,
            Self::FlowRaceLost => 13,
            Self::Drop(DropReason::NoLocalBackend) => 14,
            Self::Drop(DropReason::HairpinWithoutFlow) => 15,
            Self::Drop(DropReason::NoMasqueradeAddress) => 16,
            Self::AffinityNew => 17,
            Self::Tries(tries) => 18_u32.wrapping_add(tries.place()),
            Self::Drop(DropReason::SourcePortTaken) => 24,
            Self::Drop(DropReason::UnallocatedClusterIp) => 25,
            Self::Drop(DropReason::UnservedClusterIp) => 26,
            Self::Drop(DropReason::SourceRanges) => 27,
            Self::Drop(DropReason::UntranslatedVip) => 28,
            Self::Path(PathTaken::AnsweredReset) => 29,
            Self::Drop(DropReason::MiddleWithoutFlow) => 30,
            Self::Drop(DropReason::TunnelOfStranger) => 31,
            Self::Drop(DropReason::ForgedSource) => 32,
        }
    }

    /// The counter's name in `status` and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Path(PathTaken::Passed) => "passed",
            Self::Path(PathTaken::Stack) => "stack",
            Self::Path(PathTaken::Peer) => "peer",
            Self::Path(PathTaken::Neighbour) => "neighbour",
            Self::Path(PathTaken::AnsweredTooBig) => "answered_too_big",
            Self::Path(PathTaken::AnsweredUnreachable) => "answered_unreachable",
            Self::Path(PathTaken::AnsweredReset) => "answered_reset",
            Self::Drop(DropReason::FragmentToFrontend) => "drop_fragment_to_frontend",
            Self::Drop(DropReason::NoSourcePort) => "drop_no_source_port",
            Self::Drop(DropReason::FlowTableFull) => "drop_flow_table_full",
            Self::Drop(DropReason::ResetWithoutFlow) => "drop_reset_without_flow",
            Self::Drop(DropReason::RewriteFailed) => "drop_rewrite_failed",
            Self::Drop(DropReason::AnswerFailed) => "drop_answer_failed",
            Self::NewFlow => "new_flow",
            Self::FlowRaceLost => "flow_race_lost",
            Self::Drop(DropReason::NoLocalBackend) => "drop_no_local_backend",
            Self::Drop(DropReason::HairpinWithoutFlow) => "drop_hairpin_without_flow",
            Self::Drop(DropReason::NoMasqueradeAddress) => "drop_no_masquerade_address",
            Self::Drop(DropReason::SourcePortTaken) => "drop_source_port_taken",
            Self::Drop(DropReason::UnallocatedClusterIp) => "drop_unallocated_cluster_ip",
            Self::Drop(DropReason::UnservedClusterIp) => "drop_unserved_cluster_ip",
            Self::Drop(DropReason::SourceRanges) => "drop_source_ranges",
            Self::Drop(DropReason::UntranslatedVip) => "drop_untranslated_vip",
            Self::Drop(DropReason::MiddleWithoutFlow) => "drop_middle_without_flow",
            Self::Drop(DropReason::TunnelOfStranger) => "drop_tunnel_of_stranger",
            Self::Drop(DropReason::ForgedSource) => "drop_forged_source",
            Self::AffinityNew => "affinity_new",
            Self::Tries(Tries::One) => "source_port_tries_1",
            Self::Tries(Tries::Two) => "source_port_tries_2",
            Self::Tries(Tries::Four) => "source_port_tries_4",
            Self::Tries(Tries::Eight) => "source_port_tries_8",
            Self::Tries(Tries::Sixteen) => "source_port_tries_16",
            Self::Tries(Tries::More) => "source_port_tries_more",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_stands_at_its_index() {
        let indexes: Vec<_> = Counter::ALL.iter().map(|counter| counter.index()).collect();
        assert_eq!(indexes, (0..33).collect::<Vec<u32>>());
    }
}
