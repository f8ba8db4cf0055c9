//! Flows that have begun, and what was seen of each.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    ops::Range,
};

use super::{
    places::{PRIMARY, SECONDARY},
    probe::{Arrival, Outcome, Probe, Refusal, Source},
    wire::{Opening, Sight},
};

/// Where something was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// At a local pod's end of its link.
    Pod,
    /// At the far end of the uplink.
    Wire,
    /// In the node's own stack.
    Node,
}

/// What became of a flow; the first that was seen counts, but that the node's own stack refuses what
/// has arrived there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Arrived(Arrival),
    Refused(Refusal),
    Passed,
}

/// A flow of a probe.
#[derive(Clone, Copy, Debug)]
struct Flow {
    probe: usize,
    /// The node's own have no source before they have a socket.
    from: Option<SocketAddr>,
    fate: Option<Fate>,
}

/// All flows of some probes, with numbers that follow each other.
#[derive(Debug)]
pub(super) struct Tally<'a> {
    probes: &'a [Probe],
    first: u32,
    flows: Vec<Flow>,
}

impl<'a> Tally<'a> {
    /// Of flows that have the numbers from `first` on; `source` is asked for the source of each.
    pub(super) fn new(
        probes: &'a [Probe],
        first: u32,
        mut source: impl FnMut(&Probe) -> Option<SocketAddr>,
    ) -> Self {
        let mut flows = Vec::new();
        for (number, probe) in probes.iter().enumerate() {
            flows.extend((0..probe.flows).map(|_| Flow {
                probe: number,
                from: source(probe),
                fate: None,
            }));
        }
        Self { probes, first, flows }
    }

    /// How many flows there are.
    pub(super) fn len(&self) -> usize {
        self.flows.len()
    }

    /// The flows of a part of which nothing was seen yet, by their places among all.
    pub(super) fn open(&self, part: Range<usize>) -> Vec<usize> {
        part.filter(|flow| self.is_open(*flow)).collect()
    }

    /// Whether nothing was seen of a flow yet.
    pub(super) fn is_open(&self, flow: usize) -> bool {
        self.flows[flow].fate.is_none()
    }

    /// The probe of a flow.
    pub(super) fn probe(&self, flow: usize) -> &Probe {
        &self.probes[self.flows[flow].probe]
    }

    /// The number of a flow.
    pub(super) fn number(&self, flow: usize) -> u32 {
        // Numbers may begin again after the last.
        self.first.wrapping_add(u32::try_from(flow).unwrap_or(u32::MAX))
    }

    /// The first packet of a flow, unless it is the node's to write.
    pub(super) fn opening(&self, flow: usize) -> Option<Opening> {
        let &Probe { to, protocol, .. } = self.probe(flow);
        let from = self.flows[flow].from?;
        Some(Opening { from, to, protocol, number: self.number(flow) })
    }

    /// Takes down what was seen; flows of others and earlier ones are none.
    pub(super) fn note(&mut self, spot: Spot, sight: Sight) {
        match sight {
            Sight::Opening(seen) => {
                if let Some(flow) = self.flow(seen.number) {
                    let fate = self.fate(flow, spot, &seen);
                    self.settle(flow, fate);
                }
            }
            Sight::Refused { number, by } => {
                if let Some(flow) = self.flow(number) {
                    self.settle(flow, Some(Fate::Refused(by)));
                }
            }
        }
    }

    /// Takes down which flows of the node itself were refused; a number is nobody's else.
    pub(super) fn refuse(&mut self, numbers: &[u32]) {
        for number in numbers {
            self.note(Spot::Wire, Sight::Refused { number: *number, by: Refusal::Unreachable });
        }
    }

    /// What became of each probe.
    pub(super) fn outcomes(&self) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::default(); self.probes.len()];
        let mut firsts = BTreeMap::new();
        for flow in &self.flows {
            let outcome = &mut outcomes[flow.probe];
            if let Some(Fate::Arrived(Arrival { at, source: _ })) = flow.fate {
                let client = (flow.probe, flow.from.map(|from| from.ip()));
                outcome.is_strewn |= *firsts.entry(client).or_insert(at) != at;
            }
            *match flow.fate {
                Some(Fate::Arrived(arrival)) => outcome.arrived.entry(arrival).or_default(),
                Some(Fate::Refused(refusal)) => outcome.refused.entry(refusal).or_default(),
                Some(Fate::Passed) => &mut outcome.passed,
                None => &mut outcome.silent,
            } += 1;
        }
        outcomes
    }

    fn flow(&self, number: u32) -> Option<usize> {
        let flow = usize::try_from(number.wrapping_sub(self.first)).ok()?;
        (flow < self.flows.len()).then_some(flow)
    }

    fn fate(&self, flow: usize, spot: Spot, seen: &Opening) -> Option<Fate> {
        let is_untouched = seen.to == self.probe(flow).to;
        match spot {
            Spot::Wire if is_untouched => Some(Fate::Passed),
            // Nobody served it; what the stack makes of it is seen elsewhere.
            Spot::Node if is_untouched => None,
            Spot::Pod | Spot::Wire | Spot::Node => {
                let source = self.source(flow, seen.from.ip());
                Some(Fate::Arrived(Arrival { at: seen.to, source }))
            }
        }
    }

    fn source(&self, flow: usize, seen: IpAddr) -> Source {
        let is_of_node = [PRIMARY, SECONDARY].iter().any(|place| place.both().contains(&seen));
        match self.flows[flow].from {
            Some(from) if from.ip() == seen => Source::Kept,
            Some(_) | None if is_of_node => Source::Node(seen),
            Some(_) | None => Source::Other(seen),
        }
    }

    fn settle(&mut self, flow: usize, fate: Option<Fate>) {
        let settled = &mut self.flows[flow].fate;
        *settled = match (*settled, fate) {
            (None | Some(Fate::Refused(_)), Some(Fate::Arrived(_))) | (None, _) => fate,
            (Some(_), _) => *settled,
        };
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, net::SocketAddr};

    use super::{Spot, Tally};
    use crate::diff::{
        places::{LOCAL_PODS, PRIMARY},
        probe::{Arrival, Outcome, Probe, Protocol, Refusal, Sender, Source},
        wire::{Opening, Sight},
    };

    const FIRST: u32 = u32::MAX - 1;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn probe(sender: Sender, flows: u32) -> Probe {
        Probe { sender, to: address("10.96.0.1:80"), protocol: Protocol::Tcp, flows }
    }

    /// Of probes whose flows are from p1 unless they are the node's own.
    fn tally(probes: &[Probe]) -> Tally<'_> {
        Tally::new(probes, FIRST, |probe| match probe.sender {
            Sender::OwnNode => None,
            _ => Some(SocketAddr::new(LOCAL_PODS[0].v4.into(), 2000)),
        })
    }

    fn opening(number: u32, from: &str, to: &str) -> Sight {
        let (from, to) = (address(from), address(to));
        Sight::Opening(Opening { from, to, protocol: Protocol::Tcp, number })
    }

    #[test]
    fn each_flow_is_counted_once_by_what_was_seen_first() {
        let probes = [probe(Sender::LocalPod, 3), probe(Sender::OwnNode, 2)];
        let mut tally = tally(&probes);
        let numbers: Vec<u32> = (0..5).map(|flow| tally.number(flow)).collect();
        assert_eq!(numbers, [FIRST, u32::MAX, 0, 1, 2]);
        let pod = "10.244.1.3:8080";
        tally.note(Spot::Pod, opening(numbers[0], "10.244.1.2:2000", pod));
        tally.note(Spot::Pod, opening(numbers[0], "192.168.88.11:9", "10.244.1.4:8080"));
        tally.note(Spot::Wire, Sight::Refused { number: numbers[2], by: Refusal::Reset });
        tally.note(Spot::Pod, opening(numbers[3], "192.168.88.11:9", pod));
        assert_eq!(tally.open(0..5), [1, 4]);
        let at = address(pod);
        let expected = [
            Outcome {
                arrived: BTreeMap::from([(Arrival { at, source: Source::Kept }, 1)]),
                refused: BTreeMap::from([(Refusal::Reset, 1)]),
                passed: 0,
                silent: 1,
                is_strewn: false,
            },
            Outcome {
                arrived: BTreeMap::from([(
                    Arrival { at, source: Source::Node(PRIMARY.v4.into()) },
                    1,
                )]),
                silent: 1,
                ..Outcome::default()
            },
        ];
        assert_eq!(tally.outcomes(), expected);
    }

    #[test]
    fn what_leaves_for_its_own_destination_has_passed_and_what_leaves_for_another_arrives() {
        let probes = [probe(Sender::LocalPod, 1)];
        let [vip, remote] = ["10.96.0.1:80", "10.244.2.2:80"];
        let arrived = |source| Outcome {
            arrived: BTreeMap::from([(Arrival { at: address(remote), source }, 1)]),
            ..Outcome::default()
        };
        let passed = Outcome { passed: 1, ..Outcome::default() };
        let foreign = Source::Other(address("192.0.2.1:0").ip());
        let rows = [
            ("10.244.1.2:2000", vip, passed.clone()),
            ("192.168.88.11:2000", vip, passed),
            ("10.244.1.2:2001", remote, arrived(Source::Kept)),
            ("192.168.88.11:2000", remote, arrived(Source::Node(PRIMARY.v4.into()))),
            ("192.0.2.1:2000", remote, arrived(foreign)),
        ];
        for (from, to, expected) in rows {
            let mut tally = tally(&probes);
            tally.note(Spot::Wire, opening(FIRST, from, to));
            assert_eq!(tally.outcomes(), [expected], "{from} to {to}");
        }
    }

    #[test]
    fn what_reaches_the_node_itself_arrives_though_nobody_listens_there() {
        let probes = [probe(Sender::LocalPod, 1)];
        let refused = Sight::Refused { number: FIRST, by: Refusal::Reset };
        let opening = |to| opening(FIRST, "10.244.1.2:2000", to);
        let at = address("192.168.88.11:8080");
        let arrived = Outcome {
            arrived: BTreeMap::from([(Arrival { at, source: Source::Kept }, 1)]),
            ..Outcome::default()
        };
        let untouched =
            Outcome { refused: BTreeMap::from([(Refusal::Reset, 1)]), ..Outcome::default() };
        let rows = [
            ([(Spot::Node, opening("192.168.88.11:8080")), (Spot::Pod, refused)], &arrived),
            ([(Spot::Pod, refused), (Spot::Node, opening("192.168.88.11:8080"))], &arrived),
            ([(Spot::Node, opening("10.96.0.1:80")), (Spot::Pod, refused)], &untouched),
        ];
        for (seen, expected) in rows {
            let mut tally = tally(&probes);
            for (spot, sight) in seen {
                tally.note(spot, sight);
            }
            assert_eq!(&tally.outcomes()[0], expected, "{seen:?}");
        }
    }

    #[test]
    fn flows_of_other_numbers_are_nobodys() {
        let probes = [probe(Sender::LocalPod, 2)];
        let mut tally = tally(&probes);
        for number in [FIRST - 1, FIRST.wrapping_add(2)] {
            tally.note(Spot::Pod, opening(number, "10.244.1.2:2000", "10.244.1.3:80"));
            tally.note(Spot::Wire, Sight::Refused { number, by: Refusal::Unreachable });
        }
        assert_eq!(tally.outcomes(), [Outcome { silent: 2, ..Outcome::default() }]);
    }
}
