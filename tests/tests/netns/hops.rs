//! TTL and hop limit: a translated packet is counted down as any routed one is, and the one that
//! runs out is answered for.

use std::{io, net::SocketAddr, time::Duration};

use anyhow::Result;
use xtask::{topology::Netns, workload::Protocol};

use super::{
    cluster::{ANSWER, Cluster, Ground, MODES, Mode},
    services::{FAR, HOST, ITSELF, NEAR, OTHER_HOST, PORT, Way, ways},
    socket::{Connected, ERRORS, HOPS},
};

/// How long is waited for what must not come.
const SILENCE: Duration = Duration::from_millis(300);

/// What is found for the TTLs 1, 2 and 3.
type Found = [Fate; 3];

/// What became of a datagram and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Answered,
    /// A router said that it ran out.
    Expired,
    /// Nobody said anything.
    Lost,
    Other(io::ErrorKind),
}

use Fate::{Answered, Expired, Lost};

#[test]
fn requests_and_answers_are_counted_down_as_on_a_plain_route() -> Result<()> {
    let mut wrong = Vec::new();
    for mode in MODES {
        let ground = Ground::new(&format!("hops-{}-{}", mode.delivery, mode.attach))?;
        let cluster = Cluster::start(&ground, mode)?;
        for netns in [ground.network.a().netns(), ground.network.b().netns()] {
            netns.set_sysctl("ipv4/icmp_ratelimit", "0")?;
            netns.set_sysctl("ipv6/icmp/ratelimit", "0")?;
        }
        wrong.extend(requests(&cluster, mode)?);
        wrong.extend(answers(&cluster, mode)?);
    }
    assert_eq!(wrong, Vec::<String>::new());
    Ok(())
}

/// The client's TTL is what is varied.
fn requests(cluster: &Cluster<'_>, mode: Mode) -> Result<Vec<String>> {
    let none = [Answered, Answered, Answered];
    let one = [Expired, Answered, Answered];
    let two = [Expired, Expired, Answered];
    let mut rows: Vec<(String, Way, Found)> = Vec::new();
    for (service, expected) in
        [(NEAR, one), (FAR, two), (ITSELF, one), (HOST, none), (OTHER_HOST, one)]
    {
        rows.extend(service.ways().map(|way| (format!("to {}", service.name), way, expected)));
    }
    for (server, expected) in [("near", one), ("far", two)] {
        let addresses = cluster.addresses(server)?;
        let direct = ways(addresses.v4.into(), addresses.v6.into(), |_| PORT);
        rows.extend(direct.map(|way| (format!("to {server} itself"), way, expected)));
    }
    let client = cluster.netns("client")?;
    compare(mode, rows, |way, expected| {
        client.run(|| [0, 1, 2].map(|row| exchange(way.address, ttl(row), expected[row])))
    })
}

/// The TTL of an entry of what is found.
fn ttl(row: usize) -> u8 {
    [1, 2, 3][row]
}

/// The servers' TTL is what is varied.
fn answers(cluster: &Cluster<'_>, mode: Mode) -> Result<Vec<String>> {
    let client = cluster.netns("client")?;
    let mut wrong = Vec::new();
    for (service, server, expected) in [
        (NEAR, "near", [Lost, Answered, Answered]),
        (FAR, "far", [Lost, Lost, Answered]),
        (ITSELF, "client", [Lost, Answered, Answered]),
    ] {
        let netns = cluster.netns(server)?;
        let rows = service.ways().map(|way| (format!("from {server}"), way, expected));
        wrong.extend(compare(mode, rows.into(), |way, expected| {
            let mut found = expected;
            for (row, fate) in found.iter_mut().enumerate() {
                set_default(netns, ttl(row))?;
                *fate = client.run(|| exchange(way.address, 64, *fate))?;
            }
            set_default(netns, 64)?;
            Ok(found)
        })?);
    }
    Ok(wrong)
}

/// The rows, of which those over UDP can vary their TTL, that are not as expected.
fn compare(
    mode: Mode,
    rows: Vec<(String, Way, Found)>,
    try_row: impl Fn(Way, Found) -> Result<Found>,
) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for (name, way, expected) in rows.into_iter().filter(|row| row.1.protocol == Protocol::Udp) {
        let found = try_row(way, expected)?;
        if found != expected {
            let address = way.address;
            wrong
                .push(format!("{mode:?} {name} {address}: expected {expected:?}, found {found:?}"));
        }
    }
    Ok(wrong)
}

fn exchange(address: SocketAddr, ttl: u8, expected: Fate) -> Fate {
    let attempt = || {
        let socket = Connected::to(address)?;
        socket.set_patience(if expected == Lost { SILENCE } else { ANSWER })?;
        socket.set(ERRORS, 1)?;
        socket.set(HOPS, ttl.into())?;
        socket.exchange(16)
    };
    match attempt().map_err(|error: io::Error| error.kind()) {
        Ok(()) => Answered,
        Err(io::ErrorKind::HostUnreachable) => Expired,
        Err(io::ErrorKind::WouldBlock) => Lost,
        Err(other) => Fate::Other(other),
    }
}

fn set_default(netns: &Netns, ttl: u8) -> Result<()> {
    netns.set_sysctl("ipv4/ip_default_ttl", &ttl.to_string())?;
    netns.set_sysctl("ipv6/conf/eth0/hop_limit", &ttl.to_string())
}
