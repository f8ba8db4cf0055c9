//! Which endpoints of a ServicePort take new flows on this node, under which policy.
//!
//! Each set falls back by itself: with nobody ready in it, those serve that are on their way out
//! and still answer (KEP-1669). Hints of who is near count in the Cluster set alone.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use dataplane_common::abi::{Scopes, SlotFlags};

use super::topology::Near;
use crate::model::{Backend, Endpoint};

/// For whom is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Here<'a> {
    /// The node's name.
    pub node: &'a str,
    /// The zone it is in, if it is in one.
    pub zone: Option<&'a str>,
}

/// The sets a ServicePort needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The Cluster set alone.
    Cluster,
    /// The Cluster set, which also tells whether anybody serves, and the Local one.
    ClusterAndLocal,
}

/// Chooses among all endpoints of one ServicePort and family, which may name one more than once.
///
/// An endpoint that answers but is in no set keeps the flows it has: it is among the backends with
/// no scope. Order: as [`super::Desired::backends`] says, within that by address.
#[must_use]
pub fn choose(
    endpoints: impl IntoIterator<Item = Endpoint>,
    here: Here<'_>,
    needs: Needs,
) -> Vec<Backend> {
    let node = here.node;
    let endpoints = distinct(endpoints, node);
    let cluster = usable(&endpoints, |_| true);
    let near = Near::of(&endpoints.values().filter(|endpoint| endpoint.ready), here);
    let local = match needs {
        Needs::Cluster => None,
        Needs::ClusterAndLocal => usable(&endpoints, |endpoint| is_local(endpoint, node)),
    };
    let mut backends: Vec<_> = endpoints
        .values()
        .filter_map(|endpoint| {
            let in_local = is_local(endpoint, node) && local.is_some_and(|by| by.admits(endpoint));
            let in_cluster = near.admits(endpoint) && cluster.is_some_and(|by| by.admits(endpoint));
            let scopes = scopes(in_local, in_cluster);
            let known = endpoint.serving || scopes != Scopes::default();
            known.then(|| Backend { at: endpoint.at, scopes, place: place(endpoint, node) })
        })
        .collect();
    backends.sort_by_key(|backend| (rank(backend.scopes), backend.at));
    backends
}

/// By what an endpoint gets into a set.
#[derive(Clone, Copy)]
enum Admission {
    Ready,
    Draining,
}

impl Admission {
    fn admits(self, endpoint: &Endpoint) -> bool {
        match self {
            Self::Ready => endpoint.ready,
            Self::Draining => endpoint.serving && endpoint.terminating,
        }
    }
}

fn usable(
    endpoints: &BTreeMap<SocketAddr, Endpoint>,
    member: impl Fn(&Endpoint) -> bool,
) -> Option<Admission> {
    [Admission::Ready, Admission::Draining].into_iter().find(|admission| {
        endpoints.values().any(|endpoint| member(endpoint) && admission.admits(endpoint))
    })
}

/// One endpoint for each address: a local record wins, then the one in better condition. While
/// slices are rearranged an endpoint is in two.
fn distinct(
    endpoints: impl IntoIterator<Item = Endpoint>,
    node: &str,
) -> BTreeMap<SocketAddr, Endpoint> {
    let mut distinct: BTreeMap<SocketAddr, Endpoint> = BTreeMap::new();
    for endpoint in endpoints {
        let present = distinct.entry(endpoint.at).or_insert_with(|| endpoint.clone());
        if standing(&endpoint, node) > standing(present, node) {
            *present = endpoint;
        }
    }
    distinct
}

fn standing(endpoint: &Endpoint, node: &str) -> (bool, bool, bool, Reverse<bool>, bool) {
    let Endpoint { at: _, node: of, ready, serving, terminating, hints: _ } = endpoint;
    (is_local(endpoint, node), *ready, *serving, Reverse(*terminating), of.is_some())
}

fn is_local(endpoint: &Endpoint, node: &str) -> bool {
    endpoint.node.as_deref() == Some(node)
}

fn place(endpoint: &Endpoint, node: &str) -> SlotFlags {
    match endpoint.node.as_deref() {
        Some(own) if own == node => SlotFlags::LOCAL,
        Some(_) => SlotFlags::OTHER_NODE,
        None => SlotFlags::default(),
    }
}

fn scopes(in_local: bool, in_cluster: bool) -> Scopes {
    let local = if in_local { Scopes::LOCAL } else { Scopes::default() };
    let cluster = if in_cluster { Scopes::CLUSTER } else { Scopes::default() };
    local.union(cluster)
}

fn rank(scopes: Scopes) -> u8 {
    match (scopes.has(Scopes::LOCAL), scopes.has(Scopes::CLUSTER)) {
        (true, false) => 0,
        (true, true) => 1,
        (false, true) => 2,
        (false, false) => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "node-a";
    const HERE: Here<'_> = Here { node: NODE, zone: None };

    /// `L1 r`: local, last byte of the address, ready; `R5 st`: remote, serving and terminating;
    /// `t`: terminating; `-`: neither ready nor serving; `s`: serving and not ready.
    fn endpoint(text: &str) -> Endpoint {
        let (place, condition) = text.split_once(' ').unwrap();
        let (side, number) = place.split_at(1);
        Endpoint {
            at: format!("10.1.0.{number}:80").parse().unwrap(),
            node: Some(if side == "L" { NODE } else { "node-b" }.to_owned()),
            ready: condition == "r",
            serving: condition.contains(['r', 's']),
            terminating: condition.contains('t'),
            hints: None,
        }
    }

    /// Last bytes of the addresses of each group of backends.
    fn chosen(endpoints: &[&str], needs: Needs) -> [Vec<u8>; 4] {
        let mut groups = [const { Vec::new() }; 4];
        for backend in choose(endpoints.iter().map(|text| endpoint(text)), HERE, needs) {
            let SocketAddr::V4(at) = backend.at else { unreachable!("all addresses are IPv4") };
            groups[usize::from(rank(backend.scopes))].push(at.ip().octets()[3]);
        }
        groups
    }

    #[test]
    fn each_set_has_who_is_ready_else_who_is_draining() {
        use Needs::{Cluster, ClusterAndLocal as Both};
        for (name, endpoints, needs, [only_local, both, only_cluster, none]) in [
            ("nobody", &[][..], Both, [&[][..], &[], &[], &[]]),
            ("all ready", &["L1 r", "R2 r"], Cluster, [&[], &[], &[1, 2], &[]]),
            ("all ready, local", &["L1 r", "R2 r"], Both, [&[], &[1], &[2], &[]]),
            ("none local", &["R1 r", "R2 r"], Both, [&[], &[], &[1, 2], &[]]),
            ("ready before draining", &["L1 r", "L2 st", "R3 r"], Both, [&[], &[1], &[3], &[2]]),
            (
                "local falls back",
                &["L2 st", "L3 st", "L4 t", "R5 r"],
                Both,
                [&[2, 3], &[], &[5], &[]],
            ),
            ("both fall back", &["L2 st", "R5 st"], Both, [&[], &[2], &[5], &[]]),
            (
                "cluster falls back",
                &["L2 st", "L3 st", "R4 t", "R5 st"],
                Cluster,
                [&[], &[], &[2, 3, 5], &[]],
            ),
            ("remote draining", &["R5 st"], Both, [&[], &[], &[5], &[]]),
            ("nobody answers", &["L5 t", "R5 t", "R6 -"], Both, [&[], &[], &[], &[]]),
            ("not ready but answering", &["L1 r", "R2 s"], Cluster, [&[], &[], &[1], &[2]]),
            ("twice, local wins", &["R1 r", "L1 st"], Both, [&[], &[1], &[], &[]]),
            ("twice, ready wins", &["R1 st", "R1 r", "R1 t"], Cluster, [&[], &[], &[1], &[]]),
        ] {
            let expected = [only_local, both, only_cluster, none].map(<[u8]>::to_vec);
            assert_eq!(chosen(endpoints, needs), expected, "{name}");
        }
    }

    #[test]
    fn order_of_arrival_does_not_matter() {
        let unknown = Endpoint { node: None, ..endpoint("R3 r") };
        let endpoints = ["L1 r", "R3 r", "L2 st", "R1 r", "R9 s"].map(endpoint);
        let mut endpoints: Vec<_> = endpoints.into_iter().chain([unknown]).collect();
        let needs = Needs::ClusterAndLocal;
        let chosen = choose(endpoints.clone(), HERE, needs);
        endpoints.reverse();
        assert_eq!(chosen, choose(endpoints, HERE, needs));
    }

    #[test]
    fn a_backend_is_where_its_endpoint_says() {
        let (local, elsewhere) = (Scopes::LOCAL.union(Scopes::CLUSTER), Scopes::CLUSTER);
        for (node, scopes, place) in [
            (Some(NODE), local, SlotFlags::LOCAL),
            (Some("node-b"), elsewhere, SlotFlags::OTHER_NODE),
            (None, elsewhere, SlotFlags::default()),
        ] {
            let endpoint = Endpoint { node: node.map(str::to_owned), ..endpoint("L1 r") };
            let expected = vec![Backend { at: endpoint.at, scopes, place }];
            assert_eq!(choose([endpoint], HERE, Needs::ClusterAndLocal), expected, "{node:?}");
        }
    }
}
