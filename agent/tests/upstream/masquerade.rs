//! `TestInternalExternalMasquerade` of `pkg/proxy/nftables/proxier_test.go`: 27 rows under each of
//! four settings, which are the golden matrix.

use waggle_agent::config::DetectLocal;
use waggle_agent::detection::Detection;

use super::rows::{ingress, service_with, slice};
use crate::support::cluster::{Cluster, PODS};

const MATRIX: &str = include_str!("../../../dataplane-common/src/flow/matrix.txt");

/// Policies, each with what its Service has of its own.
const SERVICES: [(&str, &str, u8); 3] = [
    ("cluster", "", 1),
    ("external-local", ", externalTrafficPolicy: Local", 2),
    ("internal-local", ", internalTrafficPolicy: Local", 3),
];

/// A family: the addresses of a pod, the node and somebody outside; what cluster IPs and load
/// balancers' addresses begin with; the endpoint here and the one elsewhere.
struct Family {
    senders: [&'static str; 3],
    frontends: [&'static str; 2],
    endpoints: [&'static str; 2],
}

const FAMILIES: [Family; 2] = [
    Family {
        senders: ["10.0.0.2", "192.168.0.2", "203.0.113.122"],
        frontends: ["172.30.1.", "5.6.7."],
        endpoints: ["10.180.0.1", "10.180.1.1"],
    },
    Family {
        senders: ["fd00:10::9", "2001:db8::1", "2600:5200::1"],
        frontends: ["fd00:172:30::", "2001:db8:99::"],
        endpoints: ["fd00:10::1", "fd00:10:1::1"],
    },
];

fn objects(family: &Family) -> String {
    let [here, elsewhere] = family.endpoints;
    let [cluster_ips, balanced] = family.frontends;
    let services = SERVICES.map(|(_, own, number)| {
        let spec = format!(
            "type: LoadBalancer, clusterIP: '{cluster_ips}{number}', \
             ports: [{{name: p80, port: 80, nodePort: {}}}]{own}",
            3000 + u16::from(number)
        );
        let status = ingress(&[&format!("{balanced}{number}")]);
        let endpoints = format!("{here}@L {elsewhere}@R");
        service_with(&format!("svc{number}"), &spec, &status)
            + &slice(&format!("svc{number}-1"), "p80:80", &endpoints)
    });
    services.concat()
}

/// Where a row's packets go.
fn destination(family: &Family, frontend: &str, number: u8) -> String {
    let [cluster_ips, balanced] = family.frontends;
    let (ip, port) = match frontend {
        "cluster-ip" => (format!("{cluster_ips}{number}"), 80),
        "load-balancer" => (format!("{balanced}{number}"), 80),
        _ => (family.senders[1].to_owned(), 3000 + u16::from(number)),
    };
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

/// What a cell of the matrix says, as it is told.
fn expected(family: &Family, cell: &str) -> String {
    let at = |ip: &str| if ip.contains(':') { format!("[{ip}]:80") } else { format!("{ip}:80") };
    let [here, elsewhere] = family.endpoints.map(at);
    let reached = if cell.starts_with("both") { format!("{here} {elsewhere}") } else { here };
    if cell.ends_with("hidden") { format!("{reached} as node") } else { reached }
}

fn settings() -> [Detection; 4] {
    let known = DetectLocal::ClusterCidrs(PODS.map(|cidr| cidr.parse().unwrap()).to_vec());
    [(false, &known), (false, &DetectLocal::None), (true, &known), (true, &DetectLocal::None)]
        .map(|(masquerade_all, by)| Detection { by: by.clone(), masquerade_all })
}

#[test]
fn test_internal_external_masquerade() {
    let mut cases = 0;
    for (setting, detection) in settings().into_iter().enumerate() {
        for family in &FAMILIES {
            let mut cluster = Cluster::with(detection.clone(), &["primary"]);
            cluster.write("services", &objects(family));
            for line in MATRIX.lines().filter(|line| !line.starts_with('#')) {
                let mut cells = line.split('|').map(str::trim);
                let case = cells.next().unwrap();
                let [who, frontend, policy] = *case.split_whitespace().collect::<Vec<_>>() else {
                    panic!("no case: {case}")
                };
                let who = ["pod", "node", "outside"].iter().position(|name| *name == who).unwrap();
                let (.., number) = SERVICES.into_iter().find(|(name, ..)| *name == policy).unwrap();
                let to = destination(family, frontend, number);
                let met = cluster.send(family.senders[who], &to);
                assert_eq!(
                    met,
                    expected(family, cells.nth(setting).unwrap()),
                    "{case} {detection:?}"
                );
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 2 * 4 * 27);
}
