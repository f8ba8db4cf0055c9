//! What a node's kernel holds that a restart must neither change nor lose.

use std::{collections::BTreeMap, fmt::Debug};

use anyhow::Result;
use aya::maps::{Array, HashMap, LpmTrie, Map, MapData};
use dataplane_common::abi::{Affinity, AffinityKey, Link, Network, Node, names};
use hostnet::Pins;
use waggle_agent::maps::{dump::dump, kernel::KernelMaps};

/// Tables of a node that are not its flows.
#[derive(Debug, PartialEq, Eq)]
pub struct Tables {
    /// Services, slots and backends, identifiers included.
    services: String,
    node: Node,
    networks: BTreeMap<String, Network>,
    links: BTreeMap<u32, Link>,
    /// The backend that each client is held to.
    affinities: BTreeMap<String, u32>,
}

impl Tables {
    /// What is pinned.
    ///
    /// # Errors
    /// When a table is not pinned or cannot be read.
    pub fn of(pins: &Pins) -> Result<Self> {
        let map = |name| MapData::from_pin(pins.map(name));
        let node: Array<_, Node> = Map::Array(map(names::NODE)?).try_into()?;
        let networks: LpmTrie<_, [u8; 16], Network> =
            Map::LpmTrie(map(names::NETWORKS)?).try_into()?;
        let links: HashMap<_, u32, Link> = Map::HashMap(map(names::LINKS)?).try_into()?;
        let affinities: HashMap<_, AffinityKey, Affinity> =
            Map::LruHashMap(map(names::AFFINITIES)?).try_into()?;
        let network = |entry: Result<(aya::maps::lpm_trie::Key<_>, Network), _>| {
            entry.map(|(key, network)| (format!("{:x?}/{}", key.data(), key.prefix_len()), network))
        };
        let affinity = |entry: Result<(AffinityKey, Affinity), _>| {
            entry.map(|(key, held)| (text(key), held.slot.backend.0))
        };
        Ok(Self {
            services: dump(&KernelMaps::open(pins)?)?,
            node: node.get(&0, 0)?,
            networks: networks.iter().map(network).collect::<Result<_, _>>()?,
            links: links.iter().collect::<Result<_, _>>()?,
            affinities: affinities.iter().map(affinity).collect::<Result<_, _>>()?,
        })
    }
}

fn text(key: impl Debug) -> String {
    format!("{key:?}")
}
