//! Begins flows at a node and watches every way out of it.

use std::{
    ops::Range,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use xtask::topology::{Apart, Netns};

use super::{
    origins::Origins,
    places::{PRIMARY, Place, SECONDARY},
    probe::{Outcome, Probe, Protocol, Sender},
    sockets::{Sockets, Start},
    tally::{Spot, Tally},
    wire::{Ear, Tap, read},
};

/// Flows that begin together: few enough for the node's own sockets and for all queues.
const PART: usize = 4096;

/// After how long without a frame no more are awaited, at the first try and at the last. Frames
/// cross the node while they are sent, unless another program has the processor.
const QUIET: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(40)];

/// Makes a node forget all flows.
pub(super) type Forget = Box<dyn Fn() -> Result<()> + Send>;

/// What watches a node.
pub(super) struct Prober {
    forget: Forget,
    wire: Tap,
    /// In the order of [`super::places::LOCAL_PODS`].
    pods: Vec<Tap>,
    /// At the node's own addresses.
    ears: Vec<Ear>,
    sockets: Sockets,
    origins: Origins,
    /// Numbers of flows before this are taken.
    next: u32,
}

impl Prober {
    /// Taps a node and the pods that are wired to it; the node is made to `forget` before flows
    /// begin, so that none is in the way of another.
    pub(super) fn start(apart: &Apart, pods: &[Netns], forget: Forget) -> Result<Self> {
        let node = apart.node().netns();
        let pods = pods.iter().map(|pod| Tap::open(pod, node)).collect::<Result<_>>()?;
        let (wire, sockets) = (Tap::open(apart.wire(), node)?, Sockets::start(apart.node())?);
        let own = [PRIMARY, SECONDARY].into_iter().flat_map(Place::both);
        let ears = own.flat_map(|at| Protocol::ALL.map(|kind| (at, kind)));
        let ears = ears.map(|(at, kind)| Ear::open(node, at, kind)).collect::<Result<_>>()?;
        Ok(Self { forget, wire, pods, ears, sockets, origins: Origins::default(), next: 1 })
    }

    /// As [`super::island::Island::probe`] has it.
    pub(super) fn probe(&mut self, probes: &[Probe]) -> Result<Vec<Outcome>> {
        let origins = &mut self.origins;
        let mut tally = Tally::new(probes, self.next, |probe| origins.next(probe));
        self.next = tally.number(tally.len());
        // What nothing was seen of is tried once more: a frame may be lost at a full queue.
        for quiet in QUIET {
            for part in parts(tally.len()) {
                let open = tally.open(part);
                self.begin(&mut tally, &open, quiet)?;
            }
        }
        Ok(tally.outcomes())
    }

    /// Begins flows and waits until all is seen or nothing moves.
    fn begin(&mut self, tally: &mut Tally<'_>, flows: &[usize], quiet: Duration) -> Result<()> {
        if flows.is_empty() {
            return Ok(());
        }
        (self.forget)().context("emptying the node's tables of flows")?;
        self.sockets.begin(starts(tally, flows))?;
        for opening in flows.iter().filter_map(|flow| tally.opening(*flow).map(|it| (*flow, it))) {
            let (flow, opening) = opening;
            self.tap(tally.probe(flow).sender)?.send(&opening)?;
        }
        self.sockets.wait_begun()?;
        self.watch(tally, flows, quiet)?;
        tally.refuse(&self.sockets.end()?);
        Ok(())
    }

    fn tap(&self, sender: Sender) -> Result<&Tap> {
        match sender {
            Sender::LocalPod => self.pods.first().context("a node has no pods"),
            Sender::RemotePod | Sender::OtherNode | Sender::Outside | Sender::OwnNode => {
                Ok(&self.wire)
            }
        }
    }

    fn watch(&self, tally: &mut Tally<'_>, flows: &[usize], quiet: Duration) -> Result<()> {
        let mut moved = Instant::now();
        while flows.iter().any(|flow| tally.is_open(*flow)) {
            if self.drain(tally)? > 0 {
                moved = Instant::now();
            }
            let Some(rest) = quiet.checked_sub(moved.elapsed()) else { break };
            self.wait(rest)?;
        }
        Ok(())
    }

    fn drain(&self, tally: &mut Tally<'_>) -> Result<usize> {
        let pods = self.pods.iter().map(|pod| (Spot::Pod, pod));
        let mut count = 0;
        for (spot, tap) in pods.chain([(Spot::Wire, &self.wire)]) {
            count += tap.drain(|frame| {
                if let Some(sight) = read(frame) {
                    tally.note(spot, sight);
                }
            })?;
        }
        // After the taps, which may have seen the answer to what is heard here.
        for ear in &self.ears {
            count += ear.drain(|sight| tally.note(Spot::Node, sight))?;
        }
        Ok(count)
    }

    /// Until a frame comes, or for a time.
    fn wait(&self, time: Duration) -> Result<()> {
        let taps = self.pods.iter().chain([&self.wire]);
        let mut events: Vec<_> = taps
            .map(AsFd::as_fd)
            .chain(self.ears.iter().map(AsFd::as_fd))
            .map(|socket| PollFd::from_borrowed_fd(socket, PollFlags::IN))
            .collect();
        match poll(&mut events, Some(&Timespec::try_from(time)?)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error).context("waiting for frames"),
        }
    }
}

/// What the node's own sender is told.
fn starts(tally: &Tally<'_>, flows: &[usize]) -> Vec<Start> {
    let own = flows.iter().filter(|flow| tally.probe(**flow).sender == Sender::OwnNode);
    own.map(|flow| {
        let &Probe { to, protocol, .. } = tally.probe(*flow);
        Start { number: tally.number(*flow), to, protocol }
    })
    .collect()
}

/// All flows, so many at a time.
fn parts(flows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..flows).step_by(PART).map(move |first| first..flows.min(first + PART))
}
