//! ADD connects a pod, says so in the version that was asked for, and may be repeated.

use std::thread;

use anyhow::{Context as _, Result};
use hostnet::{Netlink, link, sysctl};

use super::host::{Host, MTU, Pod, Traces, block_on, ips};

const BOTH: [&str; 2] = ["10.1.1.0/24", "fd01:1::/64"];
const ONE_POD: Traces = Traces { links: 1, routes: 2, hooks: 2, filters: 0, pods: 2 };

#[test]
fn a_pod_is_connected_in_every_version_and_gone_after_del() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    for version in ["0.3.1", "0.4.0", "1.0.0", "1.1.0"] {
        let pod = Pod::new(&format!("pod-{version}"))?;
        let call = host.call("ADD", &pod).input(&host.config(version));
        let result = host.make(call)?.result()?;
        let addresses = ips(&result);

        assert_eq!(result["cniVersion"], version);
        assert_eq!(result["interfaces"][1]["sandbox"], pod.inside.netns().display().to_string());
        assert_eq!(addresses.len(), 2, "{result}");
        assert_eq!(host.traces()?, ONE_POD);
        compare_links(&host, &pod, &result)?;
        for ip in &addresses {
            host.reaches(&pod, *ip)?;
        }

        if version != "0.3.1" {
            let mut config = host.config(version);
            config["prevResult"] = result.clone();
            assert_eq!(host.make(host.call("CHECK", &pod).input(&config))?.code(), 0);
        }
        assert_eq!(host.del(&pod)?.code(), 0);
        assert_eq!(host.traces()?, Traces::default());
    }
    assert_eq!(host.leases()?, (0, 8));
    Ok(())
}

/// Names, hardware addresses and MTU are as the result says, at both ends.
fn compare_links(host: &Host, pod: &Pod, result: &serde_json::Value) -> Result<()> {
    let links = host.links()?;
    let host_link = links.iter().find(|link| result["interfaces"][0]["name"] == *link.name);
    let pod_link = pod
        .inside
        .run(|| block_on(async { Ok(link::require(&Netlink::here()?, "eth0").await?) }))??;
    for (index, found) in [(0, host_link.context("no link on the host")?), (1, &pod_link)] {
        let mac = found.mac.context("no hardware address")?.to_string();
        assert_eq!(result["interfaces"][index]["mac"], mac);
        assert_eq!((found.mtu, found.is_up), (MTU, true), "{}", found.name);
    }
    Ok(())
}

#[test]
fn pods_of_one_node_reach_each_other_and_the_node() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let (one, two) = (Pod::new("one")?, Pod::new("two")?);
    host.add(&one)?;
    let addresses = ips(&host.add(&two)?);
    for ip in addresses {
        let listener = two.listen(ip)?;
        one.connect(ip)?;
        drop(listener);
    }
    let listener = host.run(|| Ok(std::net::TcpListener::bind("192.0.2.1:8080")?))?;
    one.connect([192, 0, 2, 1].into())?;
    drop(listener);
    Ok(())
}

#[test]
fn both_ends_have_the_settings_that_routing_needs() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let pod = Pod::new("settings")?;
    let result = host.add(&pod)?;
    let link = result["interfaces"][0]["name"].as_str().context("no name")?.to_owned();
    let found = host.run(move || {
        let four = ["rp_filter", "forwarding", "send_redirects"];
        let six = ["disable_ipv6", "addr_gen_mode", "accept_ra", "accept_dad", "forwarding"];
        let four = four.map(|key| sysctl::get(&format!("net/ipv4/conf/{link}/{key}")));
        let six = six.map(|key| sysctl::get(&format!("net/ipv6/conf/{link}/{key}")));
        Ok(four.into_iter().chain(six).collect::<Result<Vec<_>, _>>()?)
    })?;
    assert_eq!(found, ["0", "1", "0", "0", "1", "0", "0", "1"]);
    let found = pod.inside.run(|| {
        let keys = ["disable_ipv6", "accept_ra", "accept_dad", "keep_addr_on_down"];
        keys.map(|key| sysctl::get(&format!("net/ipv6/conf/eth0/{key}"))).into_iter().collect()
    })?;
    let found: Result<Vec<_>, hostnet::Error> = found;
    assert_eq!(found?, ["0", "0", "0", "1"]);
    Ok(())
}

#[test]
fn loopback_is_up_whoever_else_switches_it_on() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    for turn in 0..20 {
        let pod = Pod::new(&format!("lo-{turn}"))?;
        let call = host.call("ADD", &pod);
        thread::scope(|scope| {
            let beside = scope.spawn(|| pod.inside.ip("link set lo up"));
            host.make(call)?.result()?;
            beside.join().expect("nothing panics")
        })?;
        let lo = pod.inside.run(|| {
            block_on(async { Ok(link::require(&Netlink::here()?, "lo").await?.is_up) })
        })??;
        assert!(lo, "turn {turn}");
    }
    Ok(())
}

#[test]
fn add_again_gives_the_same_network() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let pod = Pod::new("again")?;
    let first = host.add(&pod)?;
    let second = host.add(&pod)?;
    assert_eq!(first, second);
    assert_eq!((host.traces()?, host.leases()?), (ONE_POD, (1, 0)));
    for ip in ips(&second) {
        host.reaches(&pod, ip)?;
    }
    Ok(())
}

#[test]
fn programs_are_attached_as_the_agent_does_it() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    host.write_node_file(&BOTH, "clsact")?;
    let pod = Pod::new("filters")?;
    let mut config = host.config("1.0.0");
    config["prevResult"] = host.add(&pod)?;
    assert_eq!(host.traces()?, Traces { hooks: 0, filters: 2, ..ONE_POD });
    assert_eq!(host.make(host.call("CHECK", &pod).input(&config))?.code(), 0);
    for ip in ips(&config["prevResult"]) {
        host.reaches(&pod, ip)?;
    }
    assert_eq!(host.del(&pod)?.code(), 0);
    assert_eq!(host.traces()?, Traces::default());
    Ok(())
}

#[test]
fn a_node_of_one_family_gives_addresses_of_that_family() -> Result<()> {
    for cidr in BOTH {
        let host = Host::ready(&[cidr])?;
        let pod = Pod::new("single")?;
        let addresses = ips(&host.add(&pod)?);
        assert_eq!(addresses.len(), 1, "{cidr}");
        host.reaches(&pod, addresses[0])?;
    }
    Ok(())
}

#[test]
fn what_is_damaged_is_found_by_check() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let pod = Pod::new("check")?;
    let mut config = host.config("1.0.0");
    config["prevResult"] = host.add(&pod)?;
    let check =
        || Ok::<_, anyhow::Error>(host.make(host.call("CHECK", &pod).input(&config))?.code());
    assert_eq!(check()?, 0);
    assert_eq!(host.make(host.call("CHECK", &pod))?.code(), 7, "without a previous result");

    std::fs::remove_file(host.table())?;
    assert_eq!(check()?, 101, "without a lease");
    host.add(&pod)?;
    assert_eq!(check()?, 0);

    let pins = host.pins();
    let link = host.links()?.into_iter().find(|link| link.name.starts_with("wag"));
    let link = link.context("no link")?.index;
    host.run(move || Ok(std::fs::remove_file(pins.link(link, hostnet::hook::Direction::Egress))?))?;
    assert_eq!(check()?, 101, "without a program");
    Ok(())
}
