//! Where the judge sits: one API server, and the two islands that follow it.

use std::{
    fs,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener},
    },
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use xtask::{
    cluster::{ControlPlane, Request},
    topology::{Lifetime, Network, sweep},
};

use super::{
    feed::{changes, namespace},
    island::{ground, kube_proxy, waggle},
    judge::{Cluster, Islands},
    places,
    sentinel::{self, Sentinel},
    setting::Setting,
    state::State,
};
use crate::{
    progress::say,
    setup::{self, Scope},
    upstream,
    workspace::{self, Artifacts},
};

/// Begins the name of everything that is made on the machine.
const PREFIX: &str = "waggle-diff";

/// An API server, with room for islands.
pub(super) struct Court<'a> {
    network: &'a Network,
    programs: PathBuf,
    artifacts: &'a Artifacts,
    folder: PathBuf,
    fed: Fed<'a>,
    sittings: u8,
}

/// Sets up what no setting changes, has `judge` judge, and takes all down.
pub(super) fn hold<T>(
    artifacts: &Artifacts,
    judge: impl FnOnce(&mut Court<'_>) -> Result<T>,
) -> Result<T> {
    setup::ensure_packages(Scope::Fetch)?;
    let programs = upstream::ensure(&setup::cache()?)?;
    let name = SocketAddr::from_abstract_name(PREFIX)?;
    let _lock = UnixListener::bind_addr(&name).context("another run compares: wait for it")?;
    sweep(PREFIX).context("removing what an earlier run left")?;
    let (folder, logs) = fresh_folders()?;
    let tool = std::env::current_exe().context("finding this program")?;
    let network = Network::start(PREFIX, 0, &tool, &logs, Lifetime::Caller)?;
    let plane = ControlPlane::start(&network, &programs, &folder)?;
    let nodes = places::nodes();
    plane.send(&nodes.map(|node| Request::create("api/v1/nodes", &node)))?;
    waggle::allow(&plane)?;
    say(&format!("what is said on both islands is in {}", logs.display()));
    let fed = Fed::start(&plane)?;
    judge(&mut Court { network: &network, programs, artifacts, folder, fed, sittings: 0 })
}

impl Court<'_> {
    /// Makes both islands by a setting, has `judge` judge them, and ends them.
    pub(super) fn sit<T>(
        &mut self,
        setting: Setting,
        judge: impl for<'a> FnOnce(&'a mut (dyn Cluster + 'a), Islands<'a>) -> Result<T>,
    ) -> Result<T> {
        setting.scope().map_or(Ok(()), setup::ensure_packages)?;
        self.sittings += 1;
        let Self { network, programs, artifacts, folder, fed, sittings } = self;
        let site = |name: &str, number| {
            ground::make(network, &format!("{name}-{sittings}"), 2 * *sittings - number)
        };
        let (theirs, ours) = (site("theirs", 1)?, site("ours", 0)?);
        let mut theirs = kube_proxy::inhabit(&theirs, fed.plane, programs, folder, setting)?;
        let mut ours = waggle::inhabit(&ours, fed.plane, artifacts, folder, setting)?;
        fed.move_node()?;
        judge(fed, [&mut theirs, &mut ours])
    }
}

/// One that goes with the control plane, and one of logs, which stays.
fn fresh_folders() -> Result<(PathBuf, PathBuf)> {
    let all = workspace::target().join("diff");
    drop(fs::remove_dir_all(&all));
    let (folder, logs): (PathBuf, PathBuf) = (all.join("control"), all.join("logs"));
    for made in [&folder, &logs] as [&Path; 2] {
        fs::create_dir_all(made).with_context(|| format!("making {}", made.display()))?;
    }
    Ok((folder, logs))
}

/// An API server with all that it was told.
struct Fed<'a> {
    plane: &'a ControlPlane<'a>,
    /// How many namespaces there were; each is named by its number.
    namespaces: u32,
    /// The one that has the state.
    namespace: Option<String>,
    state: State,
    /// How many states there were.
    shown: u32,
    sentinel: State,
}

impl<'a> Fed<'a> {
    fn start(plane: &'a ControlPlane<'a>) -> Result<Self> {
        plane.send(&[namespace(sentinel::NAMESPACE)])?;
        let (state, sentinel) = (State::default(), State::default());
        Ok(Self { plane, namespaces: 0, namespace: None, state, shown: 0, sentinel })
    }

    /// Has the node under test go to another zone and come back. When kube-proxy 1.36 starts it may
    /// be told of its zone before its proxier listens, and then it heeds no hint until that changes.
    fn move_node(&self) -> Result<()> {
        let path = format!("api/v1/nodes/{}", places::NODE);
        let zones = [places::OTHER_ZONE, places::ZONE];
        let moves = zones.map(|zone| Request::replace(&path, &places::node_under_test(zone)));
        self.plane.send(&moves)
    }

    /// What leaves the namespace that there is, if it is another one, and makes the new one.
    fn moves(&mut self, to: &str) -> Vec<Request> {
        let mut requests = Vec::new();
        if let Some(from) = self.namespace.replace(to.to_owned()) {
            if from == to {
                return requests;
            }
            requests = changes(&from, &self.state, &State::default());
        }
        self.state = State::default();
        requests.push(namespace(to));
        requests
    }
}

impl Cluster for Fed<'_> {
    fn begin(&mut self) {
        self.namespaces += 1;
    }

    fn show(&mut self, state: &State) -> Result<Sentinel> {
        let namespace = format!("diff-{}", self.namespaces);
        let mut requests = self.moves(&namespace);
        requests.extend(changes(&namespace, &self.state, state));
        self.shown += 1;
        let sentinel = Sentinel::new(self.shown);
        requests.extend(changes(sentinel::NAMESPACE, &self.sentinel, &sentinel.state()));
        self.plane.send(&requests).context("telling the API server of a new state")?;
        (self.state, self.sentinel) = (state.clone(), sentinel.state());
        Ok(sentinel)
    }
}
