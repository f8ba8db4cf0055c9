//! Each way from a pod to a Service and back, in each mode.

use std::net::IpAddr;

use anyhow::Result;
use xtask::topology::Attachment;

use super::{
    cluster::{Cluster, Ground, MODES, Mode},
    services::{FAR, HAIRPIN, HOST, ITSELF, NEAR, OTHER_HOST, PORT, Way, ways},
    strictness::strictness,
};

/// Asked often enough that a new flow and a known one both occur.
const TIMES: usize = 3;

/// Source ports past Services, which no flow by a Service has: an answer could be either's
/// (docs/packet-path.md, Limits).
const OTHER_PORTS: &str = "62000 65000";

/// A walk: its name, how it is begun, who answers, and whom the server sees.
type Row = (String, Way, &'static str, Attachment);

#[test]
fn every_walk_arrives_and_returns_in_every_mode() -> Result<()> {
    let mut wrong = Vec::new();
    for mode in MODES {
        let ground = Ground::new(&format!("walks-{}-{}", mode.delivery, mode.attach))?;
        let cluster = Cluster::start(&ground, mode)?;
        assert_eq!(strictness(&cluster)?, ["all 0 0", "eth0 1 0"], "{mode:?}");
        for row in services(&cluster)? {
            wrong.extend(walks(&cluster, mode, &row)?);
        }
        cluster.netns("client")?.set_sysctl("ipv4/ip_local_port_range", OTHER_PORTS)?;
        for row in direct(&cluster)? {
            wrong.extend(walks(&cluster, mode, &row)?);
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    Ok(())
}

fn services(cluster: &Cluster<'_>) -> Result<Vec<Row>> {
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
    Ok(rows)
}

fn direct(cluster: &Cluster<'_>) -> Result<Vec<Row>> {
    let client = cluster.addresses("client")?;
    let mut rows = Vec::new();
    for server in ["near", "far", "node-a", "node-b"] {
        let Attachment { v4, v6 } = cluster.addresses(server)?;
        let direct = ways(v4.into(), v6.into(), |_| PORT);
        rows.extend(direct.map(|way| (format!("{server} itself"), way, server, client)));
    }
    Ok(rows)
}

/// What is wrong with walks of one kind.
fn walks(cluster: &Cluster<'_>, mode: Mode, row: &Row) -> Result<Vec<String>> {
    let outcomes: Result<Vec<_>> = (0..TIMES).map(|_| walk(cluster, mode, row)).collect();
    Ok(outcomes?.into_iter().flatten().collect())
}

/// What is wrong with one walk.
fn walk(cluster: &Cluster<'_>, mode: Mode, row: &Row) -> Result<Option<String>> {
    let (name, way, server, seen) = row;
    let expected: (String, IpAddr) = match way.address.ip() {
        IpAddr::V4(_) => ((*server).to_owned(), seen.v4.into()),
        IpAddr::V6(_) => ((*server).to_owned(), seen.v6.into()),
    };
    let outcome = cluster.ask(*way)?.map(|answer| (answer.server, answer.client.ip()));
    Ok(match outcome {
        Ok(found) if found == expected => None,
        other => Some(format!("{mode:?} {name} {way:?}: expected {expected:?}, found {other:?}")),
    })
}
