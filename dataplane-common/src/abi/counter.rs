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
    /// A TCP segment that resets a flow nobody knows.
    ResetWithoutFlow,
    /// The packet could not be rewritten.
    RewriteFailed,
    /// An ICMP error could not be built.
    AnswerFailed,
    /// The traffic policy is Local and no backend is.
    NoLocalBackend,
    /// A packet to the hairpin's stand-in whose flow nobody knows.
    HairpinWithoutFlow,
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
}

impl Counter {
    /// Every counter, in the order of its index.
    pub const ALL: [Self; 16] = [
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_stands_at_its_index() {
        let indexes: Vec<_> = Counter::ALL.iter().map(|counter| counter.index()).collect();
        assert_eq!(indexes, (0..16).collect::<Vec<u32>>());
    }
}
