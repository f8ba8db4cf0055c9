//! STATUS: whether ADD would succeed. Runtimes ask often and wait without a limit, so it looks at
//! files alone.

use std::time::Duration;

use crate::node::Node;
use crate::plugin::Plugin;
use crate::protocol::{Code, Error};

/// How long to wait for others who hold the store's lock: they are at work, which is a good sign.
const PATIENCE: Duration = Duration::from_secs(1);

/// Says whether the network is ready.
///
/// # Errors
/// What is missing.
pub(crate) fn run(plugin: &Plugin<'_>) -> Result<(), Error> {
    Node::read(&plugin.config.run_dir, &plugin.boot_id).map_err(unavailable)?;
    plugin.datapath.require().map_err(unavailable)?;
    plugin.store.lock(PATIENCE).map(drop).map_err(|error| unavailable(error.into()))
}

fn unavailable(error: Error) -> Error {
    Error { code: Code::Unavailable, ..error }
}
