//! What load balancers, kubelets and monitoring are answered on a node.

use std::fs;
use std::io::ErrorKind;

use anyhow::Result;
use serde_json::{Value, json};

use super::host::Host;

/// A Service that its load balancer asks about at port 31000.
fn service(kind: &str, policy: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: cart, namespace: shop}}\nspec:\n  \
         type: {kind}\n  externalTrafficPolicy: {policy}\n  healthCheckNodePort: 31000\n  \
         clusterIP: 10.96.0.1\n  clusterIPs: [10.96.0.1, 'fd96::1']\n  ports: [{{name: http, \
         port: 80, nodePort: 30080, protocol: TCP}}]\n---\n"
    )
}

/// Its endpoints at the node named, written for something that happens now.
fn slice(node: &str, now: &str) -> String {
    format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: cart-1\n  \
         namespace: shop\n  labels: {{kubernetes.io/service-name: cart}}\n  annotations: \
         {{endpoints.kubernetes.io/last-change-trigger-time: '{now}'}}\naddressType: IPv4\n\
         ports: [{{name: http, port: 8080, protocol: TCP}}]\n\
         endpoints: [{{addresses: [10.1.1.2], nodeName: {node}}}]\n"
    )
}

const FOUR: &str = "192.0.2.1:31000";
const SIX: &str = "[fd00::1]:31000";

#[test]
fn a_load_balancer_is_told_whether_the_node_has_endpoints_as_long_as_it_may_ask() -> Result<()> {
    let host = Host::start()?;
    let local = service("LoadBalancer", "Local");
    let now = || jiff::Timestamp::now().to_string();
    host.write("services.yaml", &(local.clone() + &slice("a", &now())))?;
    let _agent = host.agent("nodePortAddresses: [primary]")?;
    host.wait_for_answer(FOUR, |answer| answer.starts_with("HTTP/1.1 200 OK\r\n"))?;
    host.wait_for_answer(SIX, |answer| answer.starts_with("HTTP/1.1 503 "))?;
    host.write("services.yaml", &(local.clone() + &slice("b", &now())))?;
    let answer = host.wait_for_answer(FOUR, |answer| answer.starts_with("HTTP/1.1 503 "))?;
    assert!(answer.contains("\"localEndpoints\": 0,\n\t\"serviceProxyHealthy\": true"), "{answer}");
    host.write("services.yaml", &(local + &slice("a", &now())))?;
    host.wait_for_answer(FOUR, |answer| answer.contains("\"localEndpoints\": 1,"))?;
    host.write("services.yaml", &(service("LoadBalancer", "Cluster") + &slice("a", &now())))?;
    for at in [FOUR, SIX] {
        host.wait_for(|| {
            let refused = host.ask(at, "/").err();
            Ok(refused.is_some_and(|error| error.kind() == ErrorKind::ConnectionRefused))
        })?;
    }
    let metrics = host.ask("127.0.0.1:10249", "/metrics")?;
    let latencies = "kubeproxy_network_programming_duration_seconds_count{ip_family=\"IPv4\"} 3\n";
    assert!(metrics.contains(latencies), "{metrics}");
    Ok(())
}

#[test]
fn a_port_for_health_that_is_taken_is_told_and_had_when_it_is_free() -> Result<()> {
    let host = Host::start()?;
    let taken = [FOUR, "127.0.0.1:10249"].map(|at| host.listen(at));
    let taken = taken.into_iter().collect::<Result<Vec<_>>>()?;
    host.write("services.yaml", &(service("LoadBalancer", "Local") + &slice("a", "-")))?;
    let _agent = host.agent("{}")?;
    let objects = |status: &Value| {
        let problems = status["problems"].as_array().into_iter().flatten();
        let errors = problems.filter(|problem| problem["severity"] == "error");
        errors.map(|problem| problem["object"].clone()).collect::<Vec<_>>()
    };
    host.wait_until(|status| {
        objects(status) == [json!("Service shop/cart"), json!("metrics")]
            && status["healthy"] == false
    })?;
    host.wait_for_answer(SIX, |answer| answer.starts_with("HTTP/1.1 503 "))?;
    drop(taken);
    host.wait_until(|status| status["healthy"] == true)?;
    host.wait_for_answer(FOUR, |answer| answer.starts_with("HTTP/1.1 200 "))?;
    host.wait_for_answer("127.0.0.1:10249", |answer| answer.starts_with("HTTP/1.1 404 "))?;
    Ok(())
}

#[test]
fn a_node_that_is_taken_away_is_told_to_load_balancers_and_not_to_its_kubelet() -> Result<()> {
    let host = Host::start()?;
    let _agent = host.agent("{}")?;
    let nodes = fs::read_to_string(host.path("manifests/nodes.yaml"))?;
    let going = nodes.replacen(
        "spec: {",
        "spec: {taints: [{key: ToBeDeletedByClusterAutoscaler, effect: NoSchedule}], ",
        1,
    );
    assert_ne!(nodes, going);
    for (manifest, expected) in [(&nodes, "200"), (&going, "503"), (&nodes, "200")] {
        host.write("nodes.yaml", manifest)?;
        for at in ["127.0.0.1:10256", "[::1]:10256", "192.0.2.1:10256"] {
            host.wait_for(|| {
                let answer = host.ask(at, "/healthz")?;
                Ok(answer.split(' ').nth(1) == Some(expected) && answer.contains("lastUpdated"))
            })?;
        }
        let live = host.ask("127.0.0.1:10256", "/livez")?;
        assert!(live.starts_with("HTTP/1.1 200 OK\r\n"), "{live}");
    }
    Ok(())
}
