//! The store below the API server, heard by nobody else.

use std::path::Path;

use anyhow::Result;

use crate::topology::{Network, Process};

/// Where the API server finds it.
pub(super) const URL: &str = "http://127.0.0.1:2379";

const PEER_URL: &str = "http://127.0.0.1:2380";

/// Starts it, empty.
pub(super) fn start(network: &Network, programs: &Path, folder: &Path) -> Result<Process> {
    let data = folder.join("etcd");
    let arguments = [
        format!("--data-dir={}", data.display()),
        format!("--listen-client-urls={URL}"),
        format!("--advertise-client-urls={URL}"),
        format!("--listen-peer-urls={PEER_URL}"),
        format!("--initial-advertise-peer-urls={PEER_URL}"),
        format!("--initial-cluster=default={PEER_URL}"),
        // Nothing here is to survive a loss of power.
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ];
    network.start_beside(&programs.join("etcd"), &arguments, "etcd")
}
