//! How pods of other nodes are reached.

use clap::ValueEnum;
use serde::{Deserialize, Deserializer, Serialize, de};

/// Highest number of a network in a tunnel (RFC 7348: 24 bits).
const LAST_VNI: u32 = (1 << 24) - 1;

/// How pods of other nodes are reached.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Deserialize,
    Serialize,
    ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// By a route to the node itself where it is on a link of this one, else through a tunnel.
    Auto,
    /// Through a tunnel.
    Vxlan,
    /// By a route to the node itself, which must be on a link of this one.
    #[default]
    HostGw,
}

/// The tunnel between nodes. All of a cluster have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Vxlan {
    /// Number of the network in it: 1 to 16,777,215.
    #[serde(deserialize_with = "vni")]
    pub vni: u32,
    /// UDP port that nodes listen at, not 0.
    #[serde(deserialize_with = "port")]
    pub port: u16,
}

/// As flannel's, whose port is the one that Linux had before there was a standard (RFC 7348 has 4789).
impl Default for Vxlan {
    fn default() -> Self {
        Self { vni: 1, port: 8472 }
    }
}

fn vni<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        vni @ 1..=LAST_VNI => Ok(vni),
        vni => Err(de::Error::custom(format!("{vni} is no VNI: write 1 to {LAST_VNI}"))),
    }
}

fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    match u16::deserialize(deserializer)? {
        0 => Err(de::Error::custom("0 is no port to listen at: write 1 to 65535")),
        port => Ok(port),
    }
}
