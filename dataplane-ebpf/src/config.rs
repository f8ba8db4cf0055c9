//! What the loader tells the programs, in read-only data.

use aya_ebpf::Global;
use dataplane_common::abi::{Delivery, NodeConfig};

/// Named as `dataplane_common::abi::names::CONFIG`.
#[unsafe(no_mangle)]
static CONFIG: Global<NodeConfig> = Global::new(NodeConfig::new(Delivery::Bypass));

#[inline(always)]
pub(crate) fn config() -> NodeConfig {
    CONFIG.load()
}
