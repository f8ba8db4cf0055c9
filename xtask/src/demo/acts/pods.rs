//! Every pod asks every other by its own address.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use xtask::{
    topology::{Attachment, Node},
    workload::{Protocol, ask},
};

use super::super::{
    board::Board,
    stage::{PORT, Stage},
};
use super::wait_until;

/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(2);

/// Ends with the devices by which the first node reaches the others.
pub(super) fn play(stage: &mut Stage<'_>, _board: &mut Board) -> Result<String> {
    let mut asked = 0;
    for (client, from) in stage.pods() {
        for (server, to) in stage.pods().filter(|(server, _)| server.name() != client.name()) {
            for (protocol, own, ip) in ways(from, to) {
                let address = SocketAddr::new(ip, PORT);
                let once = || Ok(client.netns().run(|| ask(protocol, address, ANSWER))??);
                wait_until(stage, || once().map(|_| true))?;
                let answer = once()?;
                let said = (answer.server.as_str(), answer.client.ip());
                ensure!(
                    said == (server.name(), own),
                    "{} asked {address}: {said:?}",
                    client.name()
                );
                asked += 1;
            }
        }
    }
    Ok(format!("{asked} ways between pods, {}", devices(stage)?))
}

/// Both protocols over both families, with the address that the server is to see.
fn ways(from: Attachment, to: Attachment) -> [(Protocol, IpAddr, IpAddr); 4] {
    let families = [(from.v4.into(), to.v4.into()), (from.v6.into(), to.v6.into())];
    let [v4, v6] = families;
    let way = |protocol, (from, to): (IpAddr, IpAddr)| (protocol, from, to);
    [way(Protocol::Tcp, v4), way(Protocol::Udp, v4), way(Protocol::Tcp, v6), way(Protocol::Udp, v6)]
}

fn devices(stage: &Stage<'_>) -> Result<String> {
    let [first, ..] = stage.nodes() else { return Ok(String::new()) };
    let others = stage.pods().filter(|(pod, _)| pod.node().name() != first.name());
    let mut found = BTreeMap::new();
    for (pod, addresses) in others {
        let device = device(first, addresses.v4.into())?;
        found.insert(pod.node().name().to_owned(), device);
    }
    let found = found.iter().map(|(node, device)| format!("{node} by {device}"));
    Ok(found.collect::<Vec<_>>().join(", "))
}

/// By which device a node reaches an address.
fn device(node: &Node, ip: IpAddr) -> Result<String> {
    let output = node.command("ip")?.args(["route", "get", &ip.to_string()]).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut words = text.split_whitespace().skip_while(|word| *word != "dev").skip(1);
    Ok(words.next().with_context(|| text.clone())?.to_owned())
}
