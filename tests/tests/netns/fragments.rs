//! Datagrams in fragments: what cannot be served is dropped by name.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
};

use anyhow::{Context as _, Result, ensure};
use xtask::workload::Protocol;

use super::{
    cluster::{Cluster, DELIVERIES, Ground, wait_until},
    services::{Frontend, OPEN},
};

/// More than the uplinks take in one piece.
const LARGE: usize = 3_000;

#[test]
fn later_fragments_to_frontends_are_dropped_by_name() -> Result<()> {
    for mode in DELIVERIES {
        let ground = Ground::new(&format!("fragments-{}-{}", mode.delivery, mode.attach))?;
        let cluster = Cluster::start(&ground, mode)?;
        let [near, far, ..] = OPEN;
        for way in [near, far].map(|service| service.ways_at(Frontend::Virtual)).concat() {
            if way.protocol == Protocol::Udp {
                let before = dropped(&cluster)?;
                cluster.outside()?.run(|| send(way.address))??;
                wait_until(|| Ok(dropped(&cluster)? > before))
                    .with_context(|| format!("{mode:?} {way:?}"))?;
            }
        }
    }
    Ok(())
}

fn send(address: SocketAddr) -> io::Result<()> {
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    UdpSocket::bind(any)?.send_to(&[b'?'; LARGE], address).map(drop)
}

/// Fragments that node-a has dropped.
fn dropped(cluster: &Cluster<'_>) -> Result<u64> {
    let status = cluster.status("node-a")?;
    let count = &status["counters"]["drop_fragment_to_frontend"];
    ensure!(count.is_u64(), "{status:#}");
    count.as_u64().context("a count")
}
