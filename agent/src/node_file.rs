//! `node.json` in the run directory: what the CNI plugin must know of this node.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnetwork::IpNetwork;
use serde::Serialize;

use crate::config::Attach;
use crate::whole_file;

const NAME: &str = "node.json";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The content of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeFile {
    /// The kernel's identifier of this boot: leases of another one are void.
    pub boot_id: String,
    /// Where addresses of this node's pods come from.
    #[serde(rename = "podCIDRs")]
    pub pod_cidrs: Vec<IpNetwork>,
    /// MTU for links of pods: that of the uplink.
    pub mtu: u32,
    /// The node's own addresses.
    #[serde(rename = "nodeIPs")]
    pub node_ips: Vec<IpAddr>,
    /// How programs are attached to devices.
    pub attach: Attach,
}

impl NodeFile {
    /// Puts this in place of the file in `run_dir`.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, run_dir: &Path) -> io::Result<()> {
        whole_file::replace(&path(run_dir), &serde_json::to_vec(self)?)
    }
}

/// The file in `run_dir`.
#[must_use]
pub fn path(run_dir: &Path) -> PathBuf {
    run_dir.join(NAME)
}

/// The kernel's identifier of this boot.
///
/// # Errors
/// When /proc is not there.
pub fn boot_id() -> io::Result<String> {
    std::fs::read_to_string(BOOT_ID).map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_the_names_that_the_plugin_reads() {
        let folder = tempfile::tempdir().unwrap();
        let node = NodeFile {
            boot_id: "b".to_owned(),
            pod_cidrs: vec!["10.1.1.0/24".parse().unwrap(), "fd01:1::/64".parse().unwrap()],
            mtu: 1500,
            node_ips: vec!["192.0.2.1".parse().unwrap()],
            attach: Attach::Clsact,
        };
        node.write(folder.path()).unwrap();
        assert_eq!(
            std::fs::read_to_string(folder.path().join(NAME)).unwrap(),
            concat!(
                r#"{"bootId":"b","podCIDRs":["10.1.1.0/24","fd01:1::/64"],"mtu":1500,"#,
                r#""nodeIPs":["192.0.2.1"],"attach":"clsact"}"#
            )
        );
    }
}
