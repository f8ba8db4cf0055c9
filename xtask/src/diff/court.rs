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

/// Sets all up, has `judge` judge, and takes all down.
pub(super) fn hold<T>(
    artifacts: &Artifacts,
    setting: Setting,
    judge: impl for<'a> FnOnce(&'a mut (dyn Cluster + 'a), Islands<'a>) -> Result<T>,
) -> Result<T> {
    for scope in [Some(Scope::Fetch), setting.scope()].into_iter().flatten() {
        setup::ensure_packages(scope)?;
    }
    let programs = upstream::ensure(&setup::cache()?)?;
    let name = SocketAddr::from_abstract_name(PREFIX)?;
    let _lock = UnixListener::bind_addr(&name).context("another run compares: wait for it")?;
    sweep(PREFIX).context("removing what an earlier run left")?;
    let (folder, logs) = fresh_folders()?;
    let tool = std::env::current_exe().context("finding this program")?;
    let network = Network::start(PREFIX, 0, &tool, &logs, Lifetime::Caller)?;
    let theirs = ground::make(&network, "theirs", 1)?;
    let ours = ground::make(&network, "ours", 2)?;
    let plane = ControlPlane::start(&network, &programs, &folder)?;
    let nodes = places::nodes();
    plane.send(&nodes.map(|node| Request::create("api/v1/nodes", &node)))?;
    let mut theirs = kube_proxy::inhabit(&theirs, &plane, &programs, &folder, setting)?;
    let mut ours = waggle::inhabit(&ours, &plane, artifacts, &folder, setting)?;
    say(&format!("both islands are there; what is said on them is in {}", logs.display()));
    let mut fed = Fed::start(&plane)?;
    judge(&mut fed, [&mut theirs, &mut ours])
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
    namespace: Option<String>,
    state: State,
    sentinel: State,
}

impl<'a> Fed<'a> {
    fn start(plane: &'a ControlPlane<'a>) -> Result<Self> {
        plane.send(&[namespace(sentinel::NAMESPACE)])?;
        let (state, sentinel) = (State::default(), State::default());
        Ok(Self { plane, namespace: None, state, sentinel })
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
    fn show(&mut self, namespace: &str, state: &State, sentinel: Sentinel) -> Result<()> {
        let mut requests = self.moves(namespace);
        requests.extend(changes(namespace, &self.state, state));
        let sentinel = sentinel.state();
        requests.extend(changes(sentinel::NAMESPACE, &self.sentinel, &sentinel));
        self.plane.send(&requests).context("telling the API server of a new state")?;
        (self.state, self.sentinel) = (state.clone(), sentinel);
        Ok(())
    }
}
