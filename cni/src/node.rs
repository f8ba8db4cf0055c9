//! The node as the agent describes it in `node.json`, and the identifier of this boot.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use hostnet::Cause;
use hostnet::hook::Choice;
use ipnetwork::IpNetwork;
use serde::Deserialize;

use crate::protocol::{Code, Error};

const NAME: &str = "node.json";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What the plugin must know of its node.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Node {
    /// The boot this was written in.
    pub(crate) boot_id: String,
    /// Where pods' addresses come from.
    #[serde(rename = "podCIDRs")]
    pub(crate) pod_cidrs: Vec<IpNetwork>,
    /// MTU of pods' links.
    pub(crate) mtu: u32,
    /// The node's own addresses.
    #[serde(rename = "nodeIPs")]
    pub(crate) node_ips: Vec<IpAddr>,
    /// How the agent attaches programs.
    #[serde(default)]
    pub(crate) attach: Attach,
}

/// How programs are attached to devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Attach {
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

impl Node {
    /// Reads the file of this boot.
    ///
    /// # Errors
    /// When the agent has not written it yet, or it cannot be understood.
    pub(crate) fn read(run_dir: &Path, boot_id: &str) -> Result<Self, Error> {
        let path = run_dir.join(NAME);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let details =
                    format!("{} is not there: start the agent (waggle agent)", path.display());
                return Err(not_yet(details));
            }
            other => other.map_err(|error| unreadable(&path, &Cause::from(error).to_string()))?,
        };
        let node: Self =
            serde_json::from_slice(&text).map_err(|error| unreadable(&path, &error.to_string()))?;
        if node.boot_id != boot_id {
            let details = format!("{} is of an earlier boot: start the agent", path.display());
            return Err(not_yet(details));
        }
        Ok(node)
    }

    /// The ranges of families that the host has.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn usable_ranges(&self, has_ipv6: bool) -> Result<Vec<IpNetwork>, Error> {
        if self.pod_cidrs.is_empty() {
            let details =
                "the cluster has given this node no podCIDR: set spec.podCIDRs of the Node";
            return Err(not_yet(details.into()));
        }
        let usable = |range: &&IpNetwork| range.is_ipv4() || has_ipv6;
        let ranges: Vec<_> = self.pod_cidrs.iter().filter(usable).copied().collect();
        if ranges.is_empty() {
            let details = "its podCIDRs are of IPv6 alone, and the host has no IPv6: switch it on, \
                           or give the Node a range of IPv4";
            return Err(not_yet(details.into()));
        }
        Ok(ranges)
    }
}

/// The kernel's identifier of this boot.
///
/// # Errors
/// When `/proc` is not mounted.
pub(crate) fn boot_id() -> Result<String, Error> {
    let text = fs::read_to_string(BOOT_ID);
    let text =
        text.map_err(|error| unreadable(Path::new(BOOT_ID), &Cause::from(error).to_string()))?;
    Ok(text.trim().to_owned())
}

fn not_yet(details: String) -> Error {
    Error::new(Code::TryAgain, "the node's network is not ready").details(details)
}

fn unreadable(path: &Path, cause: &str) -> Error {
    Error::new(Code::Io, format!("failed to read {}", path.display())).details(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: Option<&str>) -> Result<Node, Code> {
        let folder = tempfile::tempdir().unwrap();
        if let Some(content) = content {
            fs::write(folder.path().join(NAME), content).unwrap();
        }
        Node::read(folder.path(), "b").map_err(|error| error.code)
    }

    #[test]
    fn the_agents_file_is_understood() {
        let text = r#"{"bootId":"b","podCIDRs":["10.1.1.0/24","fd01:1::/64"],"mtu":1500,"nodeIPs":["192.0.2.1"],"later":1}"#;
        let expected = Node {
            boot_id: "b".into(),
            pod_cidrs: vec!["10.1.1.0/24".parse().unwrap(), "fd01:1::/64".parse().unwrap()],
            mtu: 1500,
            node_ips: vec!["192.0.2.1".parse().unwrap()],
            attach: Attach::Auto,
        };
        assert_eq!(read(Some(text)), Ok(expected.clone()));
        let text = text.replace(r#""later":1"#, r#""attach":"clsact""#);
        assert_eq!(read(Some(&text)), Ok(Node { attach: Attach::Clsact, ..expected }));
    }

    #[test]
    fn ranges_are_of_families_that_the_host_has() {
        let range = |text: &str| text.parse::<IpNetwork>().unwrap();
        let (v4, v6) = (range("10.1.1.0/24"), range("fd01:1::/64"));
        for (pod_cidrs, has_ipv6, expected) in [
            (vec![v4, v6], true, Ok(vec![v4, v6])),
            (vec![v4, v6], false, Ok(vec![v4])),
            (vec![v6], true, Ok(vec![v6])),
            (vec![v6], false, Err(Code::TryAgain)),
            (vec![], true, Err(Code::TryAgain)),
        ] {
            let text = r#"{"bootId":"b","podCIDRs":["10.1.1.0/24"],"mtu":1500,"nodeIPs":[]}"#;
            let node = Node { pod_cidrs: pod_cidrs.clone(), ..read(Some(text)).unwrap() };
            let found = node.usable_ranges(has_ipv6).map_err(|error| error.code);
            assert_eq!(found, expected, "{pod_cidrs:?} {has_ipv6}");
        }
    }

    #[test]
    fn a_node_that_is_not_ready_asks_to_try_again() {
        for content in
            [None, Some(r#"{"bootId":"a","podCIDRs":["10.1.1.0/24"],"mtu":1500,"nodeIPs":[]}"#)]
        {
            assert_eq!(read(content), Err(Code::TryAgain), "{content:?}");
        }
        assert_eq!(read(Some("half")), Err(Code::Io));
    }
}
