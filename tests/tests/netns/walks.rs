//! Each way from a pod to a Service and back, in each mode.

use std::net::IpAddr;

use anyhow::Result;
use xtask::{topology::Attachment, workload::Protocol};

use super::{
    cluster::{Cluster, Ground, MODES, Mode},
    services::{FAR, HAIRPIN, HOST, ITSELF, NEAR, OTHER_HOST, PORT, Way, ways},
    strictness::strictness,
};

/// Asked often enough that a new flow and a known one both occur.
const TIMES: usize = 3;

/// A walk: its name, how it is begun, who answers, and whom the server sees.
type Row = (String, Way, &'static str, Attachment);

#[test]
fn every_walk_arrives_and_returns_in_every_mode() -> Result<()> {
    let mut wrong = Vec::new();
    for mode in MODES {
        let ground = Ground::new(&format!("walks-{}-{}", mode.delivery, mode.attach))?;
        let cluster = Cluster::start(&ground, mode)?;
        assert_eq!(strictness(&cluster)?, ["all 0 0", "eth0 1 0"], "{mode:?}");
        for row in rows(&cluster)? {
            for _ in 0..TIMES {
                wrong.extend(walk(&cluster, mode, &row)?);
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    Ok(())
}

fn rows(cluster: &Cluster<'_>) -> Result<Vec<Row>> {
    let client = cluster.addresses("client")?;
    let mut rows = Vec::new();
    for (service, server, seen) in [
        (NEAR, "near", client),
        (FAR, "far", client),
        (ITSELF, "client", HAIRPIN),
        (HOST, "node-a", client),
        (OTHER_HOST, "node-b", client),
    ] {
        rows.extend(
            service.ways().map(|way| (format!("Service {}", service.name), way, server, seen)),
        );
    }
    for server in ["near", "far", "node-a", "node-b"] {
        let Attachment { v4, v6 } = cluster.addresses(server)?;
        let direct = ways(v4.into(), v6.into(), |_| PORT);
        rows.extend(direct.map(|way| (format!("{server} itself"), way, server, client)));
    }
    Ok(rows)
}

/// What is wrong with one walk.
fn walk(cluster: &Cluster<'_>, mode: Mode, row: &Row) -> Result<Option<String>> {
    let (name, way, server, seen) = row;
    let expected: (String, IpAddr) = match way.address.ip() {
        IpAddr::V4(_) => ((*server).to_owned(), seen.v4.into()),
        IpAddr::V6(_) => ((*server).to_owned(), seen.v6.into()),
    };
    let ask = || cluster.ask(*way);
    let answer = match ask()? {
        // By chance a datagram past Services has the source port of a live flow to the same backend
        // by one of them, and its answer is taken for that flow's: docs/packet-path.md, Limits.
        Err(_) if way.address.port() == PORT && way.protocol == Protocol::Udp => ask()?,
        other => other,
    };
    Ok(match answer.map(|answer| (answer.server, answer.client.ip())) {
        Ok(found) if found == expected => None,
        other => Some(format!("{mode:?} {name} {way:?}: expected {expected:?}, found {other:?}")),
    })
}
