//! Pods that another plugin has made ports of one bridge: what they send each other does not pass
//! the node's stack, nor a hook of the bridge.

use std::net::IpAddr;

use anyhow::{Context as _, Result};
use serde_json::Value;
use xtask::{
    topology::{Attachment, Node, Pod},
    workload::{Protocol, ask},
};

use super::{
    cluster::{ANSWER, Cluster, DELIVERIES, Ground, wait_until},
    foreign::{attachment, hand_over},
    services::{EMPTY, HAIRPIN, ITSELF, NEAR, Service, Way},
    stream::Stream,
};

/// A bridge of node-a, as the plugin `bridge` makes it.
pub(super) struct Bridge<'a>(&'a Node);

impl<'a> Bridge<'a> {
    pub(super) fn make(node: &'a Node) -> Result<Self> {
        node.netns().ip(&[
            // Else it would be that of a port, and another one once that goes.
            "link add cni0 address 0a:58:0a:f4:01:c1 type bridge",
            "address add 10.244.1.193/28 dev cni0",
            "address add fd00:10:244:1:c::c1/124 dev cni0 nodad",
            "link set cni0 up",
        ])?;
        Ok(Self(node))
    }

    /// Makes a pod a port of it; `number` ends the pod's addresses.
    pub(super) fn plug_in(&self, name: &str, number: u8) -> Result<(Pod<'a>, Attachment)> {
        let pod = self.0.make_pod(name)?;
        let port = port(name);
        self.0.netns().ip(&[
            format!("link add {port} type veth peer name {name}1"),
            format!("link set {port} master cni0 up"),
        ])?;
        hand_over(self.0, &pod, &format!("{name}1"))?;
        let addresses = attachment(number);
        let Attachment { v4, v6 } = addresses;
        pod.netns().ip(&[
            format!("address add {v4}/28 dev eth0"),
            format!("address add {v6}/124 dev eth0 nodad"),
            "route add default via 10.244.1.193".to_owned(),
            "route add default via fd00:10:244:1:c::c1".to_owned(),
        ])?;
        Ok((pod, addresses))
    }
}

/// The host's end of a pod's link.
fn port(pod: &str) -> String {
    format!("{pod}0")
}

#[test]
fn pods_of_one_bridge_reach_each_other_and_themselves_by_services() -> Result<()> {
    let mut wrong = Vec::new();
    for mode in DELIVERIES {
        let ground = Ground::new(&format!("bridged-{}-{}", mode.delivery, mode.attach))?;
        let mut cluster = Cluster::start(&ground, mode)?;
        let bridge = Bridge::make(cluster.node_of("node-a")?)?;
        let found = [two(&mut cluster, &bridge)?, one_more(&mut cluster, &bridge)?].concat();
        wrong.extend(found.into_iter().map(|line| format!("{mode:?} {line}")));
    }
    assert_eq!(wrong, Vec::<String>::new());
    Ok(())
}

/// What is wrong between two pods, of which each is a Service.
fn two<'a>(cluster: &mut Cluster<'a>, bridge: &Bridge<'a>) -> Result<Vec<String>> {
    let (left, left_addresses) = bridge.plug_in("left", 194)?;
    let (right, right_addresses) = bridge.plug_in("right", 195)?;
    cluster.adopt(left, left_addresses)?;
    cluster.adopt(right, right_addresses)?;
    cluster.set_endpoints(ITSELF, &["left"])?;
    cluster.set_endpoints(NEAR, &["right"])?;
    // Written last, so that it tells when all has arrived.
    cluster.set_endpoints(EMPTY, &["near"])?;
    wait_for_hooks(cluster, &["left", "right"])?;
    let [last, ..] = EMPTY.ways();
    wait_until(|| Ok(answer(cluster, "left", last)?.is_ok())).context("asking a pod of ours")?;
    let rows = [
        ("left", NEAR, "right", left_addresses),
        ("right", NEAR, "right", HAIRPIN),
        ("right", ITSELF, "left", right_addresses),
        ("left", ITSELF, "left", HAIRPIN),
    ];
    let mut wrong = Vec::new();
    for (asker, service, server, seen) in rows {
        wrong.extend(walks(cluster, asker, service, (server, seen))?);
    }
    Ok(wrong)
}

/// What is wrong when a third comes and goes while the two have connections.
fn one_more<'a>(cluster: &mut Cluster<'a>, bridge: &Bridge<'a>) -> Result<Vec<String>> {
    let streams = NEAR.ways().into_iter().filter(|way| way.protocol == Protocol::Tcp);
    let streams: Vec<Stream> =
        streams.map(|way| Stream::begin(cluster.netns("left")?, way)).collect::<Result<_>>()?;
    let (late, addresses) = bridge.plug_in("late", 196)?;
    cluster.adopt(late, addresses)?;
    wait_for_hooks(cluster, &["late", "left", "right"])?;
    let mut wrong = walks(cluster, "late", NEAR, ("right", addresses))?;
    bridge.0.netns().ip(&["link delete late0"])?;
    wait_for_hooks(cluster, &["left", "right"])?;
    for stream in streams {
        wrong.extend(stream.finish().err().map(|error| format!("{error:#}")));
    }
    Ok(wrong)
}

/// Waits until these pods' ports, and no others, have their hook.
fn wait_for_hooks(cluster: &Cluster<'_>, pods: &[&str]) -> Result<()> {
    let expected: Vec<String> =
        pods.iter().map(|pod| format!("{}-out to_netdev", port(pod))).collect();
    let found = wait_until(|| {
        let status = cluster.status("node-a")?;
        let hooks = status["hooks"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut found: Vec<String> = hooks
            .map(|hook| {
                let [device, at, program] =
                    ["device", "direction", "program"].map(|part| text(&hook[part]));
                format!("{device}-{at} {program}")
            })
            .filter(|hook| ["left0", "right0", "late0"].iter().any(|port| hook.starts_with(port)))
            .collect();
        found.sort();
        Ok(found == expected)
    });
    found.with_context(|| format!("waiting for the hooks of {pods:?}"))
}

fn answer(cluster: &Cluster<'_>, pod: &str, way: Way) -> Result<std::io::Result<(String, IpAddr)>> {
    let answer = cluster.netns(pod)?.run(|| ask(way.protocol, way.address, ANSWER))?;
    Ok(answer.map(|answer| (answer.server, answer.client.ip())))
}

/// What is wrong with a pod's answers from a Service, of which it knows the server and whom that
/// sees.
fn walks(
    cluster: &Cluster<'_>,
    pod: &str,
    service: Service,
    (server, seen): (&str, Attachment),
) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for way in service.ways() {
        let seen: IpAddr = if way.address.is_ipv4() { seen.v4.into() } else { seen.v6.into() };
        let expected = (server.to_owned(), seen);
        let found = answer(cluster, pod, way)?;
        if !matches!(&found, Ok(found) if *found == expected) {
            wrong.push(format!("{pod} asks {way:?}: expected {expected:?}, found {found:?}"));
        }
    }
    Ok(wrong)
}
