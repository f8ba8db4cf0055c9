//! What the demo shows, in order; each act ends with a sentence or with what went wrong.

mod hairpin;
mod kill;
mod leave;
mod spread;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use xtask::{
    cluster::PATIENCE,
    workload::{Protocol, ask},
};

use super::{
    board::{Board, Row},
    stage::Stage,
};

/// One thing to be seen.
pub(super) struct Act {
    pub(super) name: &'static str,
    pub(super) play: fn(&mut Stage<'_>, &mut Board) -> Result<String>,
}

/// Everything to be seen.
pub(super) const ALL: [Act; 4] = [
    Act { name: "spread", play: spread::play },
    Act { name: "hairpin", play: hairpin::play },
    Act { name: "endpoint removed", play: leave::play },
    Act { name: "agent killed", play: kill::play },
];

/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(2);

/// Between two rounds: slow enough to be watched.
const BEAT: Duration = Duration::from_millis(10);

/// The ways to one Service: each family with each protocol.
#[derive(Clone, Copy, Debug)]
struct Service {
    name: &'static str,
    v4: Ipv4Addr,
    v6: Ipv6Addr,
}

/// As in manifests/demo/services.yaml.
const WEB: Service = Service {
    name: "web",
    v4: Ipv4Addr::new(10, 96, 0, 80),
    v6: Ipv6Addr::new(0xfd00, 0x10, 0x96, 0, 0, 0, 0, 0x80),
};

/// As in manifests/demo/services.yaml.
const SOLO: Service = Service {
    name: "solo",
    v4: Ipv4Addr::new(10, 96, 0, 81),
    v6: Ipv6Addr::new(0xfd00, 0x10, 0x96, 0, 0, 0, 0, 0x81),
};

/// One way to a Service.
#[derive(Clone, Copy, Debug)]
struct Way {
    service: &'static str,
    protocol: Protocol,
    address: SocketAddr,
}

impl Service {
    fn ways(&self) -> [Way; 4] {
        let way = |protocol, ip: IpAddr| {
            let port = match protocol {
                Protocol::Tcp => 80,
                Protocol::Udp => 53,
            };
            Way { service: self.name, protocol, address: SocketAddr::new(ip, port) }
        };
        [
            way(Protocol::Tcp, self.v4.into()),
            way(Protocol::Udp, self.v4.into()),
            way(Protocol::Tcp, self.v6.into()),
            way(Protocol::Udp, self.v6.into()),
        ]
    }
}

impl Way {
    fn label(&self) -> String {
        let protocol = match self.protocol {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
        };
        format!("{} {protocol} {}", self.service, self.address)
    }

    /// Who answers, once.
    fn ask(&self) -> io::Result<String> {
        ask(self.protocol, self.address, ANSWER).map(|answer| answer.server)
    }
}

/// Waits until `done`, which asks something.
fn wait_until(stage: &Stage<'_>, mut done: impl FnMut() -> io::Result<bool>) -> Result<Duration> {
    let start = Instant::now();
    loop {
        let outcome = done();
        if matches!(outcome, Ok(true)) {
            return Ok(start.elapsed());
        }
        if start.elapsed() > PATIENCE {
            match outcome {
                Ok(_) => bail!("nothing changed for {PATIENCE:?}"),
                Err(error) => bail!("not answered for {PATIENCE:?}, last {error}"),
            }
        }
        stage.interrupt().pause(BEAT)?;
    }
}

/// Asks once over each way; who answered, or the first failure.
fn ask_all(ways: &[Way], board: &mut Board) -> Result<Vec<String>> {
    let mut servers = Vec::new();
    for (row, way) in ways.iter().enumerate() {
        let outcome = way.ask();
        board.count(row, outcome.as_ref().ok());
        servers.push(outcome.with_context(|| format!("{} failed", way.label()))?);
    }
    Ok(servers)
}

/// Asks over each way, round after round, before an audience.
fn rounds(
    stage: &Stage<'_>,
    board: &mut Board,
    title: &'static str,
    ways: &[Way],
    count: u32,
) -> Result<Vec<Row>> {
    board.begin(title, ways.iter().map(Way::label));
    let outcome = stage.client()?.run(|| {
        for _ in 0..count {
            ask_all(ways, board)?;
            stage.interrupt().pause(BEAT)?;
        }
        Ok(())
    })?;
    let rows = board.end();
    outcome.map(|()| rows)
}

/// How many requests were answered.
fn total(rows: &[Row]) -> u32 {
    rows.iter().map(Row::answered).sum()
}
