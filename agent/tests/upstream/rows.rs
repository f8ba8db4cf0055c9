//! Objects in few words, and rows of packets.

use crate::support::cluster::Cluster;

/// A row of kube-proxy's: its name; who sends; where to, with `/UDP` or `/SCTP` where it is no TCP; and whom it
/// reaches, as [`Cluster::send`] says it.
pub(super) type Row = (&'static str, &'static str, &'static str, &'static str);

/// The row's packets meet what they are to meet.
pub(super) fn check(when: &str, cluster: &Cluster, rows: &[Row]) {
    let different: Vec<_> = rows
        .iter()
        .map(|(name, from, to, expected)| (name, from, to, *expected, cluster.send(from, to)))
        .filter(|(_, _, _, expected, found)| found != expected)
        .map(|(name, from, to, expected, found)| {
            format!("{name}: {from} -> {to} met '{found}', not '{expected}'")
        })
        .collect();
    assert!(different.is_empty(), "{when}:\n{}", different.join("\n"));
}

/// Each row is checked on both clusters with these objects.
pub(super) fn check_both(when: &str, objects: &[String], rows: &[Row]) {
    for cluster in Cluster::both_with(&[("objects", &objects.concat())]) {
        check(when, &cluster, rows);
    }
}

/// A Service of the namespace of all rows.
pub(super) fn service(name: &str, spec: &str) -> String {
    service_with(name, spec, "{}")
}

/// A Service with a status.
pub(super) fn service_with(name: &str, spec: &str, status: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: ns1}}\n\
         spec: {{{spec}}}\nstatus: {status}\n---\n"
    )
}

/// `{ip: ..}` for each address of a load balancer, as a status.
pub(super) fn ingress(ips: &[&str]) -> String {
    let entries: Vec<_> = ips.iter().map(|ip| format!("{{ip: '{ip}'}}")).collect();
    format!("{{loadBalancer: {{ingress: [{}]}}}}", entries.join(", "))
}

/// A slice `svc1-x` of a Service `svc1`. Ports as `p80:80` or `p53:53/UDP`, endpoints as
/// `10.180.0.1@Lst`: of this node, of another (`R`) or of nobody knows which, and ready unless it
/// says which of serving and terminating holds, or neither (`-`).
pub(super) fn slice(name: &str, ports: &str, endpoints: &str) -> String {
    let (service, _) = name.rsplit_once('-').unwrap();
    let family = if endpoints.contains(':') { "IPv6" } else { "IPv4" };
    let ports: Vec<_> = ports.split_whitespace().map(port).collect();
    let endpoints: Vec<_> = endpoints.split_whitespace().map(endpoint).collect();
    format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: {name}, namespace: ns1, labels: {{kubernetes.io/service-name: {service}}}}}\n\
         addressType: {family}\nports: [{}]\nendpoints: [{}]\n---\n",
        ports.join(", "),
        endpoints.join(", ")
    )
}

fn port(text: &str) -> String {
    let (name, number) = text.split_once(':').unwrap();
    let (number, protocol) = number.split_once('/').unwrap_or((number, "TCP"));
    format!("{{name: {name}, port: {number}, protocol: {protocol}}}")
}

fn endpoint(text: &str) -> String {
    let (address, how) = text.split_once('@').unwrap_or((text, ""));
    let node = match how.chars().next() {
        Some('L') => ", nodeName: node-a",
        Some('R') => ", nodeName: node-b",
        _ => "",
    };
    let conditions = how.trim_start_matches(['L', 'R']);
    let conditions = match conditions {
        "" => String::new(),
        how => format!(
            ", conditions: {{ready: false, serving: {}, terminating: {}}}",
            how.contains('s'),
            how.contains('t')
        ),
    };
    format!("{{addresses: ['{address}']{node}{conditions}}}")
}
