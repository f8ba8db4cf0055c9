//! What is judged at once: one ServicePort in one state.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use super::{
    feature::Profile,
    flows::flows,
    frontends::{Frontend, Role, frontends},
    probe::{Probe, Protocol, Sender},
    state::State,
};

/// A ServicePort with all by which it can be tried in its state, or could be in the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) service: String,
    pub(super) port: String,
    pub(super) protocol: Protocol,
    pub(super) frontends: BTreeSet<Frontend>,
    endpoints: BTreeSet<SocketAddr>,
}

/// One probe of a case, and what it is aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shot {
    pub(super) role: Role,
    pub(super) probe: Probe,
}

type Ports = BTreeMap<(String, String, Protocol), Case>;

/// A case for each ServicePort of which anything differs between two states, or which has gone.
pub(super) fn cases(before: &State, after: &State) -> Vec<Case> {
    let is_same = |service: &str| {
        before.services.get(service) == after.services.get(service)
            && before.slices_of(service).eq(after.slices_of(service))
    };
    let mut found = ports(after);
    for (key, gone) in ports(before) {
        let case = found.entry(key).or_insert_with(|| Case {
            frontends: BTreeSet::new(),
            endpoints: BTreeSet::new(),
            ..gone.clone()
        });
        case.frontends.extend(gone.frontends);
    }
    found.into_values().filter(|case| !is_same(&case.service)).collect()
}

fn ports(state: &State) -> Ports {
    let mut ports = Ports::new();
    for (name, service) in &state.services {
        for port in &service.spec.ports {
            let case = Case {
                service: name.clone(),
                port: port.name.clone(),
                protocol: port.protocol,
                frontends: frontends(service, port),
                endpoints: state.endpoints(name, &port.name, port.protocol),
            };
            ports.insert((name.clone(), port.name.clone(), port.protocol), case);
        }
    }
    ports
}

impl Case {
    /// Every frontend from every sender.
    pub(super) fn shots(&self, profile: &Profile) -> Vec<Shot> {
        let tried = self.frontends.iter().filter(|frontend| profile.tries(frontend.role));
        tried.flat_map(|frontend| Sender::ALL.map(|sender| self.shot(*frontend, sender))).collect()
    }

    /// Whether it is of the same ServicePort.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let of = |case: &Self| (case.service.clone(), case.port.clone(), case.protocol);
        of(self) == of(other)
    }

    fn shot(&self, frontend: Frontend, sender: Sender) -> Shot {
        let Frontend { role, at: to } = frontend;
        let like = |endpoint: &&SocketAddr| endpoint.is_ipv4() == to.is_ipv4();
        let flows = flows(self.endpoints.iter().filter(like).count());
        Shot { role, probe: Probe { sender, to, protocol: self.protocol, flows } }
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { service, port, protocol, frontends: _, endpoints: _ } = self;
        write!(f, "{service}:{port}/{}", protocol.name())
    }
}
