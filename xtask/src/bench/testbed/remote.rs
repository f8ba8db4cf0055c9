//! Pods of two nodes wired by hand: by routes to the other node, or through a VXLAN device.

use std::net::Ipv4Addr;

use anyhow::{Result, bail, ensure};
use xtask::topology::Node;

use super::{
    pods::{self, Pods},
    routed::wire,
};

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 244, 1, 2);
const BACKEND: Ipv4Addr = Ipv4Addr::new(10, 244, 2, 3);

/// As the agent does it in mode host-gw.
pub(super) fn routes(nodes: &[Node]) -> Result<Pods> {
    let [a, b] = two(nodes)?;
    for (own, pods, other) in [(a, 2, b), (b, 1, a)] {
        let (netns, via) = (own.netns(), other.addresses().v4);
        netns.ip(&[format!("route add 10.244.{pods}.0/24 via {via} dev eth0")])?;
    }
    both(nodes)
}

/// As the agent does it in mode vxlan.
pub(super) fn tunnel(nodes: &[Node]) -> Result<Pods> {
    let [a, b] = two(nodes)?;
    for (own, number, other, far) in [(a, 1, b, 2), (b, 2, a, 1)] {
        let (local, remote) = (own.addresses().v4, other.addresses().v4);
        let mac = |number| format!("02:00:00:00:03:{number:02x}");
        let (own_mac, far_mac) = (mac(number), mac(far));
        own.netns().ip(&[
            format!(
                "link add tunnel address {own_mac} mtu 1450 type vxlan id 1 dstport 8472 local \
                 {local} dev eth0 nolearning"
            ),
            "link set tunnel up".to_owned(),
            format!("address add 10.244.{number}.0/32 dev tunnel"),
            format!("neighbour add 10.244.{far}.0 lladdr {far_mac} dev tunnel nud permanent"),
            format!("route add 10.244.{far}.0/24 via 10.244.{far}.0 dev tunnel onlink"),
        ])?;
        let remote = remote.to_string();
        let mut command = own.netns().command("bridge");
        command.args(["fdb", "append", &far_mac, "dev", "tunnel", "dst", &remote]);
        let output = command.output()?;
        ensure!(output.status.success(), "{command:?}: {output:?}");
    }
    both(nodes)
}

fn both(nodes: &[Node]) -> Result<Pods> {
    let [a, b] = two(nodes)?;
    for node in [a, b] {
        node.netns().set_sysctl("ipv4/ip_forward", "1")?;
    }
    Ok(Pods {
        client: wire(a, pods::CLIENT, CLIENT)?,
        client_address: CLIENT,
        backend: wire(b, pods::BACKEND, BACKEND)?,
        backend_address: BACKEND,
    })
}

fn two(nodes: &[Node]) -> Result<[&Node; 2]> {
    let [a, b] = nodes else { bail!("this way is between two nodes, not {}", nodes.len()) };
    Ok([a, b])
}
