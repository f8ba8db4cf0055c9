//! Pods wired by hand, as the CNI plugin does it: nothing but Linux between them, or netfilter.

use std::{fs, net::Ipv4Addr, path::Path};

use anyhow::{Result, bail};
use xtask::topology::{Netns, Node};

use super::{SERVICES, pods};
use crate::bench::{catalog::Catalog, kube_proxy};

use super::pods::Pods;

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 244, 1, 2);
const BACKEND: Ipv4Addr = Ipv4Addr::new(10, 244, 1, 3);

/// Wires both pods; the node routes.
pub(super) fn plain(node: &Node) -> Result<Pods> {
    node.netns().set_sysctl("ipv4/ip_forward", "1")?;
    Ok(Pods {
        client: wire(node, pods::CLIENT, CLIENT)?,
        client_address: CLIENT,
        backend: wire(node, pods::BACKEND, BACKEND)?,
        backend_address: BACKEND,
    })
}

/// The same, and the ruleset, which is left in the folder to be looked at.
pub(super) fn nft(node: &Node, folder: &Path) -> Result<Pods> {
    let pods = plain(node)?;
    let file = folder.join("kube-proxy.nft");
    let catalog = Catalog::new(SERVICES, BACKEND);
    fs::write(&file, kube_proxy::ruleset(&catalog, node.addresses().v4))?;
    let output = node.netns().command("nft").arg("-f").arg(&file).output()?;
    if !output.status.success() {
        bail!("nft -f {}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(pods)
}

pub(super) fn wire(node: &Node, name: &str, address: Ipv4Addr) -> Result<Netns> {
    let pod = node.make_pod(name)?;
    let last = address.octets()[3];
    let (host, inside) =
        (format!("02:00:00:00:01:{last:02x}"), format!("02:00:00:00:02:{last:02x}"));
    let netns = pod.netns().path().display();
    node.netns().ip(&[
        format!(
            "link add pod-{name} address {host} type veth peer name eth0 address {inside} netns {netns}"
        ),
        format!("link set pod-{name} up"),
    ])?;
    pod.netns().ip(&[
        "link set eth0 up".to_owned(),
        format!("address add {address}/32 dev eth0"),
        format!("neighbour add 169.254.1.1 lladdr {host} dev eth0 nud permanent"),
        "route add 169.254.1.1 dev eth0 scope link".to_owned(),
        format!("route add default via 169.254.1.1 dev eth0 src {address}"),
    ])?;
    node.netns().ip(&[
        format!("address add 169.254.1.1/32 dev pod-{name} scope link"),
        format!("neighbour add {address} lladdr {inside} dev pod-{name} nud stale"),
        format!("route add {address}/32 dev pod-{name} src {}", node.addresses().v4),
    ])?;
    Ok(pod.netns().clone())
}
