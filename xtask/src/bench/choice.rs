//! What can be asked of the bench by name.

use clap::{ValueEnum, builder::PossibleValue};

use super::metric::{self, Metric};

/// A metric of packets, or all that is measured of an agent's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// One that has windows.
    Windows(Metric),
    /// Time and memory of an agent's start.
    AgentStart,
}

/// All of them.
static ALL: [Choice; 7] = {
    let mut all = [Choice::AgentStart; 7];
    let mut index = 0;
    while index < metric::ALL.len() {
        all[index] = Choice::Windows(metric::ALL[index]);
        index += 1;
    }
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
        }
    }
}
