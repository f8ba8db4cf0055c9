//! A pod with more than one interface, of one network and of several.

use anyhow::Result;
use serde_json::Value;

use super::{
    host::{Host, Pod, Traces, ips},
    plugin::{Call, Said},
};

const BOTH: [&str; 2] = ["10.1.1.0/24", "fd01:1::/64"];
const ONE: Traces = Traces { links: 1, routes: 2, hooks: 2, filters: 0, pods: 2 };
const TWO: Traces = Traces { links: 2, routes: 4, hooks: 4, filters: 0, pods: 4 };

fn call(host: &Host, verb: &str, pod: &Pod, network: &str, result: Option<&Value>) -> Call {
    let mut config = host.config("1.0.0");
    config["name"] = network.into();
    if let Some(result) = result {
        config["prevResult"] = result.clone();
    }
    host.call(verb, pod).with("CNI_IFNAME", "net1").input(&config)
}

#[test]
fn a_second_interface_comes_and_goes_by_itself() -> Result<()> {
    for network in ["waggle", "other"] {
        let host = Host::ready(&BOTH)?;
        let pod = Pod::new("both")?;
        let first = host.add(&pod)?;
        let second = host.make(call(&host, "ADD", &pod, network, None))?.result()?;
        assert_eq!(host.traces()?, TWO);
        assert!(ips(&second).iter().all(|ip| !ips(&first).contains(ip)), "{first} {second}");
        assert_eq!(second["routes"], serde_json::json!([]), "the pod has a way out");

        let check = call(&host, "CHECK", &pod, network, Some(&second));
        assert_eq!(host.make(check)?, Said::Done(None));
        assert_eq!(host.make(call(&host, "DEL", &pod, network, None))?, Said::Done(None));
        assert_eq!(host.traces()?, ONE);
        for ip in ips(&first) {
            host.reaches(&pod, ip)?;
        }
        assert_eq!(host.del(&pod)?, Said::Done(None));
        assert_eq!(host.traces()?, Traces::default());
    }
    Ok(())
}

#[test]
fn a_pod_with_a_way_out_of_somebody_else_keeps_it() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let pod = Pod::new("foreign")?;
    for line in [
        "link add eth0 type veth peer name eth1",
        "addr add 198.51.100.2/24 dev eth0",
        "link set eth0 up",
        "link set eth1 up",
        "route add default via 198.51.100.1",
    ] {
        pod.inside.ip(line)?;
    }
    let result = host.make(call(&host, "ADD", &pod, "waggle", None))?.result()?;
    let routes = serde_json::json!([{ "dst": "::/0", "gw": "fe80::1" }]);
    assert_eq!(result["routes"], routes, "of IPv6 it has none");
    let check = call(&host, "CHECK", &pod, "waggle", Some(&result));
    assert_eq!(host.make(check)?, Said::Done(None));
    assert_eq!(host.make(call(&host, "DEL", &pod, "waggle", None))?, Said::Done(None));
    assert_eq!(host.traces()?, Traces::default());
    Ok(())
}
