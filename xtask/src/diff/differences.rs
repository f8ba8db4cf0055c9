//! Where Waggle answers otherwise than kube-proxy on purpose: what docs/differences.md tells.

use std::{collections::BTreeSet, net::SocketAddr};

use super::{
    case::Shot,
    places::LOCAL_PODS,
    probe::{Arrival, Outcome, Sender, Source},
};

/// Two outcomes of one probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub(super) shot: &'a Shot,
    pub(super) theirs: &'a Outcome,
    pub(super) ours: &'a Outcome,
}

/// One intended difference.
#[derive(Debug)]
pub(super) struct Difference {
    /// The heading in the document.
    pub(super) name: &'static str,
    /// Whether it is the whole of what differs.
    pub(super) covers: fn(&Seen<'_>) -> bool,
}

/// All of them, as in the document.
pub(super) const DIFFERENCES: &[Difference] =
    &[Difference { name: "A pod that reaches itself", covers: is_hairpin }];

/// The name of the one that explains all that differs.
pub(super) fn explanation(seen: &Seen<'_>) -> Option<&'static str> {
    DIFFERENCES.iter().find(|difference| (difference.covers)(seen)).map(|found| found.name)
}

/// The client sees the stand-in where kube-proxy shows the node's address, or the client's own if no
/// slice says that it is on this node; other endpoints of the same probe must agree.
fn is_hairpin(seen: &Seen<'_>) -> bool {
    if seen.shot.probe.sender != Sender::LocalPod {
        return false;
    }
    let client = LOCAL_PODS[0].like(seen.shot.probe.to.ip());
    let is_itself = |arrival: &Arrival| arrival.at.ip() == client;
    let shown = |arrival: &Arrival| (arrival.at, (!is_itself(arrival)).then_some(arrival.source));
    let arrivals = |outcome: &Outcome| -> BTreeSet<(SocketAddr, Option<Source>)> {
        outcome.arrived.keys().map(shown).collect()
    };
    let is_stand_in = |arrival: &Arrival| matches!(arrival.source, Source::Other(_));
    if !seen.ours.arrived.keys().filter(|it| is_itself(it)).all(is_stand_in) {
        return false;
    }
    let rest = |outcome: &Outcome| {
        let Outcome { arrived: _, refused, passed, silent } = outcome;
        (refused.len(), *passed > 0, *silent > 0)
    };
    arrivals(seen.theirs) == arrivals(seen.ours) && rest(seen.theirs) == rest(seen.ours)
}

#[cfg(test)]
mod tests {
    use std::{fs, net::IpAddr};

    use super::{Arrival, DIFFERENCES, Outcome, Seen, Sender, Shot, Source, explanation};
    use crate::{
        diff::{
            frontends::Role,
            probe::{Probe, Protocol},
        },
        workspace,
    };

    fn arrived(rows: &[(&str, Source)]) -> Outcome {
        let arrivals = rows.iter().map(|(at, source)| {
            let at = at.parse().unwrap();
            (Arrival { at, source: *source }, 1)
        });
        Outcome { arrived: arrivals.collect(), ..Outcome::default() }
    }

    #[test]
    fn a_hairpin_is_explained_and_nothing_beside_it() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let (node, stand_in) =
            (Source::Node(address("192.168.88.11")), Source::Other(address("169.254.7.1")));
        let (client, other) = ("10.244.1.2:80", "10.244.1.3:80");
        let theirs = arrived(&[(client, node), (other, Source::Kept)]);
        for (name, sender, ours, expected) in [
            ("itself", Sender::LocalPod, [(client, stand_in), (other, Source::Kept)], true),
            ("as itself", Sender::LocalPod, [(client, Source::Kept), (other, Source::Kept)], false),
            ("another", Sender::LocalPod, [(client, stand_in), (other, stand_in)], false),
            ("from outside", Sender::Outside, [(client, stand_in), (other, Source::Kept)], false),
        ] {
            let to = "10.96.1.1:80".parse().unwrap();
            let probe = Probe { sender, to, protocol: Protocol::Tcp, flows: 1 };
            let shot = Shot { role: Role::ClusterIp, probe };
            let ours = arrived(&ours);
            let seen = Seen { shot: &shot, theirs: &theirs, ours: &ours };
            assert_eq!(explanation(&seen).is_some(), expected, "{name}");
        }
    }

    #[test]
    fn the_document_has_one_heading_for_each() {
        let text = fs::read_to_string(workspace::root().join("docs/differences.md")).unwrap();
        let headings: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        let names: Vec<&str> = DIFFERENCES.iter().map(|difference| difference.name).collect();
        assert_eq!(headings, names);
    }
}
