//! Islands without a kernel: what kube-proxy does, said once more and in few words, so that the
//! judge can be judged.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use anyhow::Result;

use super::{
    frontends::{Role, frontends},
    island::Island,
    judge::Cluster,
    places::{LOCAL_PODS, NODE, PRIMARY},
    probe::{Arrival, Outcome, Probe, Refusal, Sender, Source},
    sentinel::Sentinel,
    service::{Family, HEADLESS, IpMode, Policy, Service},
    slice::Endpoint,
    state::State,
};

/// What both islands follow.
#[derive(Clone, Default)]
pub(super) struct World {
    states: Arc<Mutex<Vec<State>>>,
    shown: u32,
}

/// What an island does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    /// The internal policy is always Cluster.
    NoInternalPolicy,
    /// Nobody serves who is on the way out.
    NoFallback,
    /// Of more than two endpoints the last is never chosen.
    LastIsForgotten,
    /// Clients outside are never masqueraded.
    NoMasquerade,
    /// Clients go where they like.
    NoAffinity,
    /// A Service that has gone is still served.
    NothingGoes,
}

/// One island.
pub(super) struct Fake {
    pub(super) world: World,
    pub(super) bug: Option<Bug>,
    pub(super) known: Vec<State>,
}

impl Cluster for World {
    fn begin(&mut self) {}

    fn show(&mut self, state: &State) -> Result<Sentinel> {
        self.shown += 1;
        let sentinel = Sentinel::new(self.shown);
        *self.states.lock().unwrap() = vec![state.clone(), sentinel.state()];
        Ok(sentinel)
    }
}

impl Island for Fake {
    fn name(&self) -> &str {
        "a fake"
    }

    fn probe(&mut self, probes: &[Probe]) -> Result<Vec<Outcome>> {
        let mut states = self.world.states.lock().unwrap().clone();
        if self.bug == Some(Bug::NothingGoes) {
            let known = self.known.iter().flat_map(State::objects);
            let all = known.chain(states.iter().flat_map(State::objects));
            states = vec![all.collect()];
            self.known.clone_from(&states);
        }
        Ok(probes.iter().map(|probe| self.outcome(&states, probe)).collect())
    }
}

/// An endpoint as a proxy knows it.
#[derive(Clone, Copy)]
struct Known {
    is_local: bool,
    is_ready: bool,
    is_draining: bool,
}

type Members = BTreeMap<SocketAddr, Known>;

impl Fake {
    fn outcome(&self, states: &[State], probe: &Probe) -> Outcome {
        let served = states.iter().find_map(|state| served(state, probe));
        let Some((service, role, members)) = served else {
            return Outcome { passed: probe.flows, ..Outcome::default() };
        };
        let is_pod = matches!(probe.sender, Sender::LocalPod | Sender::RemotePod);
        let is_inside = is_pod || probe.sender == Sender::OwnNode;
        let is_local = |policy| policy == Some(Policy::Local);
        let (is_hiding, is_masqueraded) = if role == Role::ClusterIp {
            let is_local = is_local(service.spec.internal_traffic_policy);
            (is_local && self.bug != Some(Bug::NoInternalPolicy), !is_pod)
        } else {
            let is_local = is_local(service.spec.external_traffic_policy);
            (is_local && !is_inside, !is_local)
        };
        let mut chosen = self.chosen(&members, is_hiding);
        if service.spec.is_sticky() && self.bug != Some(Bug::NoAffinity) {
            chosen.truncate(1);
        }
        if self.bug == Some(Bug::LastIsForgotten) && chosen.len() > 2 {
            chosen.pop();
        }
        let is_forgotten = self.bug == Some(Bug::NoMasquerade) && probe.sender == Sender::Outside;
        let is_masqueraded = (is_masqueraded && !is_forgotten) || probe.sender == Sender::OwnNode;
        if !chosen.is_empty() {
            return arrivals(&chosen, probe, is_masqueraded);
        }
        if self.chosen(&members, false).is_empty() {
            return Outcome {
                refused: [(Refusal::Unreachable, probe.flows)].into(),
                ..Outcome::default()
            };
        }
        Outcome { silent: probe.flows, ..Outcome::default() }
    }

    fn chosen(&self, members: &Members, is_local: bool) -> Vec<SocketAddr> {
        let of = |is_usable: fn(&Known) -> bool| -> Vec<SocketAddr> {
            let usable = members.iter().filter(|(_, known)| is_usable(known));
            usable.filter(|(_, known)| known.is_local || !is_local).map(|(at, _)| *at).collect()
        };
        let ready = of(|known| known.is_ready);
        if !ready.is_empty() || self.bug == Some(Bug::NoFallback) {
            return ready;
        }
        of(|known| known.is_draining)
    }
}

/// The Service that a probe finds, by what, and who is there for it.
fn served(state: &State, probe: &Probe) -> Option<(Service, Role, Members)> {
    let services = state.services.values();
    let services = services.filter(|service| !service.is_anothers());
    let family = Family::of(probe.to.ip());
    for service in services.filter(|it| it.spec.addresses().any(|ip| Family::of(ip) == family)) {
        let is_proxied = service.status.load_balancer.ingress.iter().any(|ingress| {
            ingress.ip == Some(probe.to.ip()) && ingress.ip_mode == Some(IpMode::Proxy)
        });
        for port in service.spec.ports.iter().filter(|it| it.protocol == probe.protocol) {
            let all = frontends(service, port);
            let Some(found) = all.iter().find(|frontend| frontend.at == probe.to) else { continue };
            let is_served = match found.role {
                Role::ClusterIp | Role::NodePort | Role::LoadBalancer | Role::ExternalIp => true,
                Role::SecondaryNodePort
                | Role::LocalhostNodePort
                | Role::OtherPort
                | Role::Unallocated => false,
            };
            if is_proxied || !is_served {
                return None;
            }
            let mut members = Members::new();
            let slices = state.slices_of(&service.metadata.name);
            for slice in slices.filter(|it| {
                !it.metadata.labels.contains_key(HEADLESS) && it.address_type == family
            }) {
                for number in slice.numbers(&port.name, port.protocol) {
                    slice.endpoints.iter().for_each(|it| add(&mut members, it, number));
                }
            }
            return Some((service.clone(), found.role, members));
        }
    }
    None
}

fn add(members: &mut Members, endpoint: &Endpoint, number: u16) {
    let conditions = endpoint.conditions;
    let is_serving = conditions.serving.unwrap_or(true);
    let known = Known {
        is_local: endpoint.node_name.as_deref() == Some(NODE),
        is_ready: conditions.ready.unwrap_or(true),
        is_draining: is_serving && conditions.terminating.unwrap_or(false),
    };
    let at = SocketAddr::new(endpoint.addresses[0], number);
    if known.is_local || !members.contains_key(&at) {
        members.insert(at, known);
    }
}

fn arrivals(chosen: &[SocketAddr], probe: &Probe, is_masqueraded: bool) -> Outcome {
    let mut outcome = Outcome::default();
    let client = LOCAL_PODS[0].like(probe.to.ip());
    for (at, _) in chosen.iter().cycle().zip(0..probe.flows) {
        let is_hairpin = probe.sender == Sender::LocalPod && at.ip() == client;
        let source = match is_masqueraded || is_hairpin {
            true => Source::Node(PRIMARY.like(at.ip())),
            false => Source::Kept,
        };
        outcome.is_strewn |= *at != chosen[0];
        *outcome.arrived.entry(Arrival { at: *at, source }).or_default() += 1;
    }
    outcome
}

mod tests {
    use std::{
        path::Path,
        time::{Duration, Instant},
    };

    use super::{Bug, Fake, World};
    use crate::{
        diff::{
            feature::{Named, Profile},
            judge::{Islands, Judge},
            report::Report,
            run::{Aim, Bounds, Task, run},
            setting::Setting,
        },
        interrupt::Interrupt,
    };

    /// A run of a seed in which the second island has a bug.
    fn judged(bug: Option<Bug>, seed: u64, cases: usize, rows: &Path) -> Report {
        let mut world = World::default();
        let fake = |bug| Fake { world: world.clone(), bug, known: Vec::new() };
        let (mut theirs, mut ours) = (fake(None), fake(bug));
        let profile = Profile::new(Named::All, &[], &[]);
        let islands: Islands<'_> = [&mut theirs, &mut ours];
        let judge = Judge::new(&mut world, islands, Interrupt::none(), profile, Setting::default());
        let bounds = Bounds { least: 0, most: cases, time: Duration::from_secs(60) };
        let began = Instant::now();
        let aim = Aim::Everything { rows: rows.to_owned() };
        run(judge, Task { seed, bounds, began, aim }).unwrap()
    }

    #[test]
    fn islands_that_do_the_same_do_not_differ() {
        let folder = tempfile::tempdir().unwrap();
        let report = judged(None, 1, 1_000, folder.path());
        assert!(report.cases >= 1_000 && report.failures.is_empty(), "{report:?}");
        assert_eq!((report.failed, report.unconfirmed), (0, 0));
    }

    #[test]
    fn every_planted_bug_is_found_within_500_cases_and_shrunk_and_found_again() {
        for (bug, services, states) in [
            (Bug::NoInternalPolicy, 1, 1),
            (Bug::NoFallback, 1, 1),
            (Bug::LastIsForgotten, 1, 1),
            (Bug::NoMasquerade, 1, 1),
            (Bug::NoAffinity, 1, 1),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let report = judged(Some(bug), 2, 500, folder.path());
            let shrunk: Vec<_> =
                report.failures.values().filter_map(|failure| failure.shrunk.as_ref()).collect();
            assert!(!shrunk.is_empty(), "{bug:?}: {report:?}");
            for found in shrunk {
                assert_eq!(found.len(), states, "{bug:?}");
                assert_eq!(found[0].services.len(), services, "{bug:?}");
                assert!(found[0].slices.len() <= 2, "{bug:?}: {found:?}");
            }
            let again = judged(Some(bug), 3, 0, folder.path());
            assert!(again.failed > 0, "{bug:?}: rows are replayed first");
            assert_eq!(judged(None, 3, 0, folder.path()).failed, 0, "{bug:?}");
        }
    }

    #[test]
    fn what_a_change_left_behind_is_found_and_keeps_its_two_states() {
        let folder = tempfile::tempdir().unwrap();
        let report = judged(Some(Bug::NothingGoes), 4, 500, folder.path());
        assert!(report.failed > 0, "{report:?}");
    }
}
