//! The network below pods and the objects above them change while pods talk: nobody may be lost
//! without a word.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use xtask::{
    cluster::Agent,
    topology::{Attachment, Netns, Node},
    workload::{LARGE, Protocol, ask, fetch},
};

use super::{
    cluster::{ANSWER, Ground, waggle, wait_until},
    land::{Land, as_they_are, said},
    offload,
    pod_network::{TUNNEL, known, reach, status},
    services::{PORT, Way, ways},
    socket::{Connected, DISCOVER, PATH_MTU},
};

/// An API server that nobody is.
const KUBECONFIG: &str = "\
apiVersion: v1
kind: Config
current-context: none
clusters: [{name: none, cluster: {server: \"http://127.0.0.1:1\"}}]
users: [{name: none, user: {}}]
contexts: [{name: none, context: {cluster: none, user: none}}]
";

/// Every way to the pods of other nodes that a node has.
fn ways_of(netns: &Netns) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for (program, arguments) in [
        ("ip", &["route", "show", "proto", "87"][..]),
        ("ip", &["-6", "route", "show", "proto", "87"]),
        ("ip", &["neighbour", "show", "dev", TUNNEL, "nud", "permanent"]),
        ("bridge", &["fdb", "show", "dev", TUNNEL]),
    ] {
        lines.extend(said(netns, program, arguments)?.lines().map(str::to_owned));
    }
    Ok(lines)
}

/// N13.
#[test]
fn an_agent_that_finds_no_api_server_takes_nothing_away() -> Result<()> {
    let ground = Ground::with_nodes("pods-no-server", 2, 1)?;
    let mut land = Land::start(&ground, "mode: auto\nsyncPeriod: 1s\n", &as_they_are(&ground))?;
    reach(&land)?;
    let node = ground.network.a();
    let before = ways_of(node.netns())?;
    ensure!(before.iter().any(|line| line.contains("dst 192.168.80.13")), "{before:#?}");
    land.agents[0].kill()?;
    let (kubeconfig, config) =
        (ground.folder.join("kubeconfig"), ground.folder.join("config.yaml"));
    fs::write(&kubeconfig, KUBECONFIG)?;
    let mut blind = Agent::launch_blind(node, &waggle()?, &kubeconfig, &config)?;
    wait_until(|| Ok(status(node)?.contains("cannot be reached for")))
        .with_context(|| blind.log_tail())?;
    // Some rounds go by, of which nothing is to be seen.
    thread::sleep(Duration::from_secs(3));
    ensure!(ways_of(node.netns())? == before, "{:#?}\n{}", ways_of(node.netns()), blind.log_tail());
    reach(&land)?;
    blind.kill()?;
    land.agents[0].restart()?;
    reach(&land)?;
    ensure!(ways_of(node.netns())? == before, "{:#?}", ways_of(node.netns()));
    Ok(())
}

/// N6.
#[test]
fn a_node_whose_pod_networks_change_is_followed() -> Result<()> {
    for (name, lines, beyond) in [
        ("vxlan", "mode: vxlan\n", 1),
        ("host-gw", "mode: host-gw\n", 0),
        ("auto", "mode: auto\n", 1),
    ] {
        let ground = Ground::with_nodes(&format!("pods-renumbered-{name}"), 3 - beyond, beyond)?;
        let mut nodes = as_they_are(&ground);
        let mut land = Land::start(&ground, lines, &nodes)?;
        reach(&land).with_context(|| name.to_owned())?;
        nodes[2].pods = 9;
        land.say(&nodes)?;
        let a = ground.network.a().netns();
        wait_until(|| Ok(known(a, 3)?.is_empty() && !known(a, 9)?.is_empty()))
            .with_context(|| format!("{name}: {:?}\n{}", known(a, 3), land.logs()))?;
        let file = ground.network.nodes()[2].path("/run/waggle/node.json");
        wait_until(|| Ok(fs::read_to_string(&file)?.contains("10.244.9.0")))?;
        // The last pod has an address of the network that was; a new one has one of the new.
        land.wire_anew(2)?;
        reach(&land).with_context(|| name.to_owned())?;
        let new = land.members[2].addresses.v4.octets();
        ensure!(new[..3] == [10, 244, 9], "{name}: {new:?}");
    }
    Ok(())
}

/// Bytes of headers of a datagram.
fn headers(address: SocketAddr) -> usize {
    if address.is_ipv4() { 20 + 8 } else { 40 + 8 }
}

/// Whether the largest datagram that must not be cut passes, and one that is longer by a byte is
/// answered with the MTU, and with nothing that says otherwise.
fn measure(address: SocketAddr, mtu: i32) -> Result<()> {
    let socket = Connected::to(address)?;
    socket.set(DISCOVER, libc::IP_PMTUDISC_DO)?;
    let largest = usize::try_from(mtu)? - headers(address);
    let error = socket.exchange(largest + 1).err().and_then(|error| error.raw_os_error());
    ensure!(error == Some(libc::EMSGSIZE), "a byte too many: errno {error:?}");
    let known = socket.get(PATH_MTU)?;
    ensure!(known == mtu, "the path's MTU is known to be {known}");
    socket.exchange(largest).context("the largest")
}

/// What is wrong with the paths from the first pod to the others, whose MTUs are these.
fn measured(land: &Land<'_>, mtus: [i32; 2]) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    let client = land.members[0].pod.netns();
    for (member, mtu) in land.members[1..].iter().zip(mtus) {
        let Attachment { v4, v6 } = member.addresses;
        let all = ways(v4.into(), v6.into(), |_| PORT);
        for Way { address, .. } in all.into_iter().filter(|way| way.protocol == Protocol::Udp) {
            let outcome = client.run(|| measure(address, mtu))?;
            wrong.extend(outcome.err().map(|error| format!("{address}, {mtu}: {error:#}")));
        }
    }
    Ok(wrong)
}

/// N14.
#[test]
fn the_largest_packet_passes_and_a_byte_more_is_answered_also_after_the_uplink_shrank() -> Result<()>
{
    for (name, lines, beyond, wired, shrunk) in [
        ("host-gw", "mode: host-gw\n", 0, [1500, 1500], [1400, 1400]),
        ("vxlan", "mode: vxlan\n", 1, [1450, 1450], [1350, 1350]),
        ("auto", "mode: auto\n", 1, [1450, 1450], [1400, 1350]),
    ] {
        let ground = Ground::with_nodes(&format!("pods-mtu-{name}"), 3 - beyond, beyond)?;
        let land = Land::start(&ground, lines, &as_they_are(&ground))?;
        reach(&land).with_context(|| name.to_owned())?;
        let wrong = measured(&land, wired)?;
        ensure!(wrong.is_empty(), "{name}: {wrong:#?}\n{}", land.logs());
        let a = ground.network.a();
        let name_of_link = land.link_of(0)?;
        ensure!(!status(a)?.contains("than their path takes"), "{name}: {}", status(a)?);
        for node in ground.network.nodes() {
            node.netns().ip(&["link set eth0 mtu 1400"])?;
        }
        wait_until(|| {
            let status = status(a)?;
            Ok(status.contains("than their path takes") && status.contains(&name_of_link))
        })
        .with_context(|| format!("{name}: {:?}\n{}", status(a), land.logs()))?;
        let wrong = measured(&land, shrunk)?;
        ensure!(wrong.is_empty(), "{name}, shrunk: {wrong:#?}\n{}", land.logs());
        land.fetch_all().with_context(|| name.to_owned())?;
    }
    Ok(())
}

/// N21.
#[test]
fn an_uplink_that_is_strict_about_ways_back_works_and_is_told_where_it_may_not() -> Result<()> {
    for (name, lines, beyond, is_told) in [
        ("host-gw", "mode: host-gw\n", 0, false),
        ("vxlan", "mode: vxlan\n", 1, true),
        ("auto", "mode: auto\n", 1, true),
    ] {
        let ground = Ground::with_nodes(&format!("pods-strict-{name}"), 3 - beyond, beyond)?;
        for node in ground.network.nodes() {
            node.netns().set_sysctl("ipv4/conf/eth0/rp_filter", "1")?;
        }
        let land = Land::start(&ground, lines, &as_they_are(&ground))?;
        reach(&land).with_context(|| name.to_owned())?;
        let a = ground.network.a();
        wait_until(|| Ok(status(a)?.contains("net.ipv4.conf.eth0.rp_filter") == is_told))
            .with_context(|| format!("{name}: {:?}", status(a)))?;
    }
    Ok(())
}

/// Nodes of different modes: through the tunnel one way, directly the other.
#[test]
fn a_node_that_uses_the_tunnel_for_all_talks_with_nodes_that_choose() -> Result<()> {
    let ground = Ground::with_nodes("pods-mixed", 2, 1)?;
    for node in ground.network.nodes() {
        // Answers come by another way.
        node.netns().run(|| fs::write("/proc/sys/net/ipv4/conf/eth0/rp_filter", "2"))??;
    }
    let mut land = Land::start(&ground, "mode: auto\n", &as_they_are(&ground))?;
    reach(&land)?;
    land.configure_one(0, "mode: vxlan\n")?;
    let a = ground.network.a();
    wait_until(|| Ok(land.device_to(a, 1)? == TUNNEL)).with_context(|| land.logs())?;
    ensure!(land.device_to(ground.network.b(), 0)? == "eth0");
    reach(&land)
}

const SERVICE: &str = "\
apiVersion: v1
kind: Service
metadata: {name: far, namespace: default}
spec:
  type: NodePort
  clusterIP: 10.96.0.9
  clusterIPs: [10.96.0.9, \"fd00:10:96::9\"]
  ipFamilies: [IPv4, IPv6]
  ports:
  - {name: tcp, port: 80, nodePort: 30080, protocol: TCP}
  - {name: udp, port: 80, nodePort: 30080, protocol: UDP}
";

/// The Service with an endpoint at both addresses of a pod.
fn service(node: &Node, Attachment { v4, v6 }: Attachment) -> String {
    let slice = |family: &str, ip: IpAddr| {
        format!(
            "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n\
             \x20 {{name: far-{}, namespace: default, labels: {{kubernetes.io/service-name: far}}}}\n\
             addressType: {family}\nports:\n- {{name: tcp, port: {PORT}, protocol: TCP}}\n\
             - {{name: udp, port: {PORT}, protocol: UDP}}\n\
             endpoints: [{{addresses: [\"{ip}\"], nodeName: {}}}]\n",
            family.to_lowercase(),
            node.name(),
        )
    };
    format!("{SERVICE}{}{}", slice("IPv4", v4.into()), slice("IPv6", v6.into()))
}

/// N18.
#[test]
fn checksums_are_right_behind_masquerading_and_the_tunnel() -> Result<()> {
    let ground = Ground::with_nodes("pods-checksums", 2, 1)?;
    let land = Land::start(&ground, "mode: vxlan\n", &as_they_are(&ground))?;
    reach(&land)?;
    let network = &ground.network;
    let nodes = network.nodes().iter().map(Node::netns);
    let pods = land.members.iter().map(|member| member.pod.netns());
    for netns in nodes.chain(pods).chain([network.wire()?, network.outside()?]) {
        offload::switch_off(netns)?;
    }
    land.write("service.yaml", &service(network.c(), land.members[2].addresses))?;
    let (at, outside) = (network.a().addresses(), network.outside()?);
    let all = ways(at.v4.into(), at.v6.into(), |_| 30080);
    wait_until(|| Ok(outside.run(|| ask(all[0].protocol, all[0].address, ANSWER))?.is_ok()))
        .with_context(|| land.logs())?;
    for Way { protocol, address } in all {
        let answer = outside.run(|| ask(protocol, address, ANSWER))?;
        let answer = answer.with_context(|| format!("{protocol:?} {address}"))?;
        ensure!(answer.server == land.members[2].pod.name(), "{protocol:?} {address}: {answer:?}");
        if protocol == Protocol::Tcp {
            let body = outside.run(|| fetch(address, LARGE, ANSWER))?;
            body.with_context(|| format!("an answer of many segments of {address}"))?;
        }
    }
    reach(&land)
}
