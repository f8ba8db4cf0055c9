//! `TestSyncProxyRulesRepeated` of `pkg/proxy/nftables/proxier_test.go`, which counts what a change
//! costs: here, elements of maps that are written.

use super::rows::{service, slice};
use crate::support::cluster::Cluster;

const POD: &str = "10.0.0.2";

/// What a file has, in words: `svc1 172.30.0.41 80` is a Service, `svc1-1 80 10.180.0.1` a slice.
fn objects(words: &[&str]) -> String {
    let object = |words: &&str| {
        let [name, second, third] = *words.splitn(3, ' ').collect::<Vec<_>>() else {
            panic!("{words}: no object")
        };
        match name.contains('-') {
            true => slice(name, &format!("p:{second}"), third),
            false => {
                let ports = format!("ports: [{{name: p, port: {third}}}]");
                service(name, &format!("clusterIP: {second}, {ports}"))
            }
        }
    };
    words.iter().map(object).collect()
}

/// A step: what happens; to which file; what that has then, which is gone if it has nothing; how many
/// elements are written; and what a pod meets afterwards at which Service.
type Step =
    (&'static str, &'static str, &'static [&'static str], usize, &'static str, &'static str);

const SVC3: &str = "172.30.0.43:80";
const FOURTH: &str = "10.180.0.4:80";
const TWO: &str = "10.180.0.4:80 10.180.0.5:80";
const ENDPOINTS: &[&str] = &["svc3-1 80 10.180.0.4 10.180.0.5"];

// A Service is its frontend and its address's mark; an endpoint its state and its place.
const STEPS: &[Step] = &[
    ("a Service comes", "svc3", &["svc3 172.30.0.43 80"], 2, SVC3, "REJECT"),
    ("its endpoint comes", "slice3", &["svc3-1 80 10.180.0.3"], 3, SVC3, "10.180.0.3:80"),
    ("the endpoint is another", "slice3", &["svc3-1 80 10.180.0.4"], 4, SVC3, FOURTH),
    ("there is one more", "slice3", ENDPOINTS, 4, SVC3, TWO),
    ("nothing changes", "slice3", ENDPOINTS, 0, SVC3, TWO),
    ("the slice goes", "slice3", &[], 3, SVC3, "REJECT"),
    ("the Service goes", "svc3", &[], 2, SVC3, ""),
    ("one comes without an address", "svc4", &["svc4 None 80"], 0, "172.30.0.44:80", ""),
    ("it gets one", "svc4", &["svc4 172.30.0.44 80"], 2, "172.30.0.44:80", "REJECT"),
    ("another's port changes", "svc2", &["svc2 172.30.0.42 81"], 2, "172.30.0.42:80", "REJECT"),
    ("and is as it was", "svc2", &["svc2 172.30.0.42 80"], 2, "172.30.0.42:80", "10.180.0.2:80"),
    ("the first one's way in is as ever", "svc4", &[], 2, "172.30.0.41:80", "10.180.0.1:80"),
];

#[test]
fn test_sync_proxy_rules_repeated() {
    let [mut cluster, _] = Cluster::both();
    cluster.write("svc1", &objects(&["svc1 172.30.0.41 80", "svc1-1 80 10.180.0.1"]));
    cluster.write("svc2", &objects(&["svc2 172.30.0.42 80"]));
    cluster.write("slice2", &objects(&["svc2-1 80 10.180.0.2"]));
    for (name, file, words, written, to, expected) in STEPS {
        let before = cluster.node.maps.inner().fake.writes();
        match *words {
            [] => cluster.remove(file),
            words => cluster.write(file, &objects(words)),
        }
        let writes = cluster.node.maps.inner().fake.writes() - before;
        assert_eq!((writes, &*cluster.send(POD, to)), (*written, *expected), "{name}");
    }
}
