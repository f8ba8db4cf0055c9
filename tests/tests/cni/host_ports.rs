//! Ports of the node that lead to pods: who has which, and what is left of it.

use std::fs;

use anyhow::Result;
use aya::maps::{HashMap, Map, MapData};
use dataplane_common::abi::{Addr, FrontendKey, HostPort, names};
use serde_json::{Value, json};

use super::{
    host::{Host, Pod, ips},
    plugin::{Call, Said},
};

const BOTH: [&str; 2] = ["10.1.1.0/24", "fd01:1::/64"];

/// A request about a pod called as its container, with ports of the node's for it.
fn call(host: &Host, verb: &str, pod: &Pod, mappings: &Value) -> Call {
    let mut config = host.config("1.0.0");
    config["runtimeConfig"] = json!({ "portMappings": mappings });
    let name = format!("IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME={}", pod.container);
    host.call(verb, pod).with("CNI_ARGS", name).input(&config)
}

/// Where the node's ports lead, in order.
fn table(host: &Host) -> Result<Vec<String>> {
    let pin = host.pins().map(names::HOST_PORTS);
    host.run(move || {
        let map: HashMap<_, FrontendKey, HostPort> =
            HashMap::try_from(Map::HashMap(MapData::from_pin(pin)?))?;
        let line = |(key, to): (FrontendKey, HostPort)| {
            let [at, pod] = [key.addr, to.addr].map(Addr::to_ip);
            let (port, inside) = (key.port.number(), to.port.number());
            format!("{at} {port} {} -> {pod} {inside}", key.proto.0)
        };
        let mut lines = map.iter().map(|entry| entry.map(line)).collect::<Result<Vec<_>, _>>()?;
        lines.sort_unstable();
        Ok(lines)
    })
}

/// How many ports the record has.
fn recorded(host: &Host) -> usize {
    let text = fs::read_to_string(host.run_dir().join("host-ports"));
    text.map_or(0, |text| text.lines().skip(1).count())
}

fn port(number: u16) -> Value {
    json!([{ "hostPort": number, "containerPort": 8080, "protocol": "tcp" }])
}

#[test]
fn ports_lead_to_their_pod_by_family_until_it_is_deleted() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let pod = Pod::new("web")?;
    let mappings = json!([
        { "hostPort": 80, "containerPort": 8080, "protocol": "tcp" },
        { "hostPort": 81, "containerPort": 8080, "protocol": "tcp", "hostIP": "0.0.0.0" },
        { "hostPort": 80, "containerPort": 5353, "protocol": "udp", "hostIP": "::" },
        { "hostPort": 82, "containerPort": 82, "protocol": "sctp", "hostIP": "192.0.2.1" },
        { "hostPort": 82, "containerPort": 8080, "protocol": "tcp", "hostIP": "fd00::1" },
    ]);
    let mut result = host.make(call(&host, "ADD", &pod, &mappings))?.result()?;
    let (v4, v6) = (ips(&result)[0], ips(&result)[1]);
    let expected = [
        format!("0.0.0.0 80 6 -> {v4} 8080"),
        format!("0.0.0.0 81 6 -> {v4} 8080"),
        format!("192.0.2.1 82 132 -> {v4} 82"),
        format!(":: 80 17 -> {v6} 5353"),
        format!(":: 80 6 -> {v6} 8080"),
        format!("fd00::1 82 6 -> {v6} 8080"),
    ];
    assert_eq!((table(&host)?.as_slice(), recorded(&host)), (expected.as_slice(), 6));
    result["cniVersion"] = "1.0.0".into();
    let check = |mappings: &Value| {
        let mut config = host.config("1.0.0");
        config["prevResult"] = result.clone();
        config["runtimeConfig"] = json!({ "portMappings": mappings });
        host.make(host.call("CHECK", &pod).input(&config))
    };
    assert_eq!(check(&mappings)?, Said::Done(None));
    assert_eq!(check(&port(99))?.code(), 101, "a port that does not lead there");
    assert_eq!(host.del(&pod)?, Said::Done(None));
    assert_eq!((table(&host)?, recorded(&host)), (vec![], 0));
    Ok(())
}

#[test]
fn a_port_of_a_pod_that_lives_is_refused_by_its_name_and_a_dead_ones_is_taken_over() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let [first, second, third] = [Pod::new("first")?, Pod::new("second")?, Pod::new("third")?];
    host.make(call(&host, "ADD", &first, &port(80)))?.result()?;
    let before = (host.traces()?, table(&host)?, host.leases()?.0);
    let said = host.make(call(&host, "ADD", &second, &port(80)))?;
    let Said::Failed { code: 103, text } = said else { panic!("{said:?}") };
    assert!(text.contains("leads to pod shop/first"), "{text}");
    assert_eq!((host.traces()?, table(&host)?, host.leases()?.0), before, "nothing is left of it");

    let exact = json!([{ "hostPort": 80, "containerPort": 80, "hostIP": "192.0.2.1" }]);
    host.make(call(&host, "ADD", &third, &exact))?.result()?;
    assert_eq!(table(&host)?.len(), 3, "one address beside all");

    let name = first.container.clone();
    drop(first);
    host.wait_for_links(1)?;
    let result = host.make(call(&host, "ADD", &second, &port(80)))?.result()?;
    let taken = format!("0.0.0.0 80 6 -> {} 8080", ips(&result)[0]);
    assert!(table(&host)?.contains(&taken), "{:?}", table(&host)?);
    let late = host.call("DEL", &second).with("CNI_CONTAINERID", name);
    assert_eq!(host.make(late)?, Said::Done(None));
    assert!(table(&host)?.contains(&taken), "the dead one's DEL takes nothing of it");
    assert_eq!(host.make(call(&host, "ADD", &second, &port(80)))?.code(), 0, "its own, again");
    Ok(())
}

#[test]
fn ports_of_a_pod_that_died_without_del_are_collected() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let (dead, alive) = (Pod::new("dead")?, Pod::new("alive")?);
    host.make(call(&host, "ADD", &dead, &port(80)))?.result()?;
    host.make(call(&host, "ADD", &alive, &port(81)))?.result()?;
    drop(dead);
    host.wait_for_links(1)?;
    let mut config = host.config("1.1.0");
    config["cni.dev/valid-attachments"] = json!([{ "containerID": "alive", "ifname": "eth0" }]);
    assert_eq!(host.make(Call::bare("GC").input(&config))?, Said::Done(None));
    let left = table(&host)?;
    assert!(left.len() == 2 && left.iter().all(|line| line.contains(" 81 6 ")), "{left:?}");
    assert_eq!(recorded(&host), 2);
    Ok(())
}

#[test]
fn no_mappings_are_nothing_forty_are_forty_and_none_is_port_zero() -> Result<()> {
    let host = Host::ready(&BOTH[..1])?;
    let pod = Pod::new("plain")?;
    host.add(&pod)?;
    assert_eq!(host.del(&pod)?, Said::Done(None));
    assert_eq!((table(&host)?, host.run_dir().join("host-ports").exists()), (vec![], false));
    let said = host.make(call(&host, "ADD", &pod, &port(0)))?;
    let Said::Failed { code: 7, text } = said else { panic!("{said:?}") };
    assert!(text.starts_with("Invalid host port number: 0"), "{text}");
    let many: Vec<_> =
        (1..=40).flat_map(|number| port(number).as_array().cloned()).flatten().collect();
    host.make(call(&host, "ADD", &pod, &many.into()))?.result()?;
    assert_eq!(table(&host)?.len(), 40);
    assert_eq!(host.del(&pod)?, Said::Done(None));
    assert_eq!(table(&host)?, Vec::<String>::new());
    Ok(())
}
