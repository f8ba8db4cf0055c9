//! What `waggle cleanup` leaves of a node.

use anyhow::{Result, ensure};

use super::{
    cluster::{Cluster, Ground, MODES, waggle},
    services::{NEAR, PORT, ways},
};

#[test]
fn cleanup_removes_programs_and_pins_and_leaves_pods_connected() -> Result<()> {
    for mode in MODES {
        let ground = Ground::new(&format!("cleanup-{}-{}", mode.delivery, mode.attach))?;
        let mut cluster = Cluster::start(&ground, mode)?;
        for agent in &mut cluster.agents {
            agent.stop()?;
        }
        let node = ground.network.a();
        let output = node.command(waggle()?)?.arg("cleanup").output()?;
        ensure!(output.status.success(), "{output:?}");
        ensure!(!node.path("/sys/fs/bpf/waggle").exists(), "{mode:?}: pins are left");
        let near = cluster.addresses("near")?;
        for way in ways(near.v4.into(), near.v6.into(), |_| PORT) {
            assert_eq!(cluster.ask(way)??.server, "near", "{mode:?} {way:?}");
        }
        let [way, ..] = NEAR.ways();
        ensure!(cluster.ask(way)?.is_err(), "{mode:?}: {way:?} is still answered");
    }
    Ok(())
}
