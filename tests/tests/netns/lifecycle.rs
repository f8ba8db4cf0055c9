//! Agents and endpoints come and go while packets flow.

use std::{io, thread, time::Duration};

use anyhow::{Context as _, Result};
use xtask::workload::{Protocol, ask};

use super::{
    cluster::{ANSWER, Cluster, Ground, MODES, wait_until},
    services::{self, BOTH, FAR, HOST, ITSELF, NEAR, Way},
    stream::Stream,
};

#[test]
fn streams_survive_an_agent_that_is_killed_and_started_again() -> Result<()> {
    for mode in MODES {
        let ground = Ground::new(&format!("kill-{}-{}", mode.delivery, mode.attach))?;
        let mut cluster = Cluster::start(&ground, mode)?;
        kill_and_restart(&mut cluster).with_context(|| format!("{mode:?}\n{}", cluster.logs()))?;
    }
    Ok(())
}

fn kill_and_restart(cluster: &mut Cluster<'_>) -> Result<()> {
    let netns = cluster.netns("client")?;
    let streams: Vec<Stream> =
        over_tcp(&[NEAR, FAR]).map(|way| Stream::begin(netns, way)).collect::<Result<_>>()?;
    cluster.agents[0].kill()?;
    ask_all(cluster).context("without an agent")?;
    cluster.agents[0].restart()?;
    ask_all(cluster).context("with a new agent")?;
    streams.into_iter().try_for_each(Stream::finish)?;
    cluster.set_endpoints(BOTH, &["near"])?;
    wait_until(|| answers_come_from(cluster, &["near"])).context("an edit after the restart")
}

#[test]
fn no_request_fails_while_an_endpoint_leaves_and_a_stream_from_it_goes_on() -> Result<()> {
    for mode in MODES {
        let ground = Ground::new(&format!("leave-{}-{}", mode.delivery, mode.attach))?;
        let cluster = Cluster::start(&ground, mode)?;
        leave(&cluster).with_context(|| format!("{mode:?}\n{}", cluster.logs()))?;
    }
    Ok(())
}

fn leave(cluster: &Cluster<'_>) -> Result<()> {
    let [way, ..] = NEAR.ways();
    let stream = Stream::begin(cluster.netns("client")?, way)?;
    cluster.set_endpoints(NEAR, &[])?;
    cluster.set_endpoints(BOTH, &["far"])?;
    wait_until(|| answers_come_from(cluster, &["far"]))?;
    wait_until(|| Ok(cluster.ask(way)?.is_err())).context("a Service without endpoints")?;
    stream.finish()
}

#[test]
fn nodes_without_agents_serve_and_take_new_pods() -> Result<()> {
    for mode in MODES {
        let ground = Ground::new(&format!("absent-{}-{}", mode.delivery, mode.attach))?;
        let mut cluster = Cluster::start(&ground, mode)?;
        for agent in &mut cluster.agents {
            agent.stop()?;
        }
        ask_all(&cluster)?;
        cluster.add_pod(ground.network.a(), "late")?;
        for service in [NEAR, FAR, HOST] {
            for way in service.ways() {
                let answer =
                    cluster.netns("late")?.run(|| ask(way.protocol, way.address, ANSWER))?;
                let server = answer.with_context(|| format!("{mode:?} {way:?} from late"))?.server;
                assert_eq!([server.as_str()], service.endpoints, "{mode:?} {way:?}");
            }
        }
    }
    Ok(())
}

fn over_tcp(services: &[services::Service]) -> impl Iterator<Item = Way> {
    services.iter().flat_map(services::Service::ways).filter(|way| way.protocol == Protocol::Tcp)
}

/// Asks each Service that has somebody.
fn ask_all(cluster: &Cluster<'_>) -> Result<()> {
    for service in [NEAR, FAR, ITSELF, HOST, BOTH] {
        for way in service.ways() {
            cluster.ask(way)?.with_context(|| format!("{} {way:?}", service.name))?;
        }
    }
    Ok(())
}

/// Whether twenty answers of `BOTH` over each way are from these only; an error where one fails.
fn answers_come_from(cluster: &Cluster<'_>, servers: &[&str]) -> Result<bool> {
    let ask_often = || -> io::Result<bool> {
        let mut only = true;
        for way in [BOTH.ways(); 20].concat() {
            let answer = ask(way.protocol, way.address, ANSWER)?;
            only &= servers.contains(&answer.server.as_str());
            thread::sleep(Duration::from_millis(1));
        }
        Ok(only)
    };
    cluster.netns("client")?.run(ask_often)?.context("a request failed while endpoints changed")
}
