//! `TestUpdateEndpointsMap` of `pkg/proxy/nftables/proxier_test.go`, and the unions of slices of
//! `pkg/proxy/endpointslicecache_test.go`. No flow is forgotten here after a change: each packet of
//! a UDP flow asks whether its backend still serves.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use waggle_agent::engine::ServiceRow;
use waggle_agent::k8s::{Change, Kind, ObjectRef};
use waggle_agent::model::Name;

use super::{endpoint_slice, service};
use crate::support::node::{NAME, Node};
use crate::support::watched::WatchedMaps;

const PORTS: [&str; 12] =
    ["p11", "p11-2", "p12", "p122", "p13", "p14", "p21", "p22", "p23", "p33", "p44", "p45"];

/// `ns1/ep1-1 p11:11,p12:12 10.1.1.1,10.1.1.2L`: the slice, its ports and its endpoints, of which
/// those with L are of this node and those with ! do not answer. Its Service is called like it,
/// without the number.
type Slice = &'static str;

/// A case: its name; the slices before and after; what is served before and after.
type Case = (
    &'static str,
    &'static [Slice],
    &'static [Slice],
    &'static [&'static str],
    &'static [&'static str],
);

fn slice_name(slice: Slice) -> Name {
    let (namespace, name) = slice.split(' ').next().unwrap().split_once('/').unwrap();
    Name::new(namespace, name)
}

fn slice_of(slice: Slice) -> Value {
    let name = slice_name(slice);
    let mut words = slice.split(' ').skip(1);
    let mut list = || words.next().into_iter().flat_map(|word| word.split(','));
    let ports: Vec<_> = list()
        .map(|port| {
            let (name, number) = port.split_once(':').unwrap();
            json!({"name": name, "protocol": "UDP", "port": number.parse::<u16>().ok()})
        })
        .collect();
    let endpoints: Vec<_> = list()
        .map(|text| {
            let address = text.trim_end_matches(['L', '!']);
            let answers = !text.contains('!');
            let node = text.contains('L').then_some(NAME);
            let conditions = json!({"ready": answers, "serving": answers});
            json!({"addresses": [address], "nodeName": node, "conditions": conditions})
        })
        .collect();
    let (service, _) = name.name.rsplit_once('-').unwrap();
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": name.name, "namespace": name.namespace,
                     "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4", "ports": ports, "endpoints": endpoints,
    })
}

/// Services with every port that any slice has. Their policy makes the node tell who is local.
fn services() -> Vec<Change> {
    let ports = PORTS.iter().zip(1..);
    let ports: Vec<_> =
        ports.map(|(name, port)| json!({"name": name, "protocol": "UDP", "port": port})).collect();
    let service_of = |number: u8| {
        service(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": format!("ep{number}"), "namespace": format!("ns{number}")},
            "spec": {"clusterIP": format!("10.96.0.{number}"), "ports": ports,
                     "internalTrafficPolicy": "Local"},
        }))
    };
    (1..=4).map(service_of).collect()
}

/// `ns1/ep1:p11 10.1.1.1:11 10.1.1.2:11L` for each ServicePort with anybody to serve it.
fn served(node: &Node) -> Vec<String> {
    let rows = node.engine.services();
    let rows = rows.iter().filter(|row| !row.backends.is_empty());
    let line = |row: &ServiceRow| {
        let mut backends: Vec<_> = row.backends.iter().collect();
        backends.sort_by_key(|backend| backend.address);
        let backends = backends.into_iter().map(|backend| {
            let is_local = backend.scopes.iter().any(|scope| scope == "local");
            format!(" {}{}", backend.address, if is_local { "L" } else { "" })
        });
        format!("{}/{}:{}{}", row.namespace, row.name, row.port, backends.collect::<String>())
    };
    rows.map(line).collect()
}

fn check(cases: &[Case]) {
    for (name, before, after, served_before, served_after) in cases {
        let mut node = Node::new(WatchedMaps::default());
        node.feed(services());
        node.feed(before.iter().map(|slice| endpoint_slice(slice_of(slice))).collect());
        assert_eq!(served(&node), *served_before, "{name}, before");
        let old: BTreeMap<_, _> = before.iter().map(|slice| (slice_name(slice), slice)).collect();
        let new: BTreeMap<_, _> = after.iter().map(|slice| (slice_name(slice), slice)).collect();
        let gone = old
            .into_keys()
            .filter(|name| !new.contains_key(name))
            .map(|name| Change::Delete(ObjectRef { kind: Kind::EndpointSlice, name }));
        let changes = gone.chain(after.iter().map(|slice| endpoint_slice(slice_of(slice))));
        node.feed(changes.collect());
        assert_eq!(served(&node), *served_after, "{name}, after");
        if before == after {
            assert_eq!(node.report.writes, 0, "{name}: nothing is written");
        }
    }
}

const NAMED: Slice = "ns1/ep1-1 p11:11 10.1.1.1";
const NAMED_LOCAL: Slice = "ns1/ep1-1 p11:11 10.1.1.1L";
const ONE: &[&str] = &["ns1/ep1:p11 10.1.1.1:11"];
const TWO: &[&str] =
    &["ns1/ep1:p11 10.1.1.1:11 10.1.1.2:11L", "ns1/ep1:p12 10.1.1.1:12 10.1.1.2:12L"];
const LOCAL: &[&str] = &["ns1/ep1:p11 10.1.1.1:11L"];
const TWO_PORTS: Slice = "ns1/ep1-1 p11:11,p12:12 10.1.1.1,10.1.1.2L";

#[test]
fn test_update_endpoints_map_without_a_change() {
    let subsets = &[NAMED, "ns1/ep1-2 p12:12 10.1.1.2"];
    let of_subsets = &["ns1/ep1:p11 10.1.1.1:11", "ns1/ep1:p12 10.1.1.2:12"];
    let ports = &["ns1/ep1-1 p11:11,p12:12 10.1.1.1L", "ns1/ep1-2 p13:13 10.1.1.3"];
    let of_ports =
        &["ns1/ep1:p11 10.1.1.1:11L", "ns1/ep1:p12 10.1.1.1:12L", "ns1/ep1:p13 10.1.1.3:13"];
    let all = &[
        TWO_PORTS,
        "ns1/ep1-2 p13:13,p14:14 10.1.1.3,10.1.1.4L",
        "ns2/ep2-1 p21:21,p22:22 10.2.2.1,10.2.2.2L",
    ];
    let of_all = &[
        "ns1/ep1:p11 10.1.1.1:11 10.1.1.2:11L",
        "ns1/ep1:p12 10.1.1.1:12 10.1.1.2:12L",
        "ns1/ep1:p13 10.1.1.3:13 10.1.1.4:13L",
        "ns1/ep1:p14 10.1.1.3:14 10.1.1.4:14L",
        "ns2/ep2:p21 10.2.2.1:21 10.2.2.2:21L",
        "ns2/ep2:p22 10.2.2.1:22 10.2.2.2:22L",
    ];
    let name = "no change, multiple endpoints, subsets, IPs, and ports";
    check(&[
        ("nothing", &[], &[], &[], &[]),
        ("no change, named port, local", &[NAMED_LOCAL], &[NAMED_LOCAL], LOCAL, LOCAL),
        ("no change, multiple subsets", subsets, subsets, of_subsets, of_subsets),
        ("no change, multiple subsets, multiple ports, local", ports, ports, of_ports, of_ports),
        (name, all, all, of_all, of_all),
    ]);
}

const CHANGES: &[Case] = &[
    ("add an Endpoints", &[], &[NAMED_LOCAL], &[], LOCAL),
    ("remove an Endpoints", &[NAMED_LOCAL], &[], LOCAL, &[]),
    ("add an IP and port", &[NAMED], &[TWO_PORTS], ONE, TWO),
    ("remove an IP and port", &[TWO_PORTS], &[NAMED], TWO, ONE),
    (
        "add a subset",
        &[NAMED],
        &[NAMED, "ns1/ep1-2 p12:12 10.1.1.2L"],
        ONE,
        &["ns1/ep1:p11 10.1.1.1:11", "ns1/ep1:p12 10.1.1.2:12L"],
    ),
    (
        "remove a subset",
        &[NAMED, "ns1/ep1-2 p12:12 10.1.1.2"],
        &[NAMED],
        &["ns1/ep1:p11 10.1.1.1:11", "ns1/ep1:p12 10.1.1.2:12"],
        ONE,
    ),
    (
        "rename a port",
        &[NAMED],
        &["ns1/ep1-1 p11-2:11 10.1.1.1"],
        ONE,
        &["ns1/ep1:p11-2 10.1.1.1:11"],
    ),
    (
        "renumber a port",
        &[NAMED],
        &["ns1/ep1-1 p11:22 10.1.1.1"],
        ONE,
        &["ns1/ep1:p11 10.1.1.1:22"],
    ),
    (
        "complex add and remove",
        &[
            NAMED,
            "ns2/ep2-1 p22:22 10.2.2.2L,10.2.2.22L",
            "ns2/ep2-2 p23:23 10.2.2.3L",
            "ns4/ep4-1 p44:44 10.4.4.4L,10.4.4.5L",
            "ns4/ep4-2 p45:45 10.4.4.6L",
        ],
        &[
            "ns1/ep1-1 p11:11 10.1.1.1,10.1.1.11",
            "ns1/ep1-2 p12:12,p122:122 10.1.1.2",
            "ns3/ep3-1 p33:33 10.3.3.3",
            "ns4/ep4-1 p44:44 10.4.4.4L",
        ],
        &[
            "ns1/ep1:p11 10.1.1.1:11",
            "ns2/ep2:p22 10.2.2.2:22L 10.2.2.22:22L",
            "ns2/ep2:p23 10.2.2.3:23L",
            "ns4/ep4:p44 10.4.4.4:44L 10.4.4.5:44L",
            "ns4/ep4:p45 10.4.4.6:45L",
        ],
        &[
            "ns1/ep1:p11 10.1.1.1:11 10.1.1.11:11",
            "ns1/ep1:p12 10.1.1.2:12",
            "ns1/ep1:p122 10.1.1.2:122",
            "ns3/ep3:p33 10.3.3.3:33",
            "ns4/ep4:p44 10.4.4.4:44L",
        ],
    ),
    ("change from 0 endpoint address to 1 unnamed port", &["ns1/ep1-1"], &[NAMED], &[], ONE),
];

#[test]
fn test_update_endpoints_map_with_a_change() {
    check(CHANGES);
}

const SEVERAL: &[Case] = &[
    (
        "2 overlapping slices, same port",
        &["ns1/ep1-1 p11:80 10.0.1.1,10.0.1.2"],
        &["ns1/ep1-1 p11:80 10.0.1.1,10.0.1.2", "ns1/ep1-2 p11:80 10.0.1.2,10.0.1.3"],
        &["ns1/ep1:p11 10.0.1.1:80 10.0.1.2:80"],
        &["ns1/ep1:p11 10.0.1.1:80 10.0.1.2:80 10.0.1.3:80"],
    ),
    (
        "one of 2 overlapping slices goes",
        &["ns1/ep1-1 p11:80 10.0.1.1,10.0.1.2", "ns1/ep1-2 p11:80 10.0.1.2,10.0.1.3"],
        &["ns1/ep1-2 p11:80 10.0.1.2,10.0.1.3"],
        &["ns1/ep1:p11 10.0.1.1:80 10.0.1.2:80 10.0.1.3:80"],
        &["ns1/ep1:p11 10.0.1.2:80 10.0.1.3:80"],
    ),
    (
        "2 slices, overlapping endpoints, some endpoints unready in 1 or both",
        &["ns1/ep1-1 p11:80 10.0.1.1,10.0.1.2!,10.0.1.3!"],
        &[
            "ns1/ep1-1 p11:80 10.0.1.1,10.0.1.2!,10.0.1.3!",
            "ns1/ep1-2 p11:80 10.0.1.1!,10.0.1.2,10.0.1.3!",
        ],
        &["ns1/ep1:p11 10.0.1.1:80"],
        &["ns1/ep1:p11 10.0.1.1:80 10.0.1.2:80"],
    ),
    (
        "2 slices, overlapping endpoints, all unready",
        &["ns1/ep1-1 p11:80 10.0.1.1"],
        &["ns1/ep1-1 p11:80 10.0.1.1!", "ns1/ep1-2 p11:80 10.0.1.1!"],
        &["ns1/ep1:p11 10.0.1.1:80"],
        &[],
    ),
    (
        "a slice is replaced by an empty one",
        &["ns1/ep1-1 p11:80 10.0.1.1"],
        &["ns1/ep1-1 p11:80"],
        &["ns1/ep1:p11 10.0.1.1:80"],
        &[],
    ),
    (
        "a local record wins over one of elsewhere",
        &["ns1/ep1-1 p11:80 10.0.1.1L", "ns1/ep1-2 p11:80 10.0.1.1"],
        &["ns1/ep1-1 p11:80 10.0.1.1", "ns1/ep1-2 p11:80 10.0.1.1L"],
        &["ns1/ep1:p11 10.0.1.1:80L"],
        &["ns1/ep1:p11 10.0.1.1:80L"],
    ),
    (
        "Nil port should not break anything",
        &["ns1/ep1-1 p11:none 10.0.1.1"],
        &["ns1/ep1-1 p11:0,p12:80 10.0.1.1"],
        &[],
        &["ns1/ep1:p12 10.0.1.1:80"],
    ),
    (
        "Different endpoints with duplicate IPs should not be filtered",
        &["ns1/ep1-1 p11:80 10.0.1.1,10.0.1.2L"],
        &["ns1/ep1-1 p11:80 10.0.1.1,10.0.1.2L", "ns1/ep1-2 p11:8080 10.0.1.1,10.0.1.2L"],
        &["ns1/ep1:p11 10.0.1.1:80 10.0.1.2:80L"],
        &["ns1/ep1:p11 10.0.1.1:80 10.0.1.1:8080 10.0.1.2:80L 10.0.1.2:8080L"],
    ),
    (
        "3 slices with different services and namespaces",
        &["ns1/ep1-1 p11:80 10.0.1.1", "ns2/ep2-1 p11:80 10.0.2.1", "ns2/ep1-1 p11:80 10.0.3.1"],
        &["ns1/ep1-1 p11:80 10.0.1.1"],
        &["ns1/ep1:p11 10.0.1.1:80", "ns2/ep2:p11 10.0.2.1:80"],
        &["ns1/ep1:p11 10.0.1.1:80"],
    ),
];

#[test]
fn test_endpoints_map_from_several_slices() {
    check(SEVERAL);
}
