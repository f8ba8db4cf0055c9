//! Local pods, whoever wires them, whose stacks take and say nothing: only what taps them is there.

use anyhow::{Context as _, Result, ensure};
use xtask::topology::{Attachment, Netns, Node, Pod, Runtime};

use crate::diff::{
    places::{LOCAL_PODS, Place},
    setting::POD_PREFIX,
};

/// Leaves a stack nothing but neighbour discovery, which the node's end may ask for.
const SILENCE: &str = "
table inet silence {
    chain in {
        type filter hook input priority filter; policy drop;
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    }
    chain out {
        type filter hook output priority filter; policy drop;
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    }
}
";

/// Has a runtime wire them, which must give them the addresses that they have everywhere.
pub(super) fn by_runtime(node: &Node, runtime: &Runtime) -> Result<Vec<Netns>> {
    each(node, |pod, place| {
        let Attachment { v4, v6 } = runtime.add(pod)?;
        let given = Place { v4, v6 };
        ensure!(given == place, "pod {} was given {given:?} and not {place:?}", pod.name());
        Ok(())
    })
}

/// Wires them with routes of the node's and neighbours that are known.
pub(super) fn by_hand(node: &Node) -> Result<Vec<Netns>> {
    each(node, |pod, place| {
        let name = format!("{POD_PREFIX}-{}", pod.name());
        let netns = pod.netns().path().display();
        let mac = format!("02:00:00:00:02:{:02x}", place.v4.octets()[3]);
        let mut lines = vec![
            format!("link add {name} type veth peer name eth0 address {mac} netns {netns}"),
            format!("link set {name} up"),
        ];
        for address in place.both() {
            lines.push(format!("neighbour add {address} lladdr {mac} dev {name} nud permanent"));
            lines.push(format!("route add {address} dev {name}"));
        }
        node.netns().ip(&lines)?;
        pod.netns().ip(&["link set eth0 up"])
    })
}

fn each(node: &Node, wire: impl Fn(&Pod<'_>, Place) -> Result<()>) -> Result<Vec<Netns>> {
    let pods = (1..).zip(LOCAL_PODS).map(|(number, place)| {
        let name = format!("p{number}");
        let pod = node.make_pod(&name)?;
        wire(&pod, place).with_context(|| format!("wiring pod {name}"))?;
        silence(pod.netns()).with_context(|| format!("silencing pod {name}"))?;
        Ok(pod.netns().clone())
    });
    pods.collect()
}

fn silence(pod: &Netns) -> Result<()> {
    let output = pod.command("nft").arg(SILENCE).output().context("running nft")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "nft {}: {}", output.status, said.trim());
    Ok(())
}
