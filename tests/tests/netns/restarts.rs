//! An agent that is killed at random moments while traffic comes by every way.

use std::{thread, time::Duration};

use anyhow::{Context as _, Result};
use hostnet::Pins;
use waggle_tests::{
    random::{Random, rounds},
    tables::Tables,
};
use xtask::workload::ask;

use super::{
    cluster::{ANSWER, Cluster, DELIVERIES, Ground, wait_until},
    errors::not_refused,
    services::{Frontend, OPEN_CLOSED},
    traffic::Traffic,
};

/// Kills in each way of delivery, unless `WAGGLE_RESTART_ROUNDS` says another number.
const ROUNDS: u32 = 5;

/// Longer than any flow lasts, and any client is held to a backend.
const AHEAD: u32 = 30 * 86_400;

/// A start takes less than that.
const LONG: Duration = Duration::from_millis(700);

#[test]
fn nothing_moves_while_the_agent_is_killed_at_random_moments() -> Result<()> {
    let mut random = Random::announced()?;
    for mode in DELIVERIES {
        let ground = Ground::new(&format!("restarts-{}-{}", mode.delivery, mode.attach))?;
        let mut cluster = Cluster::start(&ground, mode)?;
        let traffic = Traffic::begin(&cluster)?;
        for round in 0..rounds(ROUNDS)? {
            play(&mut cluster, &traffic, &mut random)
                .with_context(|| format!("{mode:?}, round {round}\n{}", cluster.logs()))?;
        }
        ahead(&mut cluster, &traffic).with_context(|| format!("{mode:?}\n{}", cluster.logs()))?;
        traffic.finish(&cluster).with_context(|| format!("{mode:?}, at the end"))?;
    }
    Ok(())
}

/// Kills the agent, also while it works off an edit; what it leaves must serve, and what the next
/// one makes of it must be what was there.
fn play(cluster: &mut Cluster<'_>, traffic: &Traffic, random: &mut Random) -> Result<()> {
    let before = tables(cluster)?;
    let is_edited = random.below(2) == 0;
    if is_edited {
        edit(cluster, &["near"])?;
    }
    thread::sleep(random.time_below(LONG / 10));
    cluster.agents[0].kill()?;
    traffic.check(cluster).context("without an agent")?;
    if is_edited {
        edit(cluster, &[])?;
    }
    cluster.agents[0].begin()?;
    thread::sleep(random.time_below(LONG));
    cluster.agents[0].kill()?;
    traffic.check(cluster).context("after a start that was broken off")?;
    cluster.agents[0].restart()?;
    wait_until(|| Ok(cluster.status("node-a")?["healthy"] == true)).context("healthy again")?;
    traffic.check(cluster).context("with a new agent")?;
    if is_edited {
        arrive(cluster)
    } else {
        let after = tables(cluster)?;
        anyhow::ensure!(after == before, "tables changed:\n{before:#?}\nbecame\n{after:#?}");
        Ok(())
    }
}

/// The clocks of one agent are far ahead of the kernel's, as if they had jumped; those of the next
/// have jumped back.
fn ahead(cluster: &mut Cluster<'_>, traffic: &Traffic) -> Result<()> {
    let before = tables(cluster)?;
    for seconds in [AHEAD, 0] {
        cluster.agents[0].restart_ahead(seconds)?;
        wait_until(|| Ok(cluster.status("node-a")?["healthy"] == true)).context("healthy")?;
        traffic.check(cluster).with_context(|| format!("clocks ahead by {seconds} s"))?;
        let after = tables(cluster)?;
        anyhow::ensure!(after == before, "tables changed:\n{before:#?}\nbecame\n{after:#?}");
    }
    Ok(())
}

/// Says who answers for a Service that nothing else asks for.
fn edit(cluster: &Cluster<'_>, endpoints: &[&str]) -> Result<()> {
    let [empty, ..] = OPEN_CLOSED;
    cluster.set_endpoints(empty, endpoints)
}

/// Waits until a further edit and its undoing have come into force.
fn arrive(cluster: &Cluster<'_>) -> Result<()> {
    let [empty, ..] = OPEN_CLOSED;
    let [_, udp, ..] = empty.ways_at(Frontend::NodePort(cluster.addresses("node-a")?));
    let outside = cluster.outside()?;
    let answered = || Ok(outside.run(|| ask(udp.protocol, udp.address, ANSWER))?.is_ok());
    edit(cluster, &["near"])?;
    wait_until(answered).context("an edit after the restart")?;
    edit(cluster, &[])?;
    // All of it: the agent goes from port to port, and what it has yet to write is no change of ours.
    let at = Frontend::NodePort(cluster.addresses("node-a")?);
    let ways = [at, Frontend::Virtual, Frontend::External].map(|at| empty.ways_at(at)).concat();
    let client = cluster.netns("client")?;
    let is_undone = || {
        Ok(not_refused(outside, &ways)?.is_empty()
            && not_refused(client, &empty.ways())?.is_empty())
    };
    wait_until(is_undone).context("its undoing")
}

fn tables(cluster: &Cluster<'_>) -> Result<Tables> {
    Tables::of(&Pins::new(&cluster.node_of("node-a")?.path("/sys/fs/bpf/waggle")))
}
