//! A node whose clients come by a device without link-layer headers.

use std::net::IpAddr;

use anyhow::{Context as _, Result};
use xtask::{
    topology::{Attachment, Netns},
    workload::{Protocol, ask},
};

use super::{
    cluster::{ANSWER, Cluster, DELIVERIES, Ground, wait_until},
    errors::not_refused,
    mtu::{send_datagrams, start_with_narrow_pods},
    services::{Frontend, OPEN, OPEN_CLOSED, OPEN_LOCAL, PORT, Service, Way, ways},
    tun::Wire,
};

/// The client's end.
const CLIENT: Attachment = end(2);

/// The node's end.
const NODE: Attachment = end(1);

const fn end(number: u8) -> Attachment {
    Attachment {
        v4: std::net::Ipv4Addr::new(172, 31, 0, number),
        v6: std::net::Ipv6Addr::new(0xfdac, 0, 0, 0, 0, 0, 0, number as u16),
    }
}

#[test]
fn a_device_without_headers_serves_clients_and_tells_them_of_errors() -> Result<()> {
    let mut wrong = Vec::new();
    for mode in DELIVERIES {
        let ground = Ground::new(&format!("tunnel-{}-{}", mode.delivery, mode.attach))?;
        let cluster = start_with_narrow_pods(&ground, mode)?;
        let (node, outside) = (cluster.netns_of_node("client")?, cluster.outside()?);
        let _wire = Wire::between("tun0", [node, outside])?;
        for (netns, own) in [(node, NODE), (outside, CLIENT)] {
            netns.ip(&[
                format!("address add {}/24 dev tun0", own.v4),
                format!("address add {}/64 dev tun0 nodad", own.v6),
                "link set tun0 up".to_owned(),
            ])?;
        }
        // What makes it an uplink for the agent.
        node.ip(&["route add default dev tun0 metric 9999"])?;
        let uplink = cluster.addresses("node-a")?;
        outside.ip(&[
            format!("route add {}/32 dev tun0 src {}", uplink.v4, CLIENT.v4),
            format!("route add {}/128 dev tun0 src {}", uplink.v6, CLIENT.v6),
        ])?;
        let lines = walks(&cluster, outside).with_context(|| cluster.logs())?;
        wrong.extend(lines.into_iter().map(|line| format!("{mode:?} {line}")));
    }
    assert_eq!(wrong, Vec::<String>::new());
    Ok(())
}

/// A server that takes datagrams at all its addresses answers by the one that is next to the
/// client, with Services or without.
pub(super) fn is_fair(service: Service, way: Way) -> bool {
    way.protocol == Protocol::Tcp || service.endpoints != ["node-a"]
}

/// What is wrong with the client's walks.
fn walks(cluster: &Cluster<'_>, client: &Netns) -> Result<Vec<String>> {
    let [open_near, open_far, open_host, ..] = OPEN;
    let [local_near, ..] = OPEN_LOCAL;
    let uplink = cluster.addresses("node-a")?;
    let at = Frontend::NodePort(uplink);
    for way in ways(NODE.v4.into(), NODE.v6.into(), |_| PORT) {
        let answer = client.run(|| ask(way.protocol, way.address, ANSWER))?;
        answer.with_context(|| format!("{way:?} of node-a itself"))?;
    }
    // The agent sees new devices in its own time.
    let [first, ..] = open_far.ways_at(at);
    wait_until(|| Ok(client.run(|| ask(first.protocol, first.address, ANSWER))?.is_ok()))?;
    let rows: [(Service, Attachment); 4] =
        [(open_near, uplink), (open_far, uplink), (open_host, CLIENT), (local_near, CLIENT)];
    let mut wrong = Vec::new();
    for (service, seen) in rows {
        for way in service.ways_at(at).into_iter().filter(|way| is_fair(service, *way)) {
            let seen: IpAddr = if way.address.is_ipv4() { seen.v4.into() } else { seen.v6.into() };
            let expected = (service.endpoints[0].to_owned(), seen);
            let found = client.run(|| ask(way.protocol, way.address, ANSWER))?;
            let found = found.map(|answer| (answer.server, answer.client.ip()));
            if !matches!(&found, Ok(found) if *found == expected) {
                wrong.push(format!("{way:?}: expected {expected:?}, found {found:?}"));
            }
        }
    }
    let refused = OPEN_CLOSED.map(|service| service.ways_at(at)).concat();
    wrong.extend(not_refused(client, &refused)?);
    for service in [open_near, open_far] {
        for way in service.ways_at(at).into_iter().filter(|way| way.protocol == Protocol::Udp) {
            let outcome = client.run(|| send_datagrams(way.address))?;
            wrong.extend(outcome.err().map(|error| format!("{way:?}: {error:#}")));
        }
    }
    Ok(wrong)
}
