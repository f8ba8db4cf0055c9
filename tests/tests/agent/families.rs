//! A host of one family.

use std::net::TcpListener;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::host::{Answer, Host};

/// A Service of both families, of the host itself.
const ECHO: &str = r"
apiVersion: v1
kind: Service
metadata: {name: echo, namespace: shop}
spec:
  clusterIPs: [10.96.0.2, 'fd00:96::2']
  ports: [{name: http, port: 80, protocol: TCP}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: echo-ipv4, namespace: shop, labels: {kubernetes.io/service-name: echo}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints: [{addresses: [192.0.2.1], nodeName: a}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: echo-ipv6, namespace: shop, labels: {kubernetes.io/service-name: echo}}
addressType: IPv6
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints: [{addresses: ['fd00::1'], nodeName: a}]
";

/// What takes a family from the host, what is left, the Service there, and what the status says.
struct Case {
    without: &'static str,
    listens: &'static str,
    service: &'static str,
    left: &'static str,
    gone: &'static str,
}

const CASES: [Case; 2] = [
    Case {
        without: "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6",
        listens: "192.0.2.1:8080",
        service: "10.96.0.2",
        left: "192.0.2.1",
        gone: "fd00::1",
    },
    Case {
        without: "ip address delete 192.0.2.1/24 dev eth0",
        listens: "[fd00::1]:8080",
        service: "fd00:96::2",
        left: "fd00::1",
        gone: "192.0.2.1",
    },
];

#[test]
fn a_host_of_one_family_serves_it_and_says_what_the_other_lacks() -> Result<()> {
    for case in CASES {
        let host = Host::start()?;
        let taken = host.run("sh", &["-c", case.without])?;
        ensure!(taken.is_success, "{taken:?}");
        host.write("echo.yaml", ECHO)?;
        let _agent = host.agent("{}")?;
        serves(&host, &case).with_context(|| format!("{}\n{:#}", case.without, status(&host)))?;
    }
    Ok(())
}

fn status(host: &Host) -> Value {
    host.status().unwrap_or_default()
}

fn serves(host: &Host, case: &Case) -> Result<()> {
    let _listener: TcpListener = host.listen(case.listens)?;
    let connect = format!("exec 3<>/dev/tcp/{}/80", case.service);
    let outcome = host.run("timeout", &["10", "bash", "-c", &connect])?;
    let connected = Answer { is_success: true, stdout: String::new(), stderr: String::new() };
    ensure!(outcome == connected, "{outcome:?}");
    let status = host.wait_until(|status| !said_of(status, case.gone).is_empty())?;
    ensure!(status["addresses"]["masquerade"] == json!([case.left]), "{:#}", status["addresses"]);
    ensure!(status["addresses"]["nodePorts"] == json!([case.left]), "{:#}", status["addresses"]);
    ensure!(said_of(&status, case.left).is_empty(), "{:?}", said_of(&status, case.left));
    Ok(())
}

/// The problems that an address is named in.
fn said_of(status: &Value, address: &str) -> Vec<String> {
    let problems = status["problems"].as_array().into_iter().flatten();
    let messages = problems.filter_map(|problem| problem["message"].as_str());
    messages.filter(|message| message.contains(address)).map(str::to_owned).collect()
}
