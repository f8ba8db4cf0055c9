//! `state.json` in the run directory: what the agent last did, for those who ask without it.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::adoption::Adoption;
use crate::config::{Attach, Delivery};
use crate::engine::ServiceRow;
use crate::kube::Health;
use crate::loader::HostClients;
use crate::network::{Addresses, Device};
use crate::problem::Problem;
use crate::whole_file;

const NAME: &str = "state.json";

/// The content of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// The node's name.
    pub node: String,
    /// Where objects come from.
    pub source: String,
    /// How it stands with the source, where it is an API server.
    pub api: Option<Health>,
    /// When the agent started, as RFC 3339 has it.
    pub started: String,
    /// When the tables last became what objects want; none before the first time.
    pub last_sync: Option<String>,
    /// Whether everything in the source could be read at least once, so that what is not in it is
    /// gone.
    pub complete: bool,
    /// Elements of the Services' tables that were written or deleted since the start.
    pub writes: usize,
    /// How translated flows are delivered.
    pub delivery: Delivery,
    /// How programs are to be attached.
    pub attach: Attach,
    /// How processes of the node are clients.
    pub host_clients: HostClients,
    /// The devices that are served.
    pub devices: Vec<Device>,
    /// The node's addresses by what they are for.
    pub addresses: Addresses,
    /// Whether another proxy's flows are left alone.
    pub adoption: Adoption,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// What is served.
    pub services: Vec<ServiceRow>,
}

impl State {
    /// Puts this in place of the file in `run_dir`.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, run_dir: &Path) -> io::Result<()> {
        whole_file::replace(&Self::path(run_dir), &serde_json::to_vec(self)?)
    }

    /// The file in `run_dir`, if there is one.
    ///
    /// # Errors
    /// When it cannot be read or is of another version.
    pub fn read(run_dir: &Path) -> io::Result<Option<Self>> {
        match std::fs::read(run_dir.join(NAME)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read
                .and_then(|read| Ok(serde_json::from_slice(&read)?))
                .map_err(|error| unreadable(run_dir, &error)),
        }
    }

    /// The file's path.
    #[must_use]
    pub fn path(run_dir: &Path) -> PathBuf {
        run_dir.join(NAME)
    }
}

fn unreadable(run_dir: &Path, error: &io::Error) -> io::Error {
    let (file, kind) = (run_dir.join(NAME), error.kind());
    let remedy = match kind {
        io::ErrorKind::PermissionDenied => "run as root",
        _ => "an agent of another version may have written it: start `waggle agent` of this one",
    };
    io::Error::new(kind, format!("{} cannot be read: {error}; {remedy}", file.display()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::devices::Class;
    use crate::engine::{BackendRow, FrontendRow};

    pub(in crate::status) fn state() -> State {
        State {
            node: "a".to_owned(),
            source: "/manifests".to_owned(),
            api: None,
            started: "2026-01-01T00:00:00Z".to_owned(),
            last_sync: None,
            complete: true,
            writes: 7,
            delivery: Delivery::Stack,
            attach: Attach::Auto,
            host_clients: HostClients::default(),
            devices: vec![Device { device: "eth0".to_owned(), mtu: 1500, class: Class::Uplink }],
            addresses: Addresses::default(),
            adoption: Adoption::default(),
            problems: vec![Problem::error("Node b", "is far")],
            services: vec![ServiceRow {
                namespace: "shop".to_owned(),
                name: "cart".to_owned(),
                port: "http".to_owned(),
                protocol: "TCP".to_owned(),
                family: "IPv4".to_owned(),
                r#type: "ClusterIP".to_owned(),
                frontends: vec![FrontendRow {
                    address: "10.96.0.1:80/TCP".to_owned(),
                    kind: "clusterIP".to_owned(),
                    traffic_policy: "Cluster".to_owned(),
                    keep_client_ip: false,
                }],
                affinity_seconds: None,
                backends: vec![BackendRow {
                    address: "10.1.1.2:8080".parse().unwrap(),
                    state: "active".to_owned(),
                    scopes: vec!["cluster".to_owned()],
                }],
                failure: None,
            }],
        }
    }

    #[test]
    fn the_file_is_read_as_it_was_written_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(State::read(folder.path()).unwrap(), None);
        state().write(folder.path()).unwrap();
        assert_eq!(State::read(folder.path()).unwrap(), Some(state()));
        std::fs::remove_file(State::path(folder.path())).unwrap();
        assert_eq!(State::read(folder.path()).unwrap(), None);
    }

    #[test]
    fn a_file_of_another_version_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(NAME), "{}").unwrap();
        let error = State::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("/state.json cannot be read: "), "{error}");
        assert!(error.contains("an agent of another version"), "{error}");
    }
}
