//! What can be asked of the bench by name.

use clap::{ValueEnum, builder::PossibleValue};

use super::metric::{self, Metric};

/// A metric of packets, or all that is measured of something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// One that has windows.
    Windows(Metric),
    /// Time and memory of an agent's start.
    AgentStart,
    /// Connecting and disconnecting pods.
    Cni,
    /// The ways to many other nodes.
    Nodes,
    /// All metrics of packets between pods themselves.
    Pods,
}

/// All of them.
static ALL: [Choice; metric::ALL.len() + 4] = {
    let mut all = [Choice::AgentStart; metric::ALL.len() + 4];
    let mut index = 0;
    while index < metric::ALL.len() {
        all[index] = Choice::Windows(metric::ALL[index]);
        index += 1;
    }
    all[index] = Choice::Cni;
    all[index + 1] = Choice::Nodes;
    all[index + 2] = Choice::Pods;
    all
};

impl ValueEnum for Choice {
    fn value_variants<'a>() -> &'a [Self] {
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::Windows(metric) => Some(PossibleValue::new(metric.name())),
            Self::AgentStart => Some(PossibleValue::new("agent_start")),
            Self::Cni => Some(PossibleValue::new("cni")),
            Self::Nodes => Some(PossibleValue::new("nodes")),
            Self::Pods => Some(PossibleValue::new("pod_to_pod")),
        }
    }
}
