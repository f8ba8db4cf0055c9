//! STATUS: whether ADD would succeed. Runtimes ask often and wait without a limit, so it looks at
//! files alone.

use std::time::Duration;

use hostnet::sysctl;

use crate::ipam::StoreError;
use crate::node::Node;
use crate::plugin::Plugin;
use crate::protocol::{Code, Error};

/// Says whether the network is ready.
///
/// # Errors
/// What is missing.
pub(crate) fn run(plugin: &Plugin<'_>) -> Result<(), Error> {
    let node = Node::read(&plugin.config.run_dir, &plugin.boot_id).map_err(unavailable)?;
    node.usable_ranges(sysctl::has_ipv6()).map_err(unavailable)?;
    plugin.datapath.require().map_err(unavailable)?;
    match plugin.store.lock(Duration::ZERO) {
        // Others are at work, which is a good sign.
        Ok(_) | Err(StoreError::Busy { .. }) => Ok(()),
        Err(error) => Err(unavailable(error.into())),
    }
}

fn unavailable(error: Error) -> Error {
    Error { code: Code::Unavailable, ..error }
}
