//! Fifty pods that come and go while calls for them are killed at random moments: no address is ever
//! of two pods, and afterwards nothing is left of those that are gone.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use serde_json::Value;
use waggle_tests::random::{Random, is_full};

use super::{
    host::{Host, Pod, ips},
    plugin::{Call, Said, program},
    whole::Whole,
};

/// Hardly larger than needed, so that addresses are used again and again.
const SMALL: [&str; 2] = ["10.1.1.0/26", "fd01:1::/122"];
const PODS: usize = 50;
const THREADS: usize = 4;
/// How long a call is taken to last before one was measured.
const USUAL: Duration = Duration::from_millis(10);

/// A pod as its runtime sees it.
struct Subject {
    container: String,
    add: Call,
    del: Call,
    state: State,
}

/// What the runtime knows of it.
#[derive(Clone, Debug)]
enum State {
    Gone,
    Live(Value),
    /// Its last call was killed.
    Unknown,
}

/// What the threads have in common.
struct Churn {
    wanted: usize,
    kills: AtomicUsize,
    calls: AtomicUsize,
    /// Addresses of pods whose ADD has ended and whose DEL has not begun.
    held: Mutex<BTreeMap<IpAddr, String>>,
}

/// One runtime at work.
struct Worker<'a> {
    churn: &'a Churn,
    random: Random,
    usual: Duration,
}

impl Churn {
    /// Lets each thread work for its pods until enough calls were killed.
    fn run(&self, subjects: Vec<Subject>, random: &mut Random) -> Result<Vec<Subject>> {
        let mut shares: Vec<Vec<Subject>> = (0..THREADS).map(|_| Vec::new()).collect();
        for (index, subject) in subjects.into_iter().enumerate() {
            shares[index % THREADS].push(subject);
        }
        thread::scope(|scope| {
            let start = |share: Vec<Subject>| {
                let worker = Worker { churn: self, random: random.part(), usual: USUAL };
                scope.spawn(move || worker.work(share))
            };
            let threads: Vec<_> = shares.into_iter().map(start).collect();
            let ended = threads.into_iter().map(|thread| thread.join().expect("no worker panics"));
            Ok(ended.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
        })
    }

    fn hold(&self, container: &str, result: &Value) -> Result<()> {
        let mut held = self.held.lock().expect("no worker panics");
        for ip in ips(result) {
            if let Some(other) = held.insert(ip, container.to_owned()) {
                bail!("{ip} is of {other} and of {container}");
            }
        }
        Ok(())
    }

    fn let_go(&self, container: &str) {
        let mut held = self.held.lock().expect("no worker panics");
        held.retain(|_, holder| holder != container);
    }
}

impl Worker<'_> {
    fn work(mut self, mut subjects: Vec<Subject>) -> Result<Vec<Subject>> {
        while self.churn.kills.load(Ordering::Relaxed) < self.churn.wanted {
            let chosen = usize::try_from(self.random.below(subjects.len() as u64))?;
            self.step(&mut subjects[chosen])?;
        }
        Ok(subjects)
    }

    fn step(&mut self, subject: &mut Subject) -> Result<()> {
        let is_add = match subject.state {
            State::Gone => true,
            State::Live(_) => false,
            State::Unknown => self.is_heads(),
        };
        if !is_add {
            self.churn.let_go(&subject.container);
        }
        self.churn.calls.fetch_add(1, Ordering::Relaxed);
        let call = if is_add { &subject.add } else { &subject.del }.clone();
        subject.state = if self.is_heads() { self.kill(call)? } else { self.finish(call)? };
        if let State::Live(result) = &subject.state {
            self.churn.hold(&subject.container, result)?;
        }
        Ok(())
    }

    fn kill(&mut self, call: Call) -> Result<State> {
        let mut child = call.start(&mut Command::new(program()?))?;
        thread::sleep(self.random.time_below(self.usual));
        child.kill()?;
        if child.wait()?.code().is_none() {
            self.churn.kills.fetch_add(1, Ordering::Relaxed);
        }
        Ok(State::Unknown)
    }

    fn finish(&mut self, call: Call) -> Result<State> {
        let start = Instant::now();
        let said = call.make()?;
        self.usual = (self.usual + start.elapsed()) / 2;
        match said {
            Said::Done(Some(result)) => Ok(State::Live(result)),
            Said::Done(None) => Ok(State::Gone),
            failed @ Said::Failed { .. } => bail!("{failed:?}"),
        }
    }

    fn is_heads(&mut self) -> bool {
        self.random.below(2) == 0
    }
}

/// The pods that are left in the end, and the results of those that live.
#[derive(Default)]
struct Left {
    pods: Vec<Pod>,
    live: Vec<(String, Value)>,
}

/// Ends what is unknown: of three pods one loses its namespace without a DEL, one is deleted, and one
/// is added.
fn settle(host: &Host, both: impl Iterator<Item = (Pod, Subject)>) -> Result<Left> {
    let mut left = Left::default();
    for (index, (pod, subject)) in both.enumerate() {
        let state = match (index % 3, subject.state) {
            (0, _) => continue,
            (1, State::Unknown) => {
                ensure!(host.del(&pod)? == Said::Done(None));
                State::Gone
            }
            (_, State::Unknown) => State::Live(host.add(&pod)?),
            (_, known) => known,
        };
        if let State::Live(result) = state {
            left.live.push((subject.container, result));
        }
        left.pods.push(pod);
    }
    Ok(left)
}

/// The state of a node that had a pod, and has none.
fn unused(host: &Host) -> Result<Whole> {
    let first = Pod::new("first")?;
    host.add(&first)?;
    ensure!(host.del(&first)? == Said::Done(None));
    host.whole()
}

fn subject(host: &Host, pod: &Pod) -> Subject {
    let [add, del] = ["ADD", "DEL"].map(|verb| host.call(verb, pod));
    Subject { container: pod.container.clone(), add, del, state: State::Gone }
}

#[test]
fn calls_that_are_killed_at_random_among_fifty_pods_leak_nothing_and_give_no_address_twice()
-> Result<()> {
    let mut random = Random::announced()?;
    let host = Host::ready(&SMALL)?;
    let nobody = unused(&host)?;
    let pods: Vec<Pod> =
        (0..PODS).map(|id| Pod::new(&format!("pod-{id}"))).collect::<Result<_>>()?;
    let subjects: Vec<Subject> = pods.iter().map(|pod| subject(&host, pod)).collect();

    let subjects = host.run(move || {
        let wanted = if is_full() { 1000 } else { 50 };
        let (kills, calls) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let churn = Churn { wanted, kills, calls, held: Mutex::default() };
        let mut subjects = churn.run(subjects, &mut random)?;
        println!("{:?} of {:?} calls were killed", churn.kills, churn.calls);
        subjects.sort_by(|one, other| one.container.cmp(&other.container));
        Ok(subjects)
    })?;

    let mut pods = pods;
    pods.sort_by(|one, other| one.container.cmp(&other.container));
    let Left { pods, live } = settle(&host, pods.into_iter().zip(subjects))?;
    host.wait_for_links(live.len())?;
    let gc = Call::bare("GC").input(&host.config("1.1.0"));
    ensure!(host.make(gc)? == Said::Done(None));
    let expected = live.iter().try_fold(nobody.clone(), |whole, (container, result)| {
        whole.with(&host, container, result)
    })?;
    assert_eq!(host.whole()?, expected);

    for pod in &pods {
        assert_eq!(host.del(pod)?, Said::Done(None));
    }
    assert_eq!(host.whole()?, nobody);
    Ok(())
}
