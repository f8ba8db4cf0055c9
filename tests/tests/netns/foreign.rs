//! Pods that another plugin has wired: behind a bridge, and at the end of a link of their own.

use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::{Context as _, Result};
use xtask::{
    topology::{Attachment, Node, Pod},
    workload::ask,
};

use super::{
    bridged::Bridge,
    cluster::{ANSWER, Cluster, DELIVERIES, Ground, wait_until},
    services::{BOTH, FAR, Frontend, HOST, NEAR, OPEN, PORT, Service, ways},
    tunnel::is_fair,
};

/// Addresses of node-a's range, far behind those that Waggle's own plugin has given.
pub(super) fn attachment(number: u8) -> Attachment {
    Attachment {
        v4: Ipv4Addr::new(10, 244, 1, number),
        v6: Ipv6Addr::new(0xfd00, 0x10, 0x244, 1, 0xc, 0, 0, number.into()),
    }
}

#[test]
fn pods_of_another_plugin_reach_services_and_get_their_answers() -> Result<()> {
    let mut wrong = Vec::new();
    for mode in DELIVERIES {
        let ground = Ground::new(&format!("foreign-{}-{}", mode.delivery, mode.attach))?;
        let cluster = Cluster::start(&ground, mode)?;
        let node = cluster.node_of("node-a")?;
        for (pod, addresses) in [Bridge::make(node)?.plug_in("bridged", 194)?, linked(node, 226)?] {
            for line in walks(&cluster, &pod, addresses)? {
                wrong.push(format!("{mode:?} {} {line}", pod.name()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    Ok(())
}

/// As the plugin `ptp` does it.
fn linked(node: &Node, number: u8) -> Result<(Pod<'_>, Attachment)> {
    let pod = node.make_pod("linked")?;
    let addresses = attachment(number);
    let Attachment { v4, v6 } = addresses;
    node.netns().ip(&[
        "link add foreign2 type veth peer name foreign3".to_owned(),
        "address add 10.244.1.225/32 dev foreign2".to_owned(),
        "address add fd00:10:244:1:c::e1/128 dev foreign2 nodad".to_owned(),
        "link set foreign2 up".to_owned(),
        format!("route add {v4}/32 dev foreign2"),
        format!("route add {v6}/128 dev foreign2"),
    ])?;
    hand_over(node, &pod, "foreign3")?;
    pod.netns().ip(&[
        format!("address add {v4}/32 dev eth0"),
        format!("address add {v6}/128 dev eth0 nodad"),
        "route add default via 10.244.1.225 dev eth0 onlink".to_owned(),
        "route add default via fd00:10:244:1:c::e1 dev eth0 onlink".to_owned(),
    ])?;
    Ok((pod, addresses))
}

/// Makes a device of the node the pod's own.
pub(super) fn hand_over(node: &Node, pod: &Pod<'_>, device: &str) -> Result<()> {
    let moved = node.command("ip")?.args(["link", "set", device, "netns", pod.name()]).output()?;
    anyhow::ensure!(moved.status.success(), "{moved:?}");
    pod.netns().ip(&[format!("link set {device} name eth0 up")])
}

/// What is wrong with a pod's walks.
fn walks(cluster: &Cluster<'_>, pod: &Pod<'_>, own: Attachment) -> Result<Vec<String>> {
    for name in ["near", "far"] {
        let Attachment { v4, v6 } = cluster.addresses(name)?;
        for way in ways(v4.into(), v6.into(), |_| PORT) {
            let answer = pod.netns().run(|| ask(way.protocol, way.address, ANSWER))?;
            answer.with_context(|| format!("{way:?} of {name} itself"))?;
        }
    }
    // The agent sees new devices in its own time, and this Service has a backend everywhere.
    let [first, ..] = BOTH.ways();
    wait_until(|| Ok(pod.netns().run(|| ask(first.protocol, first.address, ANSWER))?.is_ok()))?;
    let node = cluster.addresses("node-a")?;
    let [open_near, open_far, ..] = OPEN;
    let at = Frontend::NodePort(node);
    let rows: [(Service, Frontend, Attachment); 5] = [
        (NEAR, Frontend::ClusterIp, own),
        (FAR, Frontend::ClusterIp, own),
        (HOST, Frontend::ClusterIp, own),
        (open_near, at, node),
        (open_far, at, node),
    ];
    let mut wrong = Vec::new();
    for (service, frontend, seen) in rows {
        for way in service.ways_at(frontend).into_iter().filter(|way| is_fair(service, *way)) {
            let seen = if way.address.is_ipv4() { seen.v4.into() } else { seen.v6.into() };
            let expected = (service.endpoints[0].to_owned(), seen);
            let found = pod.netns().run(|| ask(way.protocol, way.address, ANSWER))?;
            let found = found.map(|answer| (answer.server, answer.client.ip()));
            if !matches!(&found, Ok(found) if *found == expected) {
                wrong.push(format!("{way:?}: expected {expected:?}, found {found:?}"));
            }
        }
    }
    Ok(wrong)
}
