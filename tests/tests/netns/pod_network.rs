//! How pods of one node reach those of another: by routes, through the tunnel, or by whichever
//! fits; and how that comes back when somebody breaks it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use xtask::{
    topology::{Netns, Node},
    workload::{Protocol, ask},
};

use super::{
    cluster::{Ground, waggle, wait_until},
    land::{Land, as_they_are, readdress, said, word_after},
    services::PORT,
};

/// How long is waited for what must not come.
const SILENCE: Duration = Duration::from_millis(500);

/// The tunnel's device.
pub(super) const TUNNEL: &str = "waggle.1";

#[test]
fn pods_of_all_nodes_reach_each_other_in_every_mode() -> Result<()> {
    for (name, lines, is_beyond, v6_first, devices, mtu) in [
        ("host-gw", "mode: host-gw\n", false, false, ["eth0", "eth0"], 1500),
        ("vxlan", "mode: vxlan\n", true, false, [TUNNEL, TUNNEL], 1450),
        ("auto", "mode: auto\n", true, false, ["eth0", TUNNEL], 1450),
        ("auto-one-link", "mode: auto\n", false, false, ["eth0", "eth0"], 1450),
        ("vxlan-v6", "mode: vxlan\n", true, true, [TUNNEL, TUNNEL], 1430),
        (
            "other-numbers",
            "mode: vxlan\nvxlan: {vni: 7, port: 4789}\n",
            true,
            false,
            ["waggle.7", "waggle.7"],
            1450,
        ),
    ] {
        let (near, beyond) = if is_beyond { (2, 1) } else { (3, 0) };
        let ground = Ground::with_nodes(&format!("pods-{name}"), near, beyond)?;
        let mut nodes = as_they_are(&ground);
        if v6_first {
            nodes.iter_mut().for_each(|node| node.ips.reverse());
        }
        let land = Land::start(&ground, lines, &nodes)?;
        reach(&land).with_context(|| name.to_owned())?;
        let a = ground.network.a();
        let found = [land.device_to(a, 1)?, land.device_to(a, 2)?];
        ensure!(found == devices, "{name}: {found:?}");
        let link = said(land.members[0].pod.netns(), "ip", &["link", "show", "eth0"])?;
        ensure!(link.contains(&format!(" mtu {mtu} ")), "{name}: {link}");
        land.fetch_all().with_context(|| format!("{name}\n{}", land.logs()))?;
    }
    Ok(())
}

/// Waits until everybody reaches everybody.
pub(super) fn reach(land: &Land<'_>) -> Result<()> {
    let mut wrong = Vec::new();
    let reached = wait_until(|| {
        wrong = land.unreached()?;
        Ok(wrong.is_empty())
    });
    reached.with_context(|| format!("{wrong:#?}\n{}", land.logs()))
}

#[test]
fn what_somebody_takes_away_is_put_back_and_what_is_not_ours_is_left() -> Result<()> {
    let ground = Ground::with_nodes("pods-heal", 2, 1)?;
    let nodes = as_they_are(&ground);
    let land = Land::start(&ground, "mode: auto\n", &nodes)?;
    reach(&land)?;
    let a = ground.network.a().netns();
    a.ip(&["route add blackhole 10.200.0.0/24"])?;
    let mac = far_mac(a, "10.244.3.0")?;
    for (name, lines) in [
        ("tunnel", vec![format!("link delete {TUNNEL}")]),
        ("route by the tunnel", vec!["route delete 10.244.3.0/24".to_owned()]),
        ("direct route", vec!["route delete 10.244.2.0/24".to_owned()]),
        ("neighbour", vec![format!("neighbour delete 10.244.3.0 dev {TUNNEL}")]),
        ("tunnel switched off", vec![format!("link set {TUNNEL} down")]),
        ("addresses", vec![format!("address flush dev {TUNNEL} scope global")]),
        ("hardware address", vec![format!("link set {TUNNEL} address 02:00:00:00:00:01")]),
        ("MTU", vec![format!("link set {TUNNEL} mtu 1200")]),
        (
            "uplink",
            [
                "link set eth0 down",
                "link set eth0 up",
                "address replace fd77::11/64 dev eth0 nodad",
                "route replace default via 192.168.77.1",
                "route replace default via fd77::1",
            ]
            .map(str::to_owned)
            .to_vec(),
        ),
    ] {
        healed(&land, name, || a.ip(&lines))?;
    }
    healed(&land, "host behind the tunnel", || {
        let output = a.command("bridge").args(["fdb", "delete", &mac, "dev", TUNNEL]).output()?;
        ensure!(output.status.success(), "{output:?}");
        Ok(())
    })?;
    ensure!(said(a, "ip", &["route", "show", "10.200.0.0/24"])?.contains("blackhole"));
    let kept = said(a, "ip", &["link", "show", TUNNEL])?;
    ensure!(kept.contains(" mtu 1450 "), "{kept}");
    Ok(())
}

/// Breaks something and waits until everybody reaches everybody again.
fn healed(land: &Land<'_>, name: &str, harm: impl FnOnce() -> Result<()>) -> Result<()> {
    harm().with_context(|| name.to_owned())?;
    let began = Instant::now();
    reach(land).with_context(|| name.to_owned())?;
    println!("{name}: put back within {:?}", began.elapsed());
    Ok(())
}

/// The hardware address that a node knows for an end of the tunnel.
fn far_mac(netns: &Netns, end: &str) -> Result<String> {
    let known = said(netns, "ip", &["neighbour", "show", end, "dev", TUNNEL])?;
    Ok(word_after(&known, "lladdr").with_context(|| known.clone())?.to_owned())
}

/// All that a node knows of another one, by its podCIDR and addresses.
pub(super) fn known(netns: &Netns, pods: u8) -> Result<Vec<String>> {
    let network = format!("10.244.{pods}.0");
    let mut lines = Vec::new();
    for arguments in [&["route", "show"][..], &["-6", "route", "show"], &["neighbour", "show"]] {
        lines.extend(said(netns, "ip", arguments)?.lines().map(str::to_owned));
    }
    let v6 = format!("fd00:10:244:{pods}::");
    lines.retain(|line| line.starts_with(&network) || line.starts_with(&v6));
    Ok(lines)
}

#[test]
fn a_node_that_goes_comes_or_moves_is_followed_with_and_without_an_agent() -> Result<()> {
    let ground = Ground::with_nodes("pods-nodes", 2, 1)?;
    let mut nodes = as_they_are(&ground);
    let mut land = Land::start(&ground, "mode: vxlan\n", &nodes)?;
    reach(&land)?;
    let a = ground.network.a().netns();
    // Gone while the agent of the first node was away: nothing of it is left.
    land.agents[0].kill()?;
    land.say(&nodes[..2])?;
    land.agents[0].restart()?;
    wait_until(|| Ok(known(a, 3)?.is_empty() && !forwards(a)?.contains("192.168.80.13")))
        .with_context(|| format!("{:?}\n{}", known(a, 3), land.logs()))?;
    land.say(&nodes)?;
    reach(&land).context("it came back")?;
    // Other addresses.
    let (v4, v6) = (Ipv4Addr::new(192, 168, 80, 77), Ipv6Addr::new(0xfd7a, 0, 0, 0, 0, 0, 0, 0x77));
    nodes[2].ips = readdress(ground.network.c().netns(), v4, v6)?;
    land.say(&nodes)?;
    reach(&land).context("it has other addresses")?;
    let forwards = forwards(a)?;
    ensure!(
        forwards.contains("dst 192.168.80.77") && !forwards.contains("192.168.80.13"),
        "{forwards}"
    );
    Ok(())
}

/// Where a node's tunnel sends frames.
fn forwards(netns: &Netns) -> Result<String> {
    said(netns, "bridge", &["fdb", "show", "dev", TUNNEL])
}

#[test]
fn another_mode_is_taken_while_pods_talk() -> Result<()> {
    let ground = Ground::with_nodes("pods-modes", 3, 0)?;
    let nodes = as_they_are(&ground);
    let mut land = Land::start(&ground, "mode: vxlan\n", &nodes)?;
    reach(&land)?;
    for (mode, device) in [("host-gw", "eth0"), ("vxlan", TUNNEL), ("auto", "eth0")] {
        land.configure(&format!("mode: {mode}\n"))?;
        let a = ground.network.a();
        wait_until(|| Ok(land.device_to(a, 1)? == device && land.device_to(a, 2)? == device))
            .with_context(|| format!("{mode}\n{}", land.logs()))?;
        reach(&land).with_context(|| mode.to_owned())?;
        let is_there = said(a.netns(), "ip", &["-brief", "link"])?.contains(TUNNEL);
        ensure!(is_there == (mode != "host-gw"), "{mode}");
    }
    Ok(())
}

#[test]
fn a_tunnel_of_somebody_else_in_the_way_is_named_and_left() -> Result<()> {
    let ground = Ground::with_nodes("pods-in-the-way", 2, 0)?;
    let a_node = ground.network.a();
    let a = a_node.netns();
    a.ip(&["link add flannel.1 type vxlan id 1 dstport 8472 local 192.168.77.11 nolearning"])?;
    let land = Land::start(&ground, "mode: vxlan\n", &as_they_are(&ground))?;
    wait_until(|| Ok(status(a_node)?.contains("flannel.1 has the VNI 1 at UDP port 8472")))
        .with_context(|| land.logs())?;
    a.ip(&["link delete flannel.1"])?;
    reach(&land)
}

/// What the agent of a node says of it.
pub(super) fn status(node: &Node) -> Result<String> {
    let mut command = node.command(waggle()?)?;
    let output = command.args(["status", "--output", "json"]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whoever reaches the port could write packets of any pod.
#[test]
fn frames_of_strangers_are_dropped_by_name() -> Result<()> {
    let ground = Ground::with_nodes("pods-strangers", 2, 1)?;
    let land = Land::start(&ground, "mode: vxlan\n", &as_they_are(&ground))?;
    reach(&land)?;
    let (a, outside) = (ground.network.a(), ground.network.outside()?);
    let link = said(a.netns(), "ip", &["-brief", "link", "show", TUNNEL])?;
    let mac = link.split_whitespace().nth(2).with_context(|| link.clone())?;
    let pod = land.members[0].addresses.v4;
    outside.ip(&[
        "link add forged type vxlan id 1 dstport 8472 local 203.0.113.9 remote 192.168.77.11"
            .to_owned(),
        "address add 10.244.2.77/32 dev forged".to_owned(),
        "link set forged up".to_owned(),
        format!("route add {pod}/32 dev forged src 10.244.2.77"),
        format!("neighbour add {pod} lladdr {mac} dev forged"),
    ])?;
    let asked = outside.run(|| ask(Protocol::Udp, (pod, PORT).into(), SILENCE))?;
    ensure!(asked.is_err(), "{asked:?}");
    let counted: Value = serde_json::from_str(&status(a)?)?;
    let dropped = &counted["counters"]["drop_tunnel_of_stranger"];
    ensure!(dropped.as_u64().is_some_and(|dropped| dropped > 0), "{dropped}");
    reach(&land)
}
