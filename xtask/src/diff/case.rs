//! What is judged at once: one ServicePort in one state.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use super::{
    admission::Admission,
    compare::{agree, stay},
    feature::Profile,
    flows::flows,
    frontends::{Frontend, Role, frontends},
    probe::{Outcome, Probe, Protocol, Sender},
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
    is_sticky: bool,
    ranges: Vec<String>,
}

/// One probe of a case, and what it is aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shot {
    pub(super) role: Role,
    pub(super) probe: Probe,
    /// Whether its clients are to stay with their backend.
    pub(super) is_sticky: bool,
    /// Whom its Service lets in, if its frontend is a load balancer's.
    pub(super) admission: Admission,
}

type Ports = BTreeMap<(String, String, Protocol), Case>;

/// A case for each ServicePort of which anything differs between two states, or which has gone.
/// What was its own address is then one of nobody, or of a Service that has the port no more.
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
        let left = gone.frontends.into_iter().filter(|it| !case.frontends.contains(it));
        let left: Vec<Frontend> = left.map(|it| without_port(it, after)).collect();
        case.frontends.extend(left);
    }
    found.into_values().filter(|case| !is_same(&case.service)).collect()
}

fn without_port(frontend: Frontend, state: &State) -> Frontend {
    let Frontend { role, at } = frontend;
    let ours = state.services.values().filter(|service| !service.is_anothers());
    let mut addresses = ours.flat_map(|service| service.spec.addresses());
    let role = match role {
        Role::ClusterIp if addresses.any(|address| address == at.ip()) => Role::OtherPort,
        Role::ClusterIp => Role::Unallocated,
        Role::OtherPort if !addresses.any(|address| address == at.ip()) => Role::Unallocated,
        role => role,
    };
    Frontend { role, at }
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
                is_sticky: service.spec.is_sticky(),
                ranges: service.spec.load_balancer_source_ranges.clone(),
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
        let senders = |role| match role {
            Role::LocalhostNodePort => &[Sender::OwnNode][..],
            _ => &Sender::ALL,
        };
        let shots = |frontend: &Frontend| {
            let frontend = *frontend;
            senders(frontend.role).iter().map(move |sender| self.shot(frontend, *sender))
        };
        tried.flat_map(shots).collect()
    }

    /// Whether two outcomes of one of its shots are the same answer.
    pub(super) fn agrees(&self, shot: &Shot, theirs: &Outcome, ours: &Outcome) -> bool {
        match shot.is_sticky {
            true => stay(theirs, ours, &self.endpoints),
            false => agree(theirs, ours),
        }
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
        let probe = Probe { sender, to, protocol: self.protocol, flows };
        let admission = Admission::of(&self.ranges, sender, to.ip());
        Shot { role, probe, is_sticky: self.is_sticky, admission }
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { service, port, protocol, .. } = self;
        write!(f, "{service}:{port}/{}", protocol.name())
    }
}

#[cfg(test)]
mod tests {
    use super::{Role, cases};
    use crate::diff::{
        probe::Protocol,
        service::{Metadata, Port, Service},
        state::State,
    };

    fn state(services: &[(&str, &str, &[u16])]) -> State {
        let mut state = State::default();
        for (name, address, ports) in services {
            let metadata = Metadata { name: (*name).to_owned(), ..Metadata::default() };
            let mut service = Service { metadata, ..Service::default() };
            service.spec.set_addresses(&[address.parse().unwrap()]);
            let port = |port: &u16| Port {
                name: format!("p{port}"),
                protocol: Protocol::Tcp,
                port: *port,
                node_port: None,
            };
            service.spec.ports = ports.iter().map(port).collect();
            state.set_service(service);
        }
        state
    }

    #[test]
    fn what_has_gone_is_tried_as_what_it_has_become() {
        let before = state(&[
            ("a", "10.96.1.1", &[80]),
            ("b", "10.96.1.2", &[80, 81]),
            ("c", "10.96.1.3", &[80]),
        ]);
        let after = state(&[("b", "10.96.1.2", &[81]), ("c", "10.96.1.3", &[80])]);
        let found: Vec<_> = cases(&before, &after)
            .iter()
            .flat_map(|case| {
                let of = |it: &super::Frontend| (case.to_string(), it.role, it.at.to_string());
                case.frontends.iter().map(of).collect::<Vec<_>>()
            })
            .filter(|(_, _, at)| ["10.96.1.1:80", "10.96.1.2:80", "10.96.1.2:81"].contains(&&**at))
            .collect();
        let row = |case: &str, role, at: &str| (case.to_owned(), role, at.to_owned());
        assert_eq!(
            found,
            [
                row("a:p80/TCP", Role::Unallocated, "10.96.1.1:80"),
                row("b:p80/TCP", Role::OtherPort, "10.96.1.2:80"),
                row("b:p81/TCP", Role::ClusterIp, "10.96.1.2:81"),
            ]
        );
    }
}
