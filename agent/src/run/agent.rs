//! The loop: what happens, and what is done about it. One task, so that nothing overtakes.

use std::future;
use std::path::PathBuf;
use std::time::Duration;

use hostnet::watch::{Changed, Watch};
use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};
use tracing::{error, info};

use super::pulse::Pulse;
use super::record::{Mark, Record};
use super::standing::Standing;
use super::text;
use crate::adoption::Adoption;
use crate::config::Config;
use crate::engine::{Engine, Report};
use crate::k8s::Change;
use crate::loader::HostClients;
use crate::loader::hooks::Scan;
use crate::logging::log_transitions;
use crate::maps::kernel::KernelMaps;
use crate::network::{Addresses, Cluster, Network, NetworkState};
use crate::problem::Problem;
use crate::source::Source;
use crate::status::State;
use crate::wake::Wake;

/// How long devices may go on changing before they are looked at: a pod's link is several changes.
const SETTLING: Duration = Duration::from_millis(100);
/// The same for routes, which some hosts change all the time.
const SETTLING_ROUTES: Duration = Duration::from_secs(1);
/// How often is looked for what no message tells of.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// How long after a failure the network is looked after again; doubled each time up to
/// [`Network::period`].
const RETRY: Duration = Duration::from_secs(1);

/// The agent.
pub(super) struct Agent {
    pub(super) engine: Engine,
    pub(super) maps: KernelMaps,
    pub(super) wake: Wake,
    pub(super) source: Source,
    pub(super) network: Network,
    pub(super) pulse: Pulse,
    pub(super) state: State,
    pub(super) run_dir: PathBuf,
    pub(super) record: Record,
    /// The revision whose Services are in the state.
    pub(super) told: Option<u64>,
    pub(super) standing: Standing,
}

/// What the agent waits for.
enum Event {
    Stop,
    Changes(Vec<Change>),
    Retry,
    Network,
    Record,
    News,
}

/// What happens.
enum Happening {
    Event(Event),
    Host(Changed),
    Wake,
    Tick,
}

/// When something is due, if nothing happens before.
struct Due {
    retry: Option<Instant>,
    network: Instant,
    tick: Instant,
    record: Option<Instant>,
    scan: Scan,
    pause: Duration,
}

/// Where the word to stop comes from.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

/// The state before anything was done. What an earlier agent served is served still.
pub(super) fn first_state(
    node: &str,
    source: String,
    config: &Config,
    host_clients: HostClients,
    before: Option<State>,
) -> State {
    State {
        node: node.to_owned(),
        source,
        api: None,
        started: now(),
        last_sync: None,
        complete: false,
        writes: 0,
        delivery: config.delivery,
        attach: config.attach,
        host_clients,
        devices: Vec::new(),
        addresses: Addresses::default(),
        adoption: Adoption::default(),
        problems: Vec::new(),
        services: before.map(|before| before.services).unwrap_or_default(),
    }
}

impl Due {
    fn at_first(period: Duration) -> Self {
        let (network, tick) = (Instant::now() + period, Instant::now() + TICK);
        Self { retry: None, network, tick, record: None, scan: Scan::Everything, pause: RETRY }
    }
}

impl Stop {
    fn on_signals() -> std::io::Result<Self> {
        let (terminate, interrupt) = (SignalKind::terminate(), SignalKind::interrupt());
        Ok(Self { terminate: signal(terminate)?, interrupt: signal(interrupt)? })
    }
}

impl Agent {
    /// Follows the objects and the host until told to stop.
    pub(super) async fn follow(mut self) -> anyhow::Result<()> {
        let mut watch = Watch::here()?;
        let mut stop = Stop::on_signals()?;
        let mut due = Due::at_first(self.network.period());
        let mut report = None;
        let mut network = None;
        info!(node = self.state.node, source = self.state.source, "started");
        self.standing.ensure();
        loop {
            match self.next(&mut watch, &mut stop, &mut due).await {
                Event::Stop => break,
                Event::Changes(changes) => {
                    report = Some(self.take_in(changes, report.as_ref(), &mut due));
                }
                Event::News => self.announce()?,
                Event::Record => self.record(report.as_ref(), network.as_ref()),
                Event::Retry => report = Some(self.sync(Vec::new(), &mut due)),
                Event::Network if !self.network.is_pinned() => anyhow::bail!(
                    "the pinned tables were removed under this agent: start it again to make them anew"
                ),
                Event::Network => match &report {
                    Some(report) if report.listed => {
                        if !State::path(&self.run_dir).exists() {
                            self.record.forget();
                        }
                        let is_complete = report.complete;
                        network =
                            Some(self.look_after_network(is_complete, network, &mut due).await);
                    }
                    Some(_) | None => due.network = Instant::now() + self.network.period(),
                },
            }
            due.record = self.record_due(report.as_ref(), network.as_ref());
        }
        if due.record.is_some() {
            self.record(report.as_ref(), network.as_ref());
        }
        info!("stopped; programs, tables and routes stay in place");
        Ok(())
    }

    /// Tells those who look at the objects concerned what happened to sockets.
    ///
    /// # Errors
    /// When the agent is not to go on without its own sockets.
    fn announce(&mut self) -> anyhow::Result<()> {
        for event in self.pulse.news() {
            self.source.announce(event);
        }
        let fatal = self.pulse.fatal();
        fatal.map_or(Ok(()), |problem| anyhow::bail!("{problem}; bindAddressHardFail forbids that"))
    }

    /// The network is looked after when there are Nodes for the first time and when they change.
    fn take_in(&mut self, changes: Vec<Change>, before: Option<&Report>, due: &mut Due) -> Report {
        let round = self.sync(changes, due);
        self.follow_policies();
        let is_first = before.is_none_or(|before| !before.listed);
        let is_stale = self.is_stale();
        if round.listed && (is_first || round.nodes_changed || is_stale) {
            due.network = Instant::now();
        }
        round
    }

    /// Waits for something to do. What was heard of the host is done when it has settled.
    async fn next(&mut self, watch: &mut Watch, stop: &mut Stop, due: &mut Due) -> Event {
        watch.mind(self.network.tunnel());
        loop {
            match happening(&mut self.source, &mut self.pulse, watch, stop, due, self.wake.due())
                .await
            {
                Happening::Event(event) => return event,
                Happening::Host(changed) => {
                    let settling = match changed {
                        Changed::Devices => SETTLING,
                        Changed::Routes => SETTLING_ROUTES,
                    };
                    due.network = due.network.min(Instant::now() + settling);
                }
                Happening::Wake => self.wake.look(),
                Happening::Tick => {
                    due.tick = Instant::now() + TICK;
                    let is_news = self.follow_policies();
                    if self.network.look_for_others() || self.is_stale() {
                        due.network = Instant::now();
                    }
                    if self.standing.follow() || is_news {
                        return Event::News;
                    }
                }
            }
        }
    }

    fn sync(&mut self, changes: Vec<Change>, due: &mut Due) -> Report {
        let began = self.pulse.round(&changes);
        let report = self.engine.feed(changes, &mut self.maps, began.steady);
        self.pulse.ended(began, &report, &self.engine);
        if report.udp_deaths > 0 {
            self.wake.ask();
        }
        due.retry = report.retry_at.map(Instant::from_std);
        self.state.writes += report.writes;
        let is_in_sync = report.listed && report.pending == 0;
        if is_in_sync && (report.writes > 0 || self.state.last_sync.is_none()) {
            self.state.last_sync = Some(now());
        }
        if report.writes > 0 {
            info!(writes = report.writes, pending = report.pending, "wrote the tables");
        }
        report
    }

    async fn look_after_network(
        &mut self,
        is_complete: bool,
        before: Option<NetworkState>,
        due: &mut Due,
    ) -> NetworkState {
        let nodes = self.engine.nodes().map(|node| (node.name.clone(), node.clone())).collect();
        let node_ports = self.engine.node_ports();
        let services = self.engine.service_networks();
        let cluster = Cluster { nodes, is_complete, node_ports, services };
        self.standing.ensure();
        match self.network.ensure(&cluster, due.scan).await {
            Ok(state) => {
                (due.network, due.scan, due.pause) =
                    (Instant::now() + self.network.period(), Scan::Pins, RETRY);
                self.pulse.listen(&state.addresses);
                let own = self.engine.own_node();
                self.source.make_available(self.pulse.unavailable(own, is_complete));
                if self.engine.hold(&state.held) {
                    due.retry = Some(Instant::now());
                }
                state
            }
            Err(failure) => {
                due.network = Instant::now() + due.pause;
                due.pause = (due.pause * 2).min(self.network.period().max(RETRY));
                let problem = Problem::error("network of this node", format!("{failure:#}"));
                NetworkState { problems: [problem].into(), ..before.unwrap_or_default() }
            }
        }
    }

    /// Says whether NetworkPolicies are enforced otherwise than before, and tells those who look at
    /// them where they are not.
    fn follow_policies(&mut self) -> bool {
        let now = Instant::now().into_std();
        let is_other = self.standing.policies.follow(self.engine.network_policies(), now);
        if let Some(event) = self.standing.policies.news(&self.state.node, now) {
            self.source.announce(event);
        }
        is_other
    }

    /// Whether the network has yet to hear of what is served.
    fn is_stale(&self) -> bool {
        self.network.is_stale(&self.engine.node_ports(), &self.engine.service_networks())
    }

    fn record_due(
        &self,
        report: Option<&Report>,
        network: Option<&NetworkState>,
    ) -> Option<Instant> {
        self.record.due(&self.mark(report?, network), Instant::now())
    }

    fn mark(&self, report: &Report, network: Option<&NetworkState>) -> Mark {
        let Report { revision, .. } = *report;
        let mut beside = self.pulse.problems();
        beside.extend(self.standing.problems());
        Mark { revision, network: network.cloned(), api: self.source.health(), beside }
    }

    /// Logs what became wrong or right, and writes down how things are.
    fn record(&mut self, report: Option<&Report>, network: Option<&NetworkState>) {
        let Some(report) = report else { return };
        let mut problems = report.problems.to_vec();
        problems.extend(network.iter().flat_map(|network| &network.problems).cloned());
        let mark = self.mark(report, network);
        problems.extend(mark.beside.iter().cloned());
        problems.sort();
        log_transitions(&self.state.problems, &problems);
        self.state.problems = problems;
        self.state.api.clone_from(&mark.api);
        if report.listed {
            self.state.complete = report.complete;
            if self.told.replace(report.revision) != Some(report.revision) {
                self.state.services = self.engine.services();
            }
        }
        if let Some(network) = network {
            self.state.devices.clone_from(&network.devices);
            self.state.addresses.clone_from(&network.addresses);
            self.state.adoption.clone_from(&network.adoption);
        }
        let written = self.state.write(&self.run_dir);
        if let Err(failure) = &written {
            error!(%failure, folder = text(&self.run_dir), "failed to write state.json");
        }
        self.record.tried(mark, written.is_ok(), Instant::now());
    }
}

async fn happening(
    source: &mut Source,
    pulse: &mut Pulse,
    watch: &mut Watch,
    stop: &mut Stop,
    due: &Due,
    wake: Option<Instant>,
) -> Happening {
    let until = async |time: Option<Instant>| match time {
        Some(time) => sleep_until(time).await,
        None => future::pending().await,
    };
    let event = tokio::select! {
        biased;
        _ = stop.terminate.recv() => Event::Stop,
        _ = stop.interrupt.recv() => Event::Stop,
        () = until(due.record) => Event::Record,
        () = until(wake) => return Happening::Wake,
        changes = source.next() => Event::Changes(changes),
        () = pulse.changed() => Event::News,
        changed = watch.changed() => return Happening::Host(changed),
        () = until(due.retry) => Event::Retry,
        () = sleep_until(due.network) => Event::Network,
        () = sleep_until(due.tick) => return Happening::Tick,
    };
    Happening::Event(event)
}

fn now() -> String {
    let now = Timestamp::now();
    let seconds = TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Trunc);
    now.round(seconds).unwrap_or(now).to_string()
}
