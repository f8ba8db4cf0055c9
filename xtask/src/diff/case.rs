//! What is judged at once: one ServicePort in one state.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use super::{
    admission::Admission,
    claims::{Claims, ServicePort},
    compare::{agree, resemble, stay},
    feature::Profile,
    flows::{FEW, flows},
    frontends::{Frontend, Role, frontends},
    origins::places,
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
    /// Those that other Services name too, and another of the kind that they do not.
    contested: BTreeMap<SocketAddr, Option<SocketAddr>>,
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
    /// Whether it has endpoints, and all of them listen at other ports.
    pub(super) is_renumbered: bool,
    /// If other Services name the frontend too, another one of the kind that they do not.
    pub(super) alone: Option<SocketAddr>,
}

type Ports = BTreeMap<ServicePort, Case>;

/// A case for each ServicePort of which anything differs between two states, or which has gone, or
/// which has what such a one names or named. What was its own address is then one of nobody, or of
/// a Service that has the port no more.
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
        let is_there = |it: &Frontend| case.frontends.iter().any(|there| there.at == it.at);
        let left = gone.frontends.into_iter().filter(|it| !is_there(it));
        let left: Vec<Frontend> = left.map(|it| without_port(it, after)).collect();
        case.frontends.extend(left);
    }
    let claims = Claims::of(after);
    let (mut changed, mut owners) = (BTreeSet::new(), BTreeSet::new());
    for (key, case) in &mut found {
        let anothers = case.leave_to_owners(key, &claims);
        if !is_same(&case.service) {
            changed.insert(key.clone());
            owners.extend(anothers);
        }
    }
    changed.extend(owners);
    found.into_iter().filter(|(key, _)| changed.contains(key)).map(|(_, case)| case).collect()
}

fn without_port(frontend: Frontend, state: &State) -> Frontend {
    let Frontend { role, at } = frontend;
    let ours = state.services.values().filter(|service| !service.is_anothers());
    let mut addresses = ours.flat_map(|service| service.spec.addresses());
    let role = match role {
        Role::ClusterIp | Role::OtherPort | Role::Unallocated => {
            let is_one = addresses.any(|address| address == at.ip());
            if is_one { Role::OtherPort } else { Role::Unallocated }
        }
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
                contested: BTreeMap::new(),
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
        // Without another one of the kind nothing tells what the owner would do.
        let is_told = |it: &&Frontend| self.contested.get(&it.at) != Some(&None);
        let tried = self.frontends.iter().filter(is_told);
        let tried = tried.filter(|frontend| profile.tries(frontend.role));
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
        let Probe { sender, to, .. } = shot.probe;
        if shot.is_sticky {
            stay(theirs, ours, &self.endpoints)
        } else if self.endpoints_like(to).count() > FEW {
            resemble(theirs, ours, &self.endpoints, &places(sender))
        } else {
            agree(theirs, ours)
        }
    }

    /// Whether it is of the same ServicePort.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let of = |case: &Self| (case.service.clone(), case.port.clone(), case.protocol);
        of(self) == of(other)
    }

    /// Leaves what others have to them, notes what is its own though others name it, and says who the
    /// others are that have something.
    fn leave_to_owners(&mut self, key: &ServicePort, claims: &Claims) -> Vec<ServicePort> {
        let protocol = self.protocol;
        let owner = |frontend: &Frontend| claims.owner(*frontend, protocol);
        let is_anothers = |it: &&Frontend| owner(it).is_some_and(|owner| owner != key);
        let anothers: Vec<Frontend> = self.frontends.iter().filter(is_anothers).copied().collect();
        self.frontends.retain(|frontend| !anothers.contains(frontend));
        let (contested, alone): (Vec<Frontend>, Vec<Frontend>) =
            self.frontends.iter().partition(|frontend| claims.is_contested(**frontend, protocol));
        for Frontend { role, at } in contested {
            let is_like = |it: &&Frontend| it.role == role && it.at.is_ipv4() == at.is_ipv4();
            let like = alone.iter().filter(is_like).find(|it| owner(it) == Some(key));
            self.contested.insert(at, like.map(|frontend| frontend.at));
        }
        anothers.iter().filter_map(owner).cloned().collect()
    }

    /// Those of an address's family.
    fn endpoints_like(&self, to: SocketAddr) -> impl Iterator<Item = &SocketAddr> {
        self.endpoints.iter().filter(move |endpoint| endpoint.is_ipv4() == to.is_ipv4())
    }

    fn shot(&self, frontend: Frontend, sender: Sender) -> Shot {
        let Frontend { role, at: to } = frontend;
        let flows = flows(self.endpoints_like(to).count());
        let probe = Probe { sender, to, protocol: self.protocol, flows };
        let admission = Admission::of(&self.ranges, sender, to.ip());
        let alone = self.contested.get(&to).copied().flatten();
        let mut like = self.endpoints_like(to).peekable();
        let is_renumbered = like.peek().is_some() && like.all(|at| at.port() != to.port());
        Shot { role, probe, is_sticky: self.is_sticky, admission, is_renumbered, alone }
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
    use std::net::IpAddr;

    use super::{Role, Sender, cases};
    use crate::diff::{
        feature::{Named, Profile},
        probe::Protocol,
        service::{ANOTHERS, Metadata, Port, Service},
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
    fn what_several_name_is_tried_as_the_oldest_ones_and_beside_what_it_has_alone() {
        let named = |addresses: &[&str]| -> Vec<IpAddr> {
            addresses.iter().map(|address| address.parse().unwrap()).collect()
        };
        let [contested, alone, other] = ["198.51.100.1", "198.51.100.2", "198.51.100.3"];
        let mut both = state(&[("a", "10.96.1.1", &[80]), ("b", "10.96.1.2", &[80])]);
        for (name, addresses) in [("a", &[contested, alone][..]), ("b", &[contested, other])] {
            both.services.get_mut(name).unwrap().spec.external_ips = named(addresses);
        }
        let profile = Profile::new(Named::Tiny, &[], &[]);
        let tried = |before: &State, after: &State| -> Vec<_> {
            let cases = cases(before, after);
            let shots = cases.iter().flat_map(|case| {
                let shots = case.shots(&profile).into_iter();
                shots.map(move |shot| (case.service.clone(), shot))
            });
            let external = shots.filter(|(_, shot)| {
                shot.role == Role::ExternalIp && shot.probe.sender == Sender::Outside
            });
            external.map(|(name, shot)| (name, shot.probe.to.ip(), shot.alone)).collect()
        };
        let row = |name: &str, at: &str, beside: Option<&str>| {
            let beside = beside.map(|beside| (beside.parse::<IpAddr>().unwrap(), 80).into());
            (name.to_owned(), at.parse::<IpAddr>().unwrap(), beside)
        };
        let all = [row("a", contested, Some(alone)), row("a", alone, None), row("b", other, None)];
        assert_eq!(tried(&State::default(), &both), all);
        let (mut without_b, mut without_a) = (both.clone(), both.clone());
        without_b.remove("b");
        without_a.remove("a");
        let after_b = [row("a", contested, None), row("a", alone, None), row("b", other, None)];
        assert_eq!(tried(&both, &without_b), after_b);
        let after_a = [row("a", alone, None), row("b", contested, None), row("b", other, None)];
        assert_eq!(tried(&both, &without_a), after_a);
    }

    #[test]
    fn a_service_that_another_proxy_had_is_tried_as_one_of_ours() {
        let after = state(&[("a", "10.96.1.1", &[80])]);
        let mut before = after.clone();
        let service = before.services.get_mut("a").unwrap();
        service.metadata.labels.insert(ANOTHERS.to_owned(), "another".to_owned());
        let [case] = cases(&before, &after).try_into().unwrap();
        let roles: Vec<_> = case.frontends.iter().map(|it| (it.role, it.at.to_string())).collect();
        let expected = [
            (Role::ClusterIp, "10.96.1.1:80"),
            (Role::OtherPort, "10.96.1.1:87"),
            (Role::Unallocated, "10.96.250.1:80"),
        ];
        assert_eq!(roles, expected.map(|(role, at)| (role, at.to_owned())));
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
