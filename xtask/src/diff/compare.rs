//! Whether two outcomes of one probe are the same answer, and what they are in words.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use super::{
    case::Shot,
    places::Place,
    probe::{Arrival, Outcome, Probe, Refusal, Source},
};

/// What is compared: which things happened, not how often.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer<'a> {
    arrivals: BTreeSet<&'a Arrival>,
    refusals: BTreeSet<&'a Refusal>,
    is_passed: bool,
    is_silent: bool,
}

impl<'a> Answer<'a> {
    fn new(outcome: &'a Outcome) -> Self {
        let Outcome { arrived, refused, passed, silent, is_strewn: _ } = outcome;
        Self {
            arrivals: arrived.keys().collect(),
            refusals: refused.keys().collect(),
            is_passed: *passed > 0,
            is_silent: *silent > 0,
        }
    }
}

/// Whether nobody who sends such flows could tell one from the other.
pub(super) fn agree(theirs: &Outcome, ours: &Outcome) -> bool {
    Answer::new(theirs) == Answer::new(ours)
}

/// Whether clients who stay with their backend stay in both, each with one of `endpoints`: it need
/// not be the same one.
pub(super) fn stay(theirs: &Outcome, ours: &Outcome, endpoints: &BTreeSet<SocketAddr>) -> bool {
    let is_known = |arrival: &Arrival| endpoints.contains(&arrival.at);
    theirs.arrived.is_empty() == ours.arrived.is_empty()
        && theirs.is_strewn == ours.is_strewn
        && ours.arrived.keys().all(is_known)
        && agree(&without_arrivals(theirs), &without_arrivals(ours))
}

/// Whether two choices of many endpoints could be from one set: both of `endpoints`, with half or
/// more in common, and the same clients seen there. Who of them is at one of `own`, the sender's
/// addresses, is left out.
pub(super) fn resemble(
    theirs: &Outcome,
    ours: &Outcome,
    endpoints: &BTreeSet<SocketAddr>,
    own: &[Place],
) -> bool {
    let is_itself = |at: &SocketAddr| own.iter().any(|place| place.like(at.ip()) == at.ip());
    let others = |outcome: &Outcome| -> Vec<Arrival> {
        outcome.arrived.keys().filter(|arrival| !is_itself(&arrival.at)).copied().collect()
    };
    let [theirs_there, ours_there] = [theirs, ours].map(others);
    let reached = |arrivals: &[Arrival]| -> BTreeSet<SocketAddr> {
        arrivals.iter().map(|arrival| arrival.at).collect()
    };
    let sources = |arrivals: &[Arrival]| -> BTreeSet<Source> {
        arrivals.iter().map(|arrival| arrival.source).collect()
    };
    let (by_theirs, by_ours) = (reached(&theirs_there), reached(&ours_there));
    let all: BTreeSet<_> = by_theirs.union(&by_ours).collect();
    all.iter().all(|at| endpoints.contains(at))
        && 2 * by_theirs.intersection(&by_ours).count() >= all.len()
        && sources(&theirs_there) == sources(&ours_there)
        && agree(&without_arrivals(theirs), &without_arrivals(ours))
}

fn without_arrivals(outcome: &Outcome) -> Outcome {
    Outcome { arrived: BTreeMap::new(), ..outcome.clone() }
}

/// An outcome as people read it.
pub(super) fn words(outcome: &Outcome) -> String {
    let Outcome { arrived, refused, passed, silent, is_strewn } = outcome;
    let arrivals = arrived.iter().map(|(arrival, count)| {
        let Arrival { at, source } = arrival;
        format!("{count} to {at}, {}", source_in_words(*source))
    });
    let refusals = refused.iter().map(|(refusal, count)| match refusal {
        Refusal::Unreachable => format!("{count} refused"),
        Refusal::Reset => format!("{count} reset"),
    });
    let others = [(*passed, "passed by"), (*silent, "never seen again")];
    let others = others.into_iter().filter(|(count, _)| *count > 0);
    let others = others.map(|(count, what)| format!("{count} {what}"));
    let strewn = is_strewn.then(|| "one client's to several".to_owned());
    arrivals.chain(refusals).chain(others).chain(strewn).collect::<Vec<_>>().join("; ")
}

/// What a probe was and how its answers differ, in words that many failures of one cause share.
pub(super) fn kind(shot: &Shot, theirs: &Outcome, ours: &Outcome) -> String {
    let Shot { role, probe, is_sticky, alone, admission: _, is_renumbered: _ } = shot;
    let Probe { sender, to, protocol, flows: _ } = probe;
    let family = if to.is_ipv4() { "IPv4" } else { "IPv6" };
    let (theirs, ours) = (manner(theirs), manner(ours));
    let verdict = if theirs == ours {
        format!("both {theirs}, not in the same places")
    } else {
        format!("kube-proxy {theirs}, Waggle {ours}")
    };
    let protocol = protocol.name();
    let role = role.name();
    let affinity = if *is_sticky { " with affinity" } else { "" };
    let contested = if alone.is_some() { " that others name too" } else { "" };
    format!("{role}{contested}{affinity} from {} by {family} {protocol}: {verdict}", sender.name())
}

/// Without addresses.
fn manner(outcome: &Outcome) -> String {
    let Outcome { arrived, refused, passed, silent, is_strewn: _ } = outcome;
    let sources = arrived.keys().map(|arrival| match arrival.source {
        Source::Kept => "delivers",
        Source::Node(_) => "delivers masqueraded",
        Source::Other(_) => "delivers as another",
    });
    let refusals = refused.keys().map(|refusal| match refusal {
        Refusal::Unreachable => "refuses",
        Refusal::Reset => "resets",
    });
    let others = [(*passed, "passes by"), (*silent, "drops")];
    let others = others.into_iter().filter(|(count, _)| *count > 0).map(|(_, what)| what);
    let all: BTreeSet<&str> = sources.chain(refusals).chain(others).collect();
    all.into_iter().collect::<Vec<_>>().join(" and ")
}

fn source_in_words(source: Source) -> String {
    let from = |address: IpAddr| format!("from {address}");
    match source {
        Source::Kept => "as themselves".to_owned(),
        Source::Node(address) | Source::Other(address) => from(address),
    }
}

#[cfg(test)]
mod tests {
    use super::{agree, kind, resemble, stay, words};
    use crate::diff::{
        admission::Admission,
        case::Shot,
        frontends::Role,
        places::{PRIMARY, REMOTE_PODS},
        probe::{Arrival, Outcome, Probe, Protocol, Refusal, Sender, Source},
    };

    fn arrived(at: &str, source: Source, count: u32) -> Outcome {
        let at = Arrival { at: at.parse().unwrap(), source };
        Outcome { arrived: [(at, count)].into(), ..Outcome::default() }
    }

    #[test]
    fn numbers_do_not_matter_and_everything_else_does() {
        let node = Source::Node("192.168.88.11".parse().unwrap());
        let one = arrived("10.244.1.2:80", Source::Kept, 3);
        let refused = |refusal| Outcome { refused: [(refusal, 1)].into(), ..Outcome::default() };
        let passed = Outcome { passed: 1, ..Outcome::default() };
        for (name, ours, expected) in [
            ("another number", arrived("10.244.1.2:80", Source::Kept, 5), true),
            ("another endpoint", arrived("10.244.1.3:80", Source::Kept, 3), false),
            ("another port", arrived("10.244.1.2:81", Source::Kept, 3), false),
            ("another source", arrived("10.244.1.2:80", node, 3), false),
            ("some are lost", Outcome { silent: 1, ..one.clone() }, false),
            ("refused", refused(Refusal::Unreachable), false),
            ("passed", passed.clone(), false),
        ] {
            assert_eq!(agree(&one, &ours), expected, "{name}");
        }
        assert!(!agree(&refused(Refusal::Unreachable), &refused(Refusal::Reset)));
        assert!(!agree(&passed, &Outcome { silent: 1, ..Outcome::default() }));
    }

    #[test]
    fn clients_stay_with_whomever_they_have() {
        let at = |host: u8, is_strewn| Outcome {
            is_strewn,
            ..arrived(&format!("10.244.1.{host}:80"), Source::Kept, 3)
        };
        let endpoints = [2, 3].map(|host| format!("10.244.1.{host}:80").parse().unwrap()).into();
        for (name, ours, expected) in [
            ("with the same", at(2, false), true),
            ("with another", at(3, false), true),
            ("with a stranger", at(4, false), false),
            ("with several", at(3, true), false),
            ("with nobody", Outcome { silent: 3, ..Outcome::default() }, false),
            ("some are lost", Outcome { silent: 1, ..at(2, false) }, false),
        ] {
            assert_eq!(stay(&at(2, false), &ours, &endpoints), expected, "{name}");
        }
    }

    #[test]
    fn choices_of_many_resemble_each_other_if_they_are_mostly_the_same() {
        let node = Source::Node(PRIMARY.v4.into());
        let to = |hosts: std::ops::Range<u8>, source| {
            let at = |host| format!("10.244.2.{host}:80").parse().unwrap();
            let arrivals = hosts.map(|host| (Arrival { at: at(host), source }, 1));
            Outcome { arrived: arrivals.collect(), ..Outcome::default() }
        };
        let mut itself = to(3..11, Source::Kept);
        itself.arrived.extend(to(2..3, node).arrived);
        let endpoints = to(2..20, node).arrived.keys().map(|arrival| arrival.at).collect();
        for (name, ours, expected) in [
            ("the same", to(3..11, Source::Kept), true),
            ("all but one", to(3..10, Source::Kept), true),
            ("and itself", itself, true),
            ("others", to(8..16, Source::Kept), false),
            ("strangers", to(3..24, Source::Kept), false),
            ("as another", to(3..11, node), false),
            ("nobody", Outcome { silent: 8, ..Outcome::default() }, false),
            ("not all", Outcome { silent: 1, ..to(3..11, Source::Kept) }, false),
        ] {
            let theirs = to(3..11, Source::Kept);
            let own = &REMOTE_PODS[..1];
            assert_eq!(resemble(&theirs, &ours, &endpoints, own), expected, "{name}");
        }
    }

    #[test]
    fn outcomes_are_told_in_words() {
        let node = Source::Node("192.168.88.11".parse().unwrap());
        let theirs = Outcome { silent: 1, ..arrived("10.244.1.2:80", node, 30) };
        assert_eq!(words(&theirs), "30 to 10.244.1.2:80, from 192.168.88.11; 1 never seen again");
        let to = "10.96.1.1:80".parse().unwrap();
        let probe = Probe { sender: Sender::Outside, to, protocol: Protocol::Tcp, flows: 31 };
        let admission = Admission::All;
        let alone = None;
        let (role, is_sticky, is_renumbered) = (Role::ClusterIp, false, false);
        let shot = Shot { role, probe, is_sticky, admission, is_renumbered, alone };
        let ours = Outcome { refused: [(Refusal::Reset, 31)].into(), ..Outcome::default() };
        assert_eq!(
            kind(&shot, &theirs, &ours),
            "clusterIP from outside by IPv4 TCP: kube-proxy delivers masqueraded and drops, \
             Waggle resets"
        );
    }
}
