//! Pods send from addresses of their own, and are found again whatever they do to their link.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use xtask::{
    topology::{Attachment, Netns, Runtime},
    workload::{Protocol, ask},
};

use super::{
    cluster::{Ground, plugin, waggle, wait_until},
    land::{Land, as_they_are, said},
    services::PORT,
};

/// How long is waited for what must not come.
const SILENCE: Duration = Duration::from_millis(500);
/// How long a pod may be away that has changed its hardware address.
const FOUND_AGAIN: Duration = Duration::from_secs(10);

/// Addresses of nobody in the first node's networks.
const FORGED: [&str; 2] = ["10.244.1.99", "fd00:10:244:1::99"];

/// The configuration of pods that may send from any address.
const UNGUARDED: &str = r#"{
    "cniVersion": "1.0.0", "name": "waggle", "type": "waggle-cni",
    "runtimeConfig": {
        "io.kubernetes.cri.pod-annotations": {"waggle.dev/source-guard": "off"}
    }
}"#;

/// Makes a pod send from the forged addresses, or from its own again.
fn send_from(pod: &Netns, addresses: [&str; 2]) -> Result<()> {
    let [v4, v6] = addresses;
    pod.ip(&[
        format!("address replace {v4}/32 dev eth0"),
        format!("address replace {v6}/128 dev eth0 nodad"),
        format!("route replace default via 169.254.1.1 dev eth0 onlink src {v4}"),
        format!("route replace default via fe80::1 dev eth0 src {v6}"),
    ])
}

/// Whether a pod gets an answer, in each family.
fn answered(pod: &Netns, server: Attachment) -> Result<[bool; 2]> {
    let mut answers = [false; 2];
    for (answered, ip) in answers.iter_mut().zip([IpAddr::from(server.v4), server.v6.into()]) {
        *answered = pod.run(|| ask(Protocol::Udp, (ip, PORT).into(), SILENCE))?.is_ok();
    }
    Ok(answers)
}

#[test]
fn what_a_pod_sends_from_another_address_is_dropped_unless_it_may() -> Result<()> {
    let ground = Ground::with_nodes("guard-forged", 2, 0)?;
    let land = Land::start(&ground, "mode: host-gw\n", &as_they_are(&ground))?;
    let (a, pod, server) = (ground.network.a(), &land.members[0], land.members[1].addresses);
    wait_until(|| Ok(answered(pod.pod.netns(), server)? == [true; 2])).context("its own")?;
    let seen = || -> Result<u64> {
        let output = a.command(waggle()?)?.args(["status", "--output", "json"]).output()?;
        let status: Value = serde_json::from_slice(&output.stdout)?;
        status["counters"]["drop_forged_source"].as_u64().context("no such counter")
    };
    send_from(pod.pod.netns(), FORGED)?;
    ensure!(answered(pod.pod.netns(), server)? == [false; 2]);
    ensure!(seen()? >= 2, "{}", seen()?);
    let Attachment { v4, v6 } = pod.addresses;
    send_from(pod.pod.netns(), [&v4.to_string(), &v6.to_string()])?;
    ensure!(answered(pod.pod.netns(), server)? == [true; 2]);
    let free = a.make_pod("free")?;
    Runtime::new(&plugin()?, UNGUARDED).add(&free)?;
    let before = seen()?;
    send_from(free.netns(), FORGED)?;
    a.netns().ip(&[
        format!("route add {}/32 dev {}", FORGED[0], host_link(a.netns(), free.name())?),
        format!("route add {}/128 dev {}", FORGED[1], host_link(a.netns(), free.name())?),
    ])?;
    ensure!(answered(free.netns(), server)? == [true; 2], "the guard is off");
    ensure!(seen()? == before);
    Ok(())
}

/// The host's end of a pod's link, by its alias.
fn host_link(node: &Netns, pod: &str) -> Result<String> {
    let links: Value = serde_json::from_str(&said(node, "ip", &["-json", "link"])?)?;
    let mut links = links.as_array().into_iter().flatten();
    let alias = |link: &&Value| link["ifalias"].as_str().is_some_and(|alias| alias.contains(pod));
    let link = links.find(alias).with_context(|| format!("no link of {pod}"))?;
    Ok(link["ifname"].as_str().context("no name")?.to_owned())
}

#[test]
fn a_pod_that_changes_its_hardware_address_is_found_again() -> Result<()> {
    let ground = Ground::with_nodes("guard-mac", 2, 0)?;
    let land = Land::start(&ground, "mode: host-gw\n", &as_they_are(&ground))?;
    let [first, second] = &land.members[..] else { anyhow::bail!("two pods") };
    wait_until(|| Ok(land.unreached()?.is_empty())).with_context(|| land.logs())?;
    for (asked, asking) in [(first, second), (second, first)] {
        asked.pod.netns().ip(&["link set eth0 address 02:00:00:00:00:77"])?;
        let began = Instant::now();
        wait_until(|| Ok(answered(asking.pod.netns(), asked.addresses)? == [true; 2]))?;
        let took = began.elapsed();
        println!("found again after {took:?}");
        ensure!(took < FOUND_AGAIN, "{took:?}");
    }
    Ok(())
}
