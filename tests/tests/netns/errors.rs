//! What a client is told when nobody answers.

use std::io;

use anyhow::Result;

use super::{
    cluster::{Cluster, Ground, MODES},
    services::{EMPTY, FAR_CLOSED, NEAR_CLOSED},
};

/// Not at once everywhere: over IPv6 the kernel overlooks an ICMP error that comes while `connect`
/// still holds the socket, and heeds the one that the second SYN brings.
#[test]
fn a_client_is_refused_where_nobody_answers() -> Result<()> {
    let mut wrong = Vec::new();
    for mode in MODES {
        let ground = Ground::new(&format!("errors-{}-{}", mode.delivery, mode.attach))?;
        let cluster = Cluster::start(&ground, mode)?;
        for service in [EMPTY, NEAR_CLOSED, FAR_CLOSED] {
            for way in service.ways() {
                let outcome = cluster.ask(way)?.map_err(|error| error.kind());
                if outcome != Err(io::ErrorKind::ConnectionRefused) {
                    wrong.push(format!("{mode:?} {} {way:?}: {outcome:?}", service.name));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    Ok(())
}
