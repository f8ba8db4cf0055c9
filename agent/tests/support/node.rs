//! A node without a kernel: its engine, its maps, its files and a clock that only tests move.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use waggle_agent::config::KeepClientIp;
use waggle_agent::engine::{Engine, Report};
use waggle_agent::k8s::Change;
use waggle_agent::manifests::Library;
use waggle_agent::maps::faulty::FaultyMaps;

use super::watched::WatchedMaps;

pub(crate) const NAME: &str = "node-a";

pub(crate) struct Node {
    pub(crate) engine: Engine,
    pub(crate) maps: FaultyMaps<WatchedMaps>,
    pub(crate) now: Instant,
    pub(crate) report: Report,
    /// What the next agent is told.
    pub(crate) keep_client_ip: KeepClientIp,
    library: Library,
    files: BTreeMap<String, String>,
    held: BTreeSet<IpAddr>,
}

impl Node {
    /// A node whose maps never fail.
    pub(crate) fn new(maps: WatchedMaps) -> Self {
        let maps = FaultyMaps::new(maps, 0);
        maps.set_healthy(true);
        Self::over(maps)
    }

    /// A node on which one map operation in ten fails.
    pub(crate) fn faulty(seed: u64) -> Self {
        Self::over(FaultyMaps::new(WatchedMaps::default(), seed))
    }

    fn over(maps: FaultyMaps<WatchedMaps>) -> Self {
        let mut node = Self {
            engine: restore(&maps, KeepClientIp::None),
            maps,
            now: Instant::now(),
            report: Report::default(),
            keep_client_ip: KeepClientIp::None,
            library: Library::default(),
            files: BTreeMap::new(),
            held: BTreeSet::new(),
        };
        let changes = node.library.changes();
        node.feed(changes);
        node
    }

    /// Feeds changes once; a second passes before.
    pub(crate) fn feed(&mut self, changes: Vec<Change>) {
        self.now += Duration::from_secs(1);
        self.report = self.engine.feed(changes, &mut self.maps, self.now);
    }

    /// Goes on until nothing is left to be tried again but what waits for its source; counts all
    /// writes as one report.
    pub(crate) fn settle(&mut self) {
        let mut writes = self.report.writes;
        for _ in 0..500 {
            let waiting = self.problems().matches("until every source is readable").count();
            let Some(retry_at) =
                self.report.retry_at.filter(|_| waiting == 0 || self.report.pending > waiting)
            else {
                self.report.writes = writes;
                return;
            };
            self.now = retry_at;
            self.report = self.engine.feed(Vec::new(), &mut self.maps, self.now);
            writes += self.report.writes;
        }
        panic!("does not settle: {:#?}", self.report.problems);
    }

    pub(crate) fn write(&mut self, path: &str, text: &str) {
        self.files.insert(path.to_owned(), text.to_owned());
        self.library.read(path, text);
        let changes = self.library.changes();
        self.feed(changes);
    }

    pub(crate) fn remove(&mut self, path: &str) {
        self.files.remove(path);
        self.library.remove(path);
        let changes = self.library.changes();
        self.feed(changes);
    }

    /// Devices come to hold these addresses, and no others.
    pub(crate) fn hold(&mut self, addresses: impl Iterator<Item = IpAddr>) {
        self.held = addresses.collect();
        if self.engine.hold(&self.held) {
            self.feed(Vec::new());
        }
    }

    /// Another agent takes over: only maps and files are still there.
    pub(crate) fn restart(&mut self) {
        self.restart_without_source();
        self.library = Library::default();
        for (path, text) in &self.files {
            self.library.read(path, text);
        }
        let changes = self.library.changes();
        self.feed(changes);
    }

    /// Another agent takes over and has read no object yet.
    pub(crate) fn restart_without_source(&mut self) {
        self.engine = restore(&self.maps, self.keep_client_ip);
        self.engine.hold(&self.held);
    }

    /// Whether something is served that the files as they are do not tell.
    pub(crate) fn is_broken(&self) -> bool {
        self.problems().contains("cannot be read")
    }

    pub(crate) fn problems(&self) -> String {
        self.report.problems.iter().map(|problem| format!("{problem}\n")).collect()
    }
}

fn restore(maps: &FaultyMaps<WatchedMaps>, keep_client_ip: KeepClientIp) -> Engine {
    let restore = |_| Engine::restore(NAME, keep_client_ip, maps).ok();
    (0..100).find_map(restore).expect("maps can be read now and then")
}
