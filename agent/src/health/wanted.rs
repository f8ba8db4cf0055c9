//! Which sockets are to be open, for what.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use dataplane_common::abi::Family;

use crate::config::NodePortAddress;
use crate::http::{Door, Failures, any_address, every_family};
use crate::model::{HealthCheck, Name};
use crate::problem::Problem;

/// What is answered at a socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// How the proxy is.
    Health,
    /// Figures.
    Metrics,
    /// Whether this node has endpoints of a Service.
    Check(Name),
}

/// Where the proxy's own questions are asked; at port 0 nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binds {
    /// How it is.
    pub health: SocketAddr,
    /// Figures.
    pub metrics: SocketAddr,
}

/// Those of the proxy and those of Services, at each address of the Service's families where load
/// balancers ask.
pub(super) fn doors(
    binds: Binds,
    checks: &BTreeMap<Name, HealthCheck>,
    addresses: &BTreeSet<IpAddr>,
) -> BTreeSet<Door<Purpose>> {
    let own = [(Purpose::Health, binds.health), (Purpose::Metrics, binds.metrics)];
    let own = own.into_iter().filter(|(_, bind)| bind.port() != 0).flat_map(|(purpose, bind)| {
        every_family(bind).into_iter().map(move |at| Door { purpose: purpose.clone(), at })
    });
    let checks = checks.iter().flat_map(|(service, check)| {
        let asked = |ip: &&IpAddr| check.local.contains_key(&family_of(**ip));
        addresses.iter().filter(asked).map(|ip| Door {
            purpose: Purpose::Check(service.clone()),
            at: SocketAddr::new(*ip, check.port),
        })
    });
    own.chain(checks).collect()
}

/// The addresses where load balancers ask about Services: where NodePorts are served, of which
/// `served` are known by now.
#[must_use]
pub fn listen_addresses(
    configured: &[NodePortAddress],
    served: &BTreeSet<IpAddr>,
) -> BTreeSet<IpAddr> {
    let whole: BTreeSet<Family> = configured
        .iter()
        .flat_map(|entry| match entry {
            NodePortAddress::All => vec![Family::V4, Family::V6],
            NodePortAddress::Within(network) if network.prefix() == 0 => {
                vec![family_of(network.ip())]
            }
            NodePortAddress::Primary | NodePortAddress::Localhost | NodePortAddress::Within(_) => {
                vec![]
            }
        })
        .collect();
    let others = served.iter().filter(|ip| !whole.contains(&family_of(**ip))).copied();
    others.chain(whole.iter().map(|family| any_address(*family))).collect()
}

pub(super) fn family_of(ip: IpAddr) -> Family {
    if ip.is_ipv4() { Family::V4 } else { Family::V6 }
}

/// What is wrong where sockets could not be opened, each cause of each purpose once.
#[must_use]
pub fn problems(failures: &Failures<Purpose>) -> Vec<Problem> {
    let mut causes: BTreeMap<(&Purpose, &str), Vec<SocketAddr>> = BTreeMap::new();
    for (door, cause) in failures {
        causes.entry((&door.purpose, cause)).or_default().push(door.at);
    }
    let mut problems: Vec<_> =
        causes.into_iter().map(|((purpose, cause), at)| problem(purpose, &at, cause)).collect();
    problems.sort();
    problems
}

fn problem(purpose: &Purpose, at: &[SocketAddr], cause: &str) -> Problem {
    let at = at.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    let (object, what, remedy) = match purpose {
        Purpose::Health => {
            ("healthz".to_owned(), "answers nobody", "choose another by --healthz-bind-address")
        }
        Purpose::Metrics => {
            ("metrics".to_owned(), "answers nobody", "choose another by --metrics-bind-address")
        }
        Purpose::Check(service) => (
            format!("Service {service}"),
            "has a healthCheckNodePort that is not answered",
            "give the Service another",
        ),
    };
    let message = format!(
        "{what} at {at}: {cause}; end what listens there or {remedy}; it is tried again and again"
    );
    Problem::error(object, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_open_at_port_0() {
        let at = |health: &str, metrics: &str| Binds {
            health: health.parse().unwrap(),
            metrics: metrics.parse().unwrap(),
        };
        for (binds, expected) in [
            (at("127.0.0.1:1", "127.0.0.1:2"), vec![1, 2]),
            (at("0.0.0.0:0", "127.0.0.1:2"), vec![2]),
            (at("127.0.0.1:1", "[::]:0"), vec![1]),
        ] {
            let doors = doors(binds, &BTreeMap::new(), &BTreeSet::new());
            let ports: Vec<_> = doors.iter().map(|door| door.at.port()).collect();
            assert_eq!(ports, expected, "{binds:?}");
        }
    }
}
