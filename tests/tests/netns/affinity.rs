//! One server for each client of a Service, whatever it calls the Service by.

use std::{collections::BTreeSet, net::SocketAddr};

use anyhow::{Context as _, Result};
use xtask::workload::{Protocol, ask};

use super::{
    cluster::{ANSWER, Cluster, DELIVERIES, Ground},
    services::{Frontend, STICKY, Service},
};

/// By chance, one server of two answers that often to one key once in a million times.
const TIMES: usize = 20;

#[test]
fn a_client_has_one_server_over_all_frontends_of_a_service() -> Result<()> {
    let mut wrong = Vec::new();
    for mode in DELIVERIES {
        let ground = Ground::new(&format!("affinity-{}-{}", mode.delivery, mode.attach))?;
        let cluster = Cluster::start(&ground, mode)?;
        let node = Frontend::NodePort(cluster.addresses("node-a")?);
        let outside = [node, Frontend::Virtual, Frontend::External];
        let inside = [Frontend::ClusterIp, node, Frontend::Virtual, Frontend::External];
        for (name, netns, frontends) in [
            ("outside", cluster.outside()?, &outside[..]),
            ("client", cluster.netns("client")?, &inside[..]),
        ] {
            for ways in keys(STICKY, frontends) {
                let servers = netns.run(|| servers(&ways))??;
                if servers.len() != 1 {
                    wrong.push(format!("{mode:?} {name} {ways:?}: answered by {servers:?}"));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    Ok(())
}

/// All addresses of each port of a Service in each family: those have a server in common.
fn keys(service: Service, frontends: &[Frontend]) -> [(Protocol, Vec<SocketAddr>); 4] {
    let ways: Vec<_> = frontends.iter().map(|frontend| service.ways_at(*frontend)).collect();
    [0, 1, 2, 3].map(|way| {
        (ways[0][way].protocol, ways.iter().map(|frontend| frontend[way].address).collect())
    })
}

/// Who answers.
fn servers((protocol, addresses): &(Protocol, Vec<SocketAddr>)) -> Result<BTreeSet<String>> {
    let often = addresses.iter().cycle().take(TIMES);
    often
        .map(|address| {
            let answer = ask(*protocol, *address, ANSWER);
            Ok(answer.with_context(|| format!("{protocol:?} {address}"))?.server)
        })
        .collect()
}
