//! Where Waggle answers otherwise than kube-proxy on purpose: what docs/differences.md tells.

use std::{collections::BTreeSet, net::SocketAddr};

use super::{
    admission::Admission,
    case::Shot,
    frontends::Role,
    judge::Finding,
    places::{LOCAL_PODS, OTHER_NODE, PRIMARY, Place, REMOTE_PODS, SECONDARY},
    probe::{Arrival, Outcome, Probe, Protocol, Refusal, Sender, Source},
    setting::Setting,
};

/// Two outcomes of one probe.
#[derive(Clone, Copy, Debug)]
struct Seen<'a> {
    shot: &'a Shot,
    theirs: &'a Outcome,
    ours: &'a Outcome,
    setting: Setting,
}

/// One intended difference.
#[derive(Debug)]
struct Difference {
    /// The heading in the document.
    name: &'static str,
    /// Whether it is the whole of what differs.
    covers: fn(&Seen<'_>) -> bool,
}

/// All of them, as in the document.
const DIFFERENCES: &[Difference] = &[
    Difference { name: "A pod that reaches itself", covers: is_hairpin },
    Difference { name: "A client elsewhere that reaches itself", covers: is_hairpin_elsewhere },
    Difference { name: "The node that reaches itself", covers: is_own_node },
    Difference { name: "Pods at links of their own", covers: is_pod_by_link },
    Difference { name: "Rules of iptables", covers: is_as_nftables },
    Difference { name: "NodePorts at [::1]", covers: is_at_localhost6 },
    Difference { name: "SCTP keeps its ports", covers: is_renumbered },
    Difference { name: "SCTP from the node itself", covers: is_sctp_of_node },
    Difference { name: CONTEST, covers: |_| false },
];

/// The heading of the one that is told by what kube-proxy does elsewhere.
const CONTEST: &str = "Two Services with one address and port";

/// The name of the one that explains all that differs in a finding. `alone` is what kube-proxy does
/// with the same at an address that the Service alone names, if others name the one that was asked:
/// that is what is to be done there.
pub(super) fn explanation(
    found: &Finding,
    setting: Setting,
    alone: Option<&Outcome>,
) -> Option<&'static str> {
    let Finding { case, shot, theirs, ours } = found;
    let seen = Seen { shot, theirs: alone.unwrap_or(theirs), ours, setting };
    if alone.is_some_and(|alone| case.agrees(shot, alone, ours)) {
        return Some(CONTEST);
    }
    intention(&seen).map(|name| if alone.is_some() { CONTEST } else { name })
}

fn intention(seen: &Seen<'_>) -> Option<&'static str> {
    DIFFERENCES.iter().find(|difference| (difference.covers)(seen)).map(|found| found.name)
}

/// The client sees the stand-in where kube-proxy shows the node's address, or the client's own if no
/// slice says that it is on this node.
fn is_hairpin(seen: &Seen<'_>) -> bool {
    seen.shot.probe.sender == Sender::LocalPod
        && sees_another(seen, &LOCAL_PODS[..1], |source| matches!(source, Source::Other(_)))
}

/// The client does not see itself where kube-proxy shows it its own address.
fn is_hairpin_elsewhere(seen: &Seen<'_>) -> bool {
    let client = match seen.shot.probe.sender {
        Sender::RemotePod => REMOTE_PODS[0],
        Sender::OtherNode => OTHER_NODE,
        Sender::LocalPod | Sender::OwnNode | Sender::Outside => return false,
    };
    sees_another(seen, &[client], |source| matches!(source, Source::Node(_)))
}

/// An endpoint at the node sees the node at another of its addresses.
fn is_own_node(seen: &Seen<'_>) -> bool {
    seen.shot.probe.sender == Sender::OwnNode
        && sees_another(seen, &[PRIMARY, SECONDARY], |source| matches!(source, Source::Node(_)))
}

/// Whether all that differs is whom the client sees as its own backend, and it is whom we show.
fn sees_another(seen: &Seen<'_>, client: &[Place], is_shown: fn(Source) -> bool) -> bool {
    let to = seen.shot.probe.to.ip();
    let is_itself = |arrival: &Arrival| client.iter().any(|it| it.like(to) == arrival.at.ip());
    let shown = |arrival: &Arrival| (arrival.at, (!is_itself(arrival)).then_some(arrival.source));
    let arrivals = |outcome: &Outcome| -> BTreeSet<(SocketAddr, Option<Source>)> {
        outcome.arrived.keys().map(shown).collect()
    };
    let mut own = seen.ours.arrived.keys().filter(|it| is_itself(it));
    if !own.all(|arrival| is_shown(arrival.source)) {
        return false;
    }
    let rest = |outcome: &Outcome| {
        let Outcome { arrived: _, refused, passed, silent, is_strewn: _ } = outcome;
        (refused.len(), *passed > 0, *silent > 0)
    };
    arrivals(seen.theirs) == arrivals(seen.ours) && rest(seen.theirs) == rest(seen.ours)
}

/// kube-proxy takes a pod for a client outside whose link is no port of the bridge that tells pods.
fn is_pod_by_link(seen: &Seen<'_>) -> bool {
    let Seen { shot, theirs, ours, setting } = seen;
    let endpoints =
        |outcome: &Outcome| -> BTreeSet<_> { outcome.arrived.keys().map(|it| it.at).collect() };
    // A pod reaches whatever a client outside does, and at a cluster IP the same endpoints.
    let is_worse = (!ours.refused.is_empty() && theirs.refused.is_empty())
        || (ours.passed > 0 && theirs.passed == 0)
        || (ours.silent > 0 && theirs.silent == 0);
    *setting == Setting::Bridge
        && shot.probe.sender == Sender::LocalPod
        && !is_worse
        && (shot.role != Role::ClusterIp || endpoints(theirs) == endpoints(ours))
}

/// How the flows of a probe end that reach nobody, if they all end so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Passed,
    Refused,
    Silent,
    /// Some are refused, the others not seen again.
    RefusedOrSilent,
}

fn end(outcome: &Outcome) -> Option<End> {
    let Outcome { arrived, refused, passed, silent, is_strewn: _ } = outcome;
    let is_refused = !refused.is_empty();
    if !arrived.is_empty() || refused.contains_key(&Refusal::Reset) {
        return None;
    }
    match (is_refused, *passed > 0, *silent > 0) {
        (false, true, false) => Some(End::Passed),
        (true, false, false) => Some(End::Refused),
        (false, false, true) => Some(End::Silent),
        (true, false, true) => Some(End::RefusedOrSilent),
        _ => None,
    }
}

/// Whether it is what the node says of a port that nobody listens on, at an address of IPv4.
fn is_of_stack(shot: &Shot, outcome: &Outcome) -> bool {
    let Probe { sender, to, protocol, flows } = shot.probe;
    if protocol == Protocol::Sctp {
        // A protocol that the node has not is no port that it has not.
        return to.is_ipv4() && outcome.silent == flows;
    }
    let is_fit = |refusal: &Refusal| match (protocol, refusal) {
        (Protocol::Tcp, Refusal::Reset) | (Protocol::Udp, Refusal::Unreachable) => true,
        (Protocol::Tcp, Refusal::Unreachable) => sender == Sender::OwnNode,
        (Protocol::Udp, Refusal::Reset) | (Protocol::Sctp, _) => false,
    };
    let is_told = outcome.refused.keys().all(is_fit);
    let refused: u32 = outcome.refused.values().sum();
    to.is_ipv4() && is_told && refused == flows
}

/// How all ends at a Service without endpoints.
fn unserved(shot: &Shot) -> End {
    match (shot.role, shot.admission) {
        (Role::LoadBalancer, Admission::Some) => End::RefusedOrSilent,
        (Role::LoadBalancer, Admission::None) => End::Silent,
        _ => End::Refused,
    }
}

/// Whether an outcome is an end that is expected; one flow has but one of two.
fn ends(outcome: &Outcome, shot: &Shot, expected: End) -> bool {
    match (end(outcome), expected) {
        (Some(End::Refused | End::Silent), End::RefusedOrSilent) => shot.probe.flows == 1,
        (found, expected) => found == Some(expected),
    }
}

/// What rules of iptables let pass is refused, or dropped where Services have their addresses from;
/// and whom a load balancer's ranges leave out is dropped whether anybody serves or not.
fn is_as_nftables(seen: &Seen<'_>) -> bool {
    let Seen { shot, theirs, ours, setting } = seen;
    let is_own = shot.probe.sender == Sender::OwnNode;
    let left_out = unserved(shot);
    let expected = match (shot.role, end(theirs)) {
        (Role::OtherPort, Some(End::Passed)) => End::Refused,
        (Role::Unallocated, Some(End::Passed)) => End::Silent,
        (Role::ExternalIp, Some(End::Passed)) if is_own => End::Refused,
        (Role::LoadBalancer, Some(End::Passed)) if is_own => left_out,
        (Role::LoadBalancer, Some(End::Refused)) if !is_own => left_out,
        (Role::NodePort | Role::SecondaryNodePort, Some(End::Refused | End::Silent)) => {
            return *setting == Setting::IptablesLocalhost && is_of_stack(shot, ours);
        }
        _ => return false,
    };
    // No hook of the node's own calls is asked about SCTP, so nobody is told.
    let is_untold = is_own && shot.probe.protocol == Protocol::Sctp;
    setting.is_iptables() && ends(ours, shot, if is_untold { End::Silent } else { expected })
}

/// kube-proxy serves processes of the node at 127.0.0.1 alone, and that in mode iptables.
fn is_at_localhost6(seen: &Seen<'_>) -> bool {
    let Seen { shot, theirs, ours, setting } = seen;
    let is_there = shot.role == Role::LocalhostNodePort && shot.probe.to.is_ipv6();
    let Outcome { arrived, refused, passed, silent, is_strewn: _ } = ours;
    let is_served = !arrived.is_empty() && refused.is_empty() && *passed == 0 && *silent == 0;
    let is_unserved = matches!(end(theirs), Some(End::Refused | End::Silent));
    setting.is_iptables() && is_there && is_unserved && is_served
}

/// Endpoints at other ports are none, where kube-proxy changes the port.
fn is_renumbered(seen: &Seen<'_>) -> bool {
    let Seen { shot, theirs, ours, setting: _ } = seen;
    let is_served = theirs.passed == 0 && shot.probe.protocol == Protocol::Sctp;
    is_served && shot.is_renumbered && ends(ours, shot, unserved(shot))
}

/// What the node itself begins is dropped, whatever kube-proxy makes of it.
fn is_sctp_of_node(seen: &Seen<'_>) -> bool {
    let Seen { shot, theirs, ours, setting: _ } = seen;
    let is_own = shot.probe.sender == Sender::OwnNode && shot.probe.protocol == Protocol::Sctp;
    is_own && theirs.passed == 0 && end(ours) == Some(End::Silent)
}

#[cfg(test)]
mod tests {
    use std::{fs, net::IpAddr};

    use super::{
        Admission, Arrival, DIFFERENCES, Outcome, Probe, Protocol, Refusal, Seen, Sender, Setting,
        Shot, Source, intention,
    };
    use crate::{diff::frontends::Role, workspace};

    fn arrived(rows: &[(&str, Source)]) -> Outcome {
        let arrivals = rows.iter().map(|(at, source)| {
            let at = at.parse().unwrap();
            (Arrival { at, source: *source }, 1)
        });
        Outcome { arrived: arrivals.collect(), ..Outcome::default() }
    }

    fn shot(role: Role, sender: Sender, admission: Admission) -> Shot {
        let to = "10.96.1.1:80".parse().unwrap();
        let probe = Probe { sender, to, protocol: Protocol::Tcp, flows: 2 };
        Shot { role, probe, is_sticky: false, admission, is_renumbered: false, alone: None }
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
            let shot = shot(Role::ClusterIp, sender, Admission::All);
            let (ours, setting) = (arrived(&ours), Setting::default());
            let seen = Seen { shot: &shot, theirs: &theirs, ours: &ours, setting };
            assert_eq!(intention(&seen).is_some(), expected, "{name}");
        }
    }

    #[test]
    fn rules_of_iptables_explain_who_is_told_less_and_nothing_else() {
        let end = |[refused, passed, silent]: [u32; 3]| {
            let refused = (refused > 0).then_some((Refusal::Unreachable, refused));
            let refused = refused.into_iter().collect();
            Outcome { refused, passed, silent, ..Outcome::default() }
        };
        let (passed, refused, silent, mixed) = ([0, 2, 0], [2, 0, 0], [0, 0, 2], [1, 0, 1]);
        let (own, other) = (Sender::OwnNode, Sender::Outside);
        for (role, sender, admission, theirs, ours, expected) in [
            (Role::OtherPort, other, Admission::All, passed, refused, true),
            (Role::OtherPort, other, Admission::All, passed, silent, false),
            (Role::Unallocated, own, Admission::All, passed, silent, true),
            (Role::Unallocated, own, Admission::All, passed, refused, false),
            (Role::ClusterIp, own, Admission::All, passed, refused, false),
            (Role::ExternalIp, own, Admission::All, passed, refused, true),
            (Role::ExternalIp, other, Admission::All, passed, refused, false),
            (Role::LoadBalancer, own, Admission::All, passed, refused, true),
            (Role::LoadBalancer, own, Admission::All, passed, silent, false),
            (Role::LoadBalancer, own, Admission::None, passed, silent, true),
            (Role::LoadBalancer, other, Admission::None, refused, silent, true),
            (Role::LoadBalancer, other, Admission::Some, refused, mixed, true),
            (Role::LoadBalancer, other, Admission::Some, refused, silent, false),
            (Role::LoadBalancer, other, Admission::All, refused, silent, false),
            (Role::LoadBalancer, own, Admission::None, refused, silent, false),
        ] {
            let (shot, theirs, ours) = (shot(role, sender, admission), end(theirs), end(ours));
            for (setting, expected) in [(Setting::Iptables, expected), (Setting::NodeCidr, false)] {
                let seen = Seen { shot: &shot, theirs: &theirs, ours: &ours, setting };
                assert_eq!(intention(&seen).is_some(), expected, "{seen:?}");
            }
        }
    }

    #[test]
    fn a_flow_by_itself_ends_one_way_of_two() {
        let refused = Outcome { refused: [(Refusal::Unreachable, 1)].into(), ..Outcome::default() };
        let silent = Outcome { silent: 1, ..Outcome::default() };
        for (admission, ours, expected) in [
            (Admission::Some, &silent, true),
            (Admission::None, &silent, true),
            (Admission::All, &silent, false),
        ] {
            let mut shot = shot(Role::LoadBalancer, Sender::Outside, admission);
            shot.probe.flows = 1;
            let seen = Seen { shot: &shot, theirs: &refused, ours, setting: Setting::Iptables };
            assert_eq!(intention(&seen).is_some(), expected, "{seen:?}");
        }
    }

    #[test]
    fn where_node_ports_are_at_loopback_alone_others_are_the_nodes_own() {
        let refused = |refusal| Outcome { refused: [(refusal, 2)].into(), ..Outcome::default() };
        let silent = Outcome { silent: 2, ..Outcome::default() };
        let (reset, unreachable) = (refused(Refusal::Reset), refused(Refusal::Unreachable));
        let served = arrived(&[("10.244.2.3:80", Source::Kept)]);
        for (role, theirs, ours, expected) in [
            (Role::NodePort, &unreachable, &reset, true),
            (Role::SecondaryNodePort, &silent, &reset, true),
            (Role::NodePort, &silent, &unreachable, false),
            (Role::NodePort, &served, &reset, false),
            (Role::NodePort, &silent, &served, false),
            (Role::ClusterIp, &silent, &reset, false),
        ] {
            let shot = shot(role, Sender::Outside, Admission::All);
            for (setting, expected) in
                [(Setting::IptablesLocalhost, expected), (Setting::Iptables, false)]
            {
                let seen = Seen { shot: &shot, theirs, ours, setting };
                assert_eq!(intention(&seen).is_some(), expected, "{seen:?}");
            }
        }
    }

    #[test]
    fn sctp_is_explained_where_ports_would_change_and_from_the_node_itself() {
        let [refused, silent] = [(2, 0), (0, 2)].map(|(refused, silent)| {
            let refused = (refused > 0).then_some((Refusal::Unreachable, refused));
            let refused = refused.into_iter().collect();
            Outcome { refused, silent, ..Outcome::default() }
        });
        let served = arrived(&[("10.244.2.3:80", Source::Kept)]);
        let (own, other) = (Sender::OwnNode, Sender::Outside);
        for (protocol, sender, is_renumbered, ours, expected) in [
            (Protocol::Sctp, other, true, &refused, true),
            (Protocol::Sctp, other, true, &silent, false),
            (Protocol::Sctp, other, false, &refused, false),
            (Protocol::Tcp, other, true, &refused, false),
            (Protocol::Sctp, own, false, &silent, true),
            (Protocol::Sctp, own, false, &refused, false),
            (Protocol::Tcp, own, false, &silent, false),
        ] {
            let mut shot = Shot { is_renumbered, ..shot(Role::NodePort, sender, Admission::All) };
            shot.probe.protocol = protocol;
            let (theirs, setting) = (&served, Setting::default());
            let seen = Seen { shot: &shot, theirs, ours, setting };
            assert_eq!(intention(&seen).is_some(), expected, "{seen:?}");
        }
    }

    #[test]
    fn what_the_node_begins_by_sctp_is_told_nothing_where_rules_of_iptables_let_it_pass() {
        let passed = Outcome { passed: 2, ..Outcome::default() };
        let silent = Outcome { silent: 2, ..Outcome::default() };
        for (sender, setting, expected) in [
            (Sender::OwnNode, Setting::Iptables, true),
            (Sender::OwnNode, Setting::NodeCidr, false),
            (Sender::Outside, Setting::Iptables, false),
        ] {
            let mut shot = shot(Role::OtherPort, sender, Admission::All);
            shot.probe.protocol = Protocol::Sctp;
            let seen = Seen { shot: &shot, theirs: &passed, ours: &silent, setting };
            assert_eq!(intention(&seen).is_some(), expected, "{seen:?}");
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
