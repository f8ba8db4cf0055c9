//! What an agent brings up, and what it tells of it.

use std::fs;

use anyhow::Result;
use serde_json::{Value, json};

use super::host::{Host, hooks_of};

#[test]
fn an_agent_brings_up_what_its_status_tells() -> Result<()> {
    let host = Host::start()?;
    let _agent = host.agent("{}")?;
    let status = host.status()?;
    assert_eq!(status["problems"], json!([]), "{status:#}");
    assert_eq!(status["healthy"], json!(true));
    assert_eq!(uplinks(&status), json!([["eth0", 1500]]));
    assert_eq!(status["kernel"]["delivery"], json!("bypass"));
    let used = |name: &str| {
        let maps = status["maps"].as_array().into_iter().flatten();
        maps.filter(|map| map["name"] == name).map(|map| map["used"].clone()).collect::<Vec<_>>()
    };
    assert_eq!([used("slots"), used("backends"), used("links")], [[2], [2], [2]].map(rows));
    Ok(())
}

fn rows(used: [i32; 1]) -> Vec<Value> {
    used.map(Value::from).to_vec()
}

#[test]
fn programs_are_attached_as_configured() -> Result<()> {
    for (config, by) in [("attach: auto", "tcx"), ("attach: clsact", "clsact")] {
        let host = Host::start()?;
        let _agent = host.agent(config)?;
        let hooks = host.status()?["hooks"].clone();
        let hooks = hooks.as_array().into_iter().flatten();
        let told: Vec<_> = hooks.filter(|hook| hook["device"] == "eth0").map(hook).collect();
        let expected = [["in", "from_netdev"], ["out", "to_netdev"]];
        let expected = expected.map(|[at, program]| json!([at, program, by, true]));
        assert_eq!(told, expected, "{config}");
    }
    Ok(())
}

fn hook(hook: &Value) -> Value {
    json!([hook["direction"], hook["program"], hook["by"], hook["present"]])
}

/// Names and MTUs of the uplinks.
fn uplinks(status: &Value) -> Value {
    let devices = status["devices"].as_array().into_iter().flatten();
    let uplinks = devices.filter(|device| device["class"] == "uplink");
    uplinks.map(|uplink| json!([uplink["device"], uplink["mtu"]])).collect()
}

#[test]
fn the_plugin_is_told_of_the_node_and_packets_of_the_other_nodes_pods() -> Result<()> {
    let host = Host::start()?;
    let _agent = host.agent("{}")?;
    let mut told: Value = serde_json::from_slice(&fs::read(host.path("run/node.json"))?)?;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let expected = json!({
        "bootId": boot.trim(),
        "podCIDRs": ["10.1.1.0/24", "fd01:1::/64"],
        "mtu": 1500,
        "nodeIPs": ["192.0.2.1", "fd00::1"],
        "attach": "auto",
    });
    assert_eq!(told.take(), expected);
    for (family, route) in
        [("-4", "10.1.2.0/24 via 192.0.2.2 dev eth0"), ("-6", "fd01:2::/64 via fd00::2 dev eth0")]
    {
        let routes = host.run("ip", &[family, "route"])?.stdout;
        assert!(routes.contains(route), "{routes}");
    }
    Ok(())
}

#[test]
fn the_host_forwards_and_still_listens_to_its_routers() -> Result<()> {
    let host = Host::start()?;
    let _agent = host.agent("{}")?;
    for (key, expected) in [
        ("ipv4/ip_forward", "1"),
        ("ipv6/conf/all/forwarding", "1"),
        ("ipv6/conf/eth0/accept_ra", "2"),
    ] {
        let value = host.run("cat", &[&format!("/proc/sys/net/{key}")])?.stdout;
        assert_eq!(value.trim(), expected, "{key}");
    }
    Ok(())
}

#[test]
fn services_are_listed_with_their_frontends_and_backends() -> Result<()> {
    let host = Host::start()?;
    let _agent = host.agent("{}")?;
    let answer = host.waggle("service list")?;
    assert!(answer.is_success, "{answer:?}");
    let expected = "\
NAMESPACE   NAME   TYPE        PORT   FRONTEND           KIND        POLICY    AFFINITY   \
BACKEND         STATE    SETS
shop        cart   ClusterIP   http   10.96.0.1:80/TCP   clusterIP   Cluster   -          \
10.1.1.2:8080   active   cluster
                                                                                          \
10.1.2.2:8080   active   cluster
";
    assert_eq!(answer.stdout, expected);
    Ok(())
}

#[test]
fn devices_are_followed() -> Result<()> {
    let host = Host::start()?;
    let _agent = host.agent("{}")?;
    host.run("ip", &["link", "set", "eth0", "mtu", "1400"])?;
    host.wait_until(|status| uplinks(status) == json!([["eth0", 1400]]))?;
    // The device of the node's addresses is another one from here on.
    host.run("ip", &["link", "delete", "eth0"])?;
    host.run("ip", &["link", "add", "eth0", "type", "veth", "peer", "name", "wire"])?;
    host.run("ip", &["link", "set", "eth0", "up"])?;
    host.run("ip", &["address", "add", "192.0.2.1/24", "dev", "eth0"])?;
    host.run("ip", &["address", "add", "fd00::1/64", "dev", "eth0", "nodad"])?;
    let is_new = |status: &Value| uplinks(status) == json!([["eth0", 1500]]);
    host.wait_until(|status| status["healthy"] == json!(true) && is_new(status))?;
    Ok(())
}

#[test]
fn a_renamed_uplink_keeps_its_program_and_another_may_take_its_name() -> Result<()> {
    for attach in ["auto", "clsact"] {
        let host = Host::start()?;
        let _agent = host.agent(&format!("attach: {attach}"))?;
        let before = host.status()?["kernel"]["programs"].clone();
        let ip = |line: &str| host.run("ip", &line.split(' ').collect::<Vec<_>>());
        ip("link set eth0 down")?;
        ip("link set eth0 name lan0")?;
        ip("link set lan0 up")?;
        // The second address goes to a device that comes under the old name.
        ip("address delete fd00::1/64 dev lan0")?;
        ip("link add eth0 type veth peer name wire1")?;
        ip("link set eth0 up")?;
        ip("address add fd00::1/64 dev eth0 nodad")?;
        let both = json!([["lan0", 1500], ["eth0", 1500]]);
        let is_right = |status: &Value| uplinks(status) == both && status["healthy"] == true;
        let status = host.wait_until(is_right)?;
        for device in ["lan0", "eth0"] {
            let expected = json!([["in", "from_netdev"], ["out", "to_netdev"]]);
            assert_eq!(hooks_of(&status, device), expected, "{attach} {device}");
        }
        assert_eq!(status["kernel"]["programs"], before);
    }
    Ok(())
}

#[test]
fn an_uplink_without_link_layer_gets_the_program_for_such() -> Result<()> {
    let host = Host::start()?;
    host.run("ip", &["tuntap", "add", "tun0", "mode", "tun"])?;
    host.run("ip", &["link", "set", "tun0", "up"])?;
    host.run("ip", &["address", "delete", "192.0.2.1/24", "dev", "eth0"])?;
    host.run("ip", &["address", "add", "192.0.2.1/24", "dev", "tun0"])?;
    let _agent = host.agent("{}")?;
    let status = host.status()?;
    assert_eq!(hooks_of(&status, "tun0"), json!([["in", "from_l3dev"], ["out", "to_l3dev"]]));
    assert_eq!(hooks_of(&status, "eth0"), json!([["in", "from_netdev"], ["out", "to_netdev"]]));
    Ok(())
}

#[test]
fn a_broken_manifest_is_told_by_its_place_until_it_is_mended() -> Result<()> {
    let host = Host::start()?;
    let _agent = host.agent("{}")?;
    host.write("broken.yaml", "kind: Service\nmetadata: {name: [\n")?;
    let place = host.path("manifests/broken.yaml").display().to_string();
    let names_place = |problem: &Value| problem["file"] == place && problem["line"].is_u64();
    host.wait_until(|status| {
        status["healthy"] == false
            && status["problems"]
                .as_array()
                .is_some_and(|problems| problems.iter().any(names_place))
    })?;
    assert!(!host.waggle("status")?.is_success);
    fs::remove_file(host.path("manifests/broken.yaml"))?;
    host.wait_until(|status| status["healthy"] == true)?;
    let log = host.log()?;
    let told = [format!("{place}:"), format!("mended: {place}:")];
    assert_eq!(told.map(|text| log.matches(&text).count()), [2, 1], "{log}");
    Ok(())
}
