//! A SIGKILL between any two calls that change something: DEL alone, the reconciler alone, and
//! another ADD each mend what is left.

use anyhow::{Context as _, Result, ensure};
use waggle_tests::random::{Random, is_full};

use super::{
    host::{Host, Pod, ips},
    plugin::{Call, Said},
    tracer::Instant,
    whole::Whole,
};

const BOTH: [&str; 2] = ["10.1.1.0/24", "fd01:1::/64"];
const DONE: Said = Said::Done(None);
/// Fewer would mean that calls are missed.
const LEAST: usize = 30;
/// Every how many instants are tried where not all are.
const STEP: u64 = 5;

/// What comes after the kill.
#[derive(Clone, Copy, Debug)]
enum After {
    /// The runtime deletes the pod.
    Del,
    /// The runtime forgets the pod, whose namespace goes.
    Reconciler,
    /// The runtime adds the pod once more.
    Retry,
}

/// A node with a pod that must not notice anything.
struct Node {
    host: Host,
    _bystander: Pod,
    before: Whole,
}

impl Node {
    fn new() -> Result<Self> {
        let host = Host::ready(&BOTH)?;
        let bystander = Pod::new("bystander")?;
        host.add(&bystander)?;
        let before = host.whole()?;
        Ok(Self { host, _bystander: bystander, before })
    }

    /// A pod as the verb is to find it.
    fn pod(&self, name: &str, verb: &str) -> Result<Pod> {
        let pod = Pod::new(name)?;
        if verb == "DEL" {
            self.host.add(&pod)?;
        }
        Ok(pod)
    }

    fn instants(&self, verb: &str) -> Result<Vec<Instant>> {
        let pod = self.pod("recorded", verb)?;
        let call = self.host.call(verb, &pod);
        let instants = self.host.run(|| call.instants())?;
        ensure!(self.host.del(&pod)? == DONE);
        Ok(instants)
    }

    fn kill(&self, verb: &str, instant: &Instant, after: After) -> Result<()> {
        let pod = self.pod("killed", verb)?;
        let (call, at) = (self.host.call(verb, &pod), instant.clone());
        self.host.run(move || call.kill_at(&at))?;
        self.mend(pod, after)?;
        let left = self.host.whole()?;
        ensure!(left == self.before, "left {left:#?} of {:#?}", self.before);
        Ok(())
    }

    fn mend(&self, pod: Pod, after: After) -> Result<()> {
        match after {
            After::Del => ensure!(self.host.del(&pod)? == DONE),
            After::Reconciler => {
                drop(pod);
                self.host.wait_for_links(1)?;
                let gc = Call::bare("GC").input(&self.host.config("1.1.0"));
                ensure!(self.host.make(gc)? == DONE);
            }
            After::Retry => {
                let result = self.host.add(&pod)?;
                let taken = |ip| self.before.pods.contains_key(ip);
                ensure!(!ips(&result).iter().any(taken), "an address of the bystander: {result}");
                let expected = self.before.clone().with(&self.host, &pod.container, &result)?;
                let found = self.host.whole()?;
                ensure!(found == expected, "added {found:#?}, not {expected:#?}");
                ensure!(self.host.del(&pod)? == DONE);
            }
        }
        Ok(())
    }
}

#[expect(clippy::print_stdout, reason = "how many instants there are is a result")]
fn kill_everywhere(verb: &str) -> Result<()> {
    let mut random = Random::announced()?;
    let node = Node::new()?;
    let instants = node.instants(verb)?;
    ensure!(instants.len() >= LEAST, "{verb} has {} instants: {instants:?}", instants.len());
    let (first, step) = if is_full() { (0, 1) } else { (random.below(STEP), STEP) };
    let (first, step) = (usize::try_from(first)?, usize::try_from(step)?);
    let chosen: Vec<&Instant> = instants.iter().skip(first).step_by(step).collect();
    println!("{verb}: killed at {} of {} instants", chosen.len(), instants.len());
    for instant in chosen {
        for after in [After::Del, After::Reconciler, After::Retry] {
            node.kill(verb, instant, after)
                .with_context(|| format!("{verb} killed at {instant:?}, then {after:?}"))?;
        }
    }
    Ok(())
}

#[test]
fn an_add_that_is_killed_at_any_instant_is_mended_by_del_by_the_reconciler_and_by_add() -> Result<()>
{
    kill_everywhere("ADD")
}

#[test]
fn a_del_that_is_killed_at_any_instant_is_mended_by_del_by_the_reconciler_and_by_add() -> Result<()>
{
    kill_everywhere("DEL")
}
