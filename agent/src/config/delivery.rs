//! How packets of translated flows go on, and where the programs that see to it hang.

use dataplane_common::abi;
use hostnet::hook::Choice;
use serde::{Deserialize, Serialize};

/// How packets of translated flows reach their next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// Redirected at the first hook, past the host's stack and its netfilter.
    #[default]
    Bypass,
    /// Routed by the host's stack.
    Stack,
}

impl Delivery {
    /// The mode's name, as the file has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Stack => "stack",
        }
    }
}

impl From<Delivery> for abi::Delivery {
    fn from(delivery: Delivery) -> Self {
        match delivery {
            Delivery::Bypass => Self::Bypass,
            Delivery::Stack => Self::Stack,
        }
    }
}

/// How programs are attached to devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Attach {
    /// By TCX where the kernel has it, else as filters.
    #[default]
    Auto,
    /// As filters of the device's clsact queueing discipline.
    Clsact,
}

impl From<Attach> for Choice {
    fn from(attach: Attach) -> Self {
        match attach {
            Attach::Auto => Self::Best,
            Attach::Clsact => Self::Filter,
        }
    }
}
