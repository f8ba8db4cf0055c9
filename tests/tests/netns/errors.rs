//! What a client is told when nobody answers.

use std::{io, time::Instant};

use anyhow::Result;

use super::{
    cluster::{ANSWER, Cluster, Ground, MODES},
    services::{EMPTY, FAR_CLOSED, NEAR_CLOSED},
};

#[test]
fn a_client_is_refused_at_once_where_nobody_answers() -> Result<()> {
    let mut wrong = Vec::new();
    for mode in MODES {
        let ground = Ground::new(&format!("errors-{}-{}", mode.delivery, mode.attach))?;
        let cluster = Cluster::start(&ground, mode)?;
        for service in [EMPTY, NEAR_CLOSED, FAR_CLOSED] {
            for way in service.ways() {
                let start = Instant::now();
                let outcome = cluster.ask(way)?.map_err(|error| error.kind());
                if outcome != Err(io::ErrorKind::ConnectionRefused) || start.elapsed() > ANSWER / 2
                {
                    wrong.push(format!("{mode:?} {} {way:?}: {outcome:?}", service.name));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    Ok(())
}
