//! Devices of the host as they come, change and go.

use anyhow::{Result, bail};
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Map, MapData};
use dataplane_common::abi::{Addr, Network, NetworkFlags, NetworkKind};
use serde_json::{Value, json};

use super::host::{Host, NODES, hooks_of};

/// Hooks of a device with and of one without Ethernet header.
const ETHERNET: [[&str; 2]; 2] = [["in", "from_netdev"], ["out", "to_netdev"]];
const RAW: [[&str; 2]; 2] = [["in", "from_l3dev"], ["out", "to_l3dev"]];

/// Hooks of a port of a bridge.
const PORT: [[&str; 2]; 1] = [["out", "to_netdev"]];

fn ip(host: &Host, line: &str) -> Result<()> {
    let answer = host.run("ip", &line.split(' ').collect::<Vec<_>>())?;
    if !answer.is_success {
        bail!("ip {line}: {answer:?}");
    }
    Ok(())
}

/// The class of a device; none when it is not served.
fn class(status: &Value, device: &str) -> Value {
    let mut devices = status["devices"].as_array().into_iter().flatten();
    devices.find(|it| it["device"] == device).map_or(Value::Null, |it| it["class"].clone())
}

fn wait_for_hooks(host: &Host, device: &str, expected: &[[&str; 2]]) -> Result<Value> {
    host.wait_until(|status| hooks_of(status, device) == json!(expected))
}

#[test]
fn a_device_has_programs_from_its_coming_to_its_going() -> Result<()> {
    for attach in ["auto", "clsact"] {
        let host = Host::start()?;
        let _agent = host.agent(&format!("attach: {attach}"))?;
        ip(&host, "tuntap add plug mode tap")?;
        wait_for_hooks(&host, "plug", &ETHERNET)?;
        host.wait_until(|status| class(status, "plug") == json!("workloads"))?;
        ip(&host, "link set plug name plugged")?;
        wait_for_hooks(&host, "plugged", &ETHERNET)?;
        ip(&host, "link delete plugged")?;
        let status = host.wait_until(|status| status["devices"] == first_devices())?;
        assert_eq!(status["healthy"], true, "{attach}: {status:#}");
        let pinned = host.pinned("links").display().to_string();
        let pinned = host.run("ls", &[&pinned])?.stdout;
        let of_devices = pinned.lines().filter(|pin| !pin.starts_with("cgroup-"));
        let expected = if attach == "auto" { 4 } else { 0 };
        assert_eq!(of_devices.count(), expected, "{attach}: {pinned}");
    }
    Ok(())
}

/// Looked for twice a minute, and whenever devices change.
#[test]
fn hooks_that_somebody_took_away_come_back() -> Result<()> {
    for attach in ["auto", "clsact"] {
        let host = Host::start()?;
        let _agent = host.agent(&format!("attach: {attach}"))?;
        wait_for_hooks(&host, "eth0", &ETHERNET)?;
        let links = host.pinned("links").display().to_string();
        let taken = match attach {
            "auto" => {
                host.run("find", &[&links, "-type", "f", "!", "-name", "cgroup-*", "-delete"])
            }
            _ => host.run("tc", &["qdisc", "del", "dev", "eth0", "clsact"]),
        }?;
        assert!(taken.is_success, "{attach}: {taken:?}");
        assert_ne!(hooks_of(&host.status()?, "eth0"), json!(ETHERNET), "{attach}");
        ip(&host, "tuntap add plug mode tap")?;
        wait_for_hooks(&host, "eth0", &ETHERNET)?;
    }
    Ok(())
}

/// The devices of a host at first.
fn first_devices() -> Value {
    json!([
        {"device": "wire", "mtu": 1500, "class": "workloads"},
        {"device": "eth0", "mtu": 1500, "class": "uplink"},
    ])
}

#[test]
fn a_port_of_a_bridge_with_workloads_has_the_last_hook_alone() -> Result<()> {
    for attach in ["auto", "clsact"] {
        let host = Host::start()?;
        ip(&host, "tuntap add plug mode tap")?;
        let _agent = host.agent(&format!("attach: {attach}"))?;
        wait_for_hooks(&host, "plug", &ETHERNET)?;
        ip(&host, "link add cni0 type bridge")?;
        ip(&host, "link set plug master cni0")?;
        // A switch for others, until the host routes for it.
        wait_for_hooks(&host, "plug", &[])?;
        ip(&host, "address add 10.1.1.1/24 dev cni0")?;
        wait_for_hooks(&host, "plug", &PORT)?;
        let status = wait_for_hooks(&host, "cni0", &ETHERNET)?;
        let classes = ["cni0", "plug"].map(|device| class(&status, device));
        assert_eq!(classes, [json!("workloads"), Value::Null], "{attach}");
        // It becomes the uplink, and what it forwards is none of ours.
        ip(&host, "address delete 192.0.2.1/24 dev eth0")?;
        ip(&host, "address add 192.0.2.1/24 dev cni0")?;
        wait_for_hooks(&host, "plug", &[])?;
        let qdiscs = host.run("tc", &["qdisc", "show", "dev", "plug"])?.stdout;
        assert!(!qdiscs.contains("clsact"), "{attach}: {qdiscs}");
        ip(&host, "link set plug nomaster")?;
        wait_for_hooks(&host, "plug", &ETHERNET)?;
    }
    Ok(())
}

#[test]
fn a_device_without_ethernet_header_gets_the_programs_for_such() -> Result<()> {
    let host = Host::start()?;
    let _agent = host.agent("{}")?;
    ip(&host, "tuntap add tun0 mode tun")?;
    wait_for_hooks(&host, "tun0", &RAW)?;
    // It is where another node's pods are, once a route says so.
    ip(&host, "link set tun0 up")?;
    ip(&host, "route add 192.0.2.2/32 dev tun0")?;
    host.wait_until(|status| class(status, "tun0") == json!("uplink"))?;
    Ok(())
}

#[test]
fn devices_are_chosen_by_patterns() -> Result<()> {
    let host = Host::start()?;
    let _agent = host.agent("devices: '*,!wire'")?;
    let status = host.status()?;
    assert_eq!(hooks_of(&status, "eth0"), json!(ETHERNET));
    assert_eq!([hooks_of(&status, "wire"), class(&status, "wire")], [json!([]), Value::Null]);
    let refused = host.waggle("agent --node-name a --manifests / --devices eth0,,")?;
    assert!(!refused.is_success, "{refused:?}");
    assert!(refused.stderr.contains("the device pattern \"\" names no device"), "{refused:?}");
    Ok(())
}

/// The kinds of addresses and whether NodePorts are served at them, by the table itself.
fn kinds<const N: usize>(host: &Host, addresses: [&str; N]) -> Result<[String; N]> {
    let path = host.pinned("maps/networks");
    let kind = |trie: &LpmTrie<MapData, [u8; 16], Network>, text: &str| {
        let ip: std::net::IpAddr = text.parse().expect("an address");
        let Ok(network) = trie.get(&Key::new(128, Addr::from(ip).0), 0) else {
            return "nobody".to_owned();
        };
        let ports =
            if network.flags.has(NetworkFlags::NODE_PORTS) { " with NodePorts" } else { "" };
        format!("{:?}{ports}", NetworkKind::from_number(network.kind))
    };
    host.inside(|| {
        let trie = LpmTrie::try_from(Map::LpmTrie(MapData::from_pin(&path)?))?;
        Ok(addresses.map(|text| kind(&trie, text)))
    })
}

#[test]
fn networks_are_known_by_whose_they_are_as_addresses_come_and_go() -> Result<()> {
    let host = Host::start()?;
    let _agent = host.agent("{}")?;
    let found = kinds(
        &host,
        ["192.0.2.1", "fd00::1", "192.0.2.2", "10.1.1.9", "10.1.2.9", "10.1.2.0", "198.51.100.7"],
    )?;
    let own = "OwnNode with NodePorts";
    assert_eq!(found, [own, own, "OtherNode", "OwnPods", "OtherPods", "OtherNode", "nobody"]);
    let wait = |expected: &str| {
        host.wait_until(|_| kinds(&host, ["198.51.100.7"]).is_ok_and(|[kind]| kind == expected))
    };
    ip(&host, "address add 198.51.100.7/24 dev wire")?;
    wait("OwnNode")?;
    ip(&host, "address delete 198.51.100.7/24 dev wire")?;
    wait("nobody")?;
    Ok(())
}

#[test]
fn masquerading_follows_the_nodes_addresses_and_the_kernels_ports() -> Result<()> {
    let host = Host::start()?;
    let _agent = host.agent("{}")?;
    let addresses = |masquerade: [&str; 2], first: u16, last: u16, shared: bool| {
        json!({
            "masquerade": masquerade,
            "ports": {"first": first, "last": last, "shared": shared},
            "nodePorts": ["192.0.2.1", "fd00::1"],
        })
    };
    let own = ["192.0.2.1", "fd00::1"];
    for (range, expected) in [
        ("32768 60999", addresses(own, 1024, 29_999, false)),
        ("1024 65000", addresses(own, 32_768, 65_535, true)),
        ("10000 60999", addresses(own, 1024, 9999, false)),
    ] {
        let line = format!("echo {range} > /proc/sys/net/ipv4/ip_local_port_range");
        let answer = host.run("sh", &["-c", &line])?;
        anyhow::ensure!(answer.is_success, "{line}: {answer:?}");
        let status = host.wait_until(|status| status["addresses"] == expected)?;
        assert_eq!(status["healthy"], true, "{status:#}");
    }
    ip(&host, "address delete 192.0.2.1/24 dev eth0")?;
    ip(&host, "address add 192.0.2.9/24 dev eth0")?;
    ip(&host, "address delete fd00::1/64 dev eth0")?;
    host.wait_until(|status| {
        status["addresses"]["masquerade"] == json!(["192.0.2.9"]) && status["healthy"] == false
    })?;
    Ok(())
}

#[test]
fn a_node_without_addresses_is_told_and_serves_node_ports_at_its_uplinks() -> Result<()> {
    let host = Host::start()?;
    let _agent = host.agent("{}")?;
    ip(&host, "route add default via 192.0.2.254 dev eth0")?;
    host.write("nodes.yaml", "{apiVersion: v1, kind: Node, metadata: {name: a}}\n")?;
    let status = host.wait_until(|status| {
        let problems = status["problems"].as_array().into_iter().flatten();
        problems.filter(|problem| problem["object"] == "Node a").count() == 2
    })?;
    assert_eq!(status["addresses"]["nodePorts"], json!(["192.0.2.1", "fd00::1"]), "{status:#}");
    Ok(())
}

/// kube-proxy waits for it; here its tables are what waits.
#[test]
fn without_its_node_an_agent_serves_and_says_what_waits_for_it() -> Result<()> {
    let host = Host::start()?;
    host.write("nodes.yaml", "{apiVersion: v1, kind: Node, metadata: {name: c}}\n")?;
    let _agent = host.begin_from("--manifests", "manifests", "{}")?;
    let told = |status: &Value| {
        let mut problems = status["problems"].as_array().into_iter().flatten();
        problems.any(|problem| {
            let message = problem["message"].as_str().unwrap_or_default();
            problem["object"] == "Node a" && message.starts_with("is this node, but there is no")
        })
    };
    let status = host.wait_until(told)?;
    let mut tables = status["maps"].as_array().into_iter().flatten();
    let services = tables.find(|table| table["name"] == "services");
    // A frontend, and the mark of its address.
    assert_eq!(services.map(|table| &table["used"]), Some(&json!(2)), "{status:#}");
    host.write("nodes.yaml", NODES)?;
    let status = host.wait_until(|status| !told(status))?;
    assert_eq!(status["healthy"], true, "{status:#}");
    Ok(())
}

const NODE_PORT: &str = r"
apiVersion: v1
kind: Service
metadata: {name: door, namespace: shop}
spec:
  type: NodePort
  clusterIP: 10.96.0.9
  clusterIPs: [10.96.0.9]
  ports: [{name: http, port: 80, nodePort: 31080, protocol: TCP, targetPort: 8080}]
";

#[test]
fn a_node_port_that_a_process_listens_on_is_told() -> Result<()> {
    let host = Host::start()?;
    let _agent = host.agent("{}")?;
    let _listener = host.listen("192.0.2.1:31080")?;
    host.write("door.yaml", NODE_PORT)?;
    let told = |status: &Value| {
        let mut problems = status["problems"].as_array().into_iter().flatten();
        problems.any(|problem| problem["object"] == "NodePort 31080/TCP")
    };
    let status = host.wait_until(told)?;
    assert_eq!(status["healthy"], true, "{status:#}");
    Ok(())
}

#[test]
fn nodes_with_overlapping_networks_are_told_and_the_rest_is_served() -> Result<()> {
    let host = Host::start()?;
    let _agent = host.agent("{}")?;
    host.write(
        "late.yaml",
        "{apiVersion: v1, kind: Node, metadata: {name: c}, spec: {podCIDRs: [10.1.2.128/25, \
         10.1.3.0/24]}, status: {addresses: [{type: InternalIP, address: 192.0.2.3}]}}\n",
    )?;
    let status = host.wait_until(|status| status["healthy"] == false)?;
    let expected = "has the podCIDR 10.1.2.128/25, which overlaps 10.1.2.0/24 of Node b, which is \
                    routed to: give one of them another podCIDR";
    assert_eq!(status["problems"][0]["message"], expected, "{status:#}");
    let routes = host.run("ip", &["-4", "route", "show", "proto", "87"])?.stdout;
    let routes: Vec<_> = routes.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(routes, ["10.1.2.0/24", "10.1.3.0/24"]);
    assert_eq!(kinds(&host, ["10.1.2.200", "10.1.3.9"])?, ["OtherPods", "OtherPods"]);
    Ok(())
}
