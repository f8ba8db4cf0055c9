//! The fewest objects that still show what is wrong.

use anyhow::Result;

use super::{
    case::Case,
    service::{Kind, Policy, Service},
    slice::{Conditions, Hints, Slice},
    state::State,
};

/// Each attempt is a cluster of its own.
const ATTEMPTS: usize = 80;

/// Takes something out of a state, if that is there.
type Cut = Box<dyn Fn(&mut State)>;

/// Whether states, shown one after the other, still end in what is wrong.
type Fails<'a> = dyn FnMut(&[State]) -> Result<bool> + 'a;

/// Shrinks the last two states of a history; none if what is wrong does not come of these.
pub(super) fn shrink(
    [before, after]: [&State; 2],
    case: &Case,
    fails: &mut Fails<'_>,
) -> Result<Option<Vec<State>>> {
    let service = &case.service;
    let beginnings = [
        vec![after.only(service)],
        vec![before.only(service), after.only(service)],
        vec![after.clone()],
        vec![before.clone(), after.clone()],
    ];
    for states in beginnings {
        if fails(&states)? {
            return reduce(states, case, fails).map(Some);
        }
    }
    Ok(None)
}

fn reduce(mut states: Vec<State>, case: &Case, fails: &mut Fails<'_>) -> Result<Vec<State>> {
    let mut attempts = 0;
    loop {
        let before = states.clone();
        for cut in cuts(&states, case) {
            let mut smaller = states.clone();
            smaller.iter_mut().for_each(&cut);
            if smaller != states && attempts < ATTEMPTS {
                attempts += 1;
                if fails(&smaller)? {
                    states = smaller;
                }
            }
        }
        if states == before || attempts >= ATTEMPTS {
            return Ok(states);
        }
    }
}

/// All that could go, the largest first.
fn cuts(states: &[State], case: &Case) -> Vec<Cut> {
    let mut cuts: Vec<Cut> = Vec::new();
    for state in states {
        let others = state.services.keys().filter(|name| **name != case.service).cloned();
        cuts.extend(
            others.map(|name| Box::new(move |state: &mut State| state.remove(&name)) as Cut),
        );
        for (name, slice) in &state.slices {
            cuts.extend(slice_cuts(name, slice));
        }
        if let Some(service) = state.services.get(&case.service) {
            cuts.extend(service_cuts(service, case));
        }
    }
    cuts
}

fn slice_cuts(name: &str, slice: &Slice) -> Vec<Cut> {
    let whole = name.to_owned();
    let mut cuts: Vec<Cut> = vec![Box::new(move |state| drop(state.slices.remove(&whole)))];
    for index in (0..slice.endpoints.len()).rev() {
        let changes: [fn(&mut Slice, usize); 4] = [
            |slice, index| drop(slice.endpoints.remove(index)),
            |slice, index| slice.endpoints[index].conditions = Conditions::default(),
            |slice, index| slice.endpoints[index].hints = Hints::default(),
            |slice, index| slice.endpoints[index].zone = None,
        ];
        for change in changes {
            let name = name.to_owned();
            cuts.push(Box::new(move |state| {
                let slice = state.slices.get_mut(&name);
                if let Some(slice) = slice.filter(|slice| slice.endpoints.len() > index) {
                    change(slice, index);
                }
            }));
        }
    }
    cuts
}

fn service_cuts(service: &Service, case: &Case) -> Vec<Cut> {
    let changes: [fn(&mut Service); 10] = [
        |service| service.spec.kind = Kind::ClusterIP,
        |service| {
            if service.spec.kind == Kind::LoadBalancer {
                service.spec.kind = Kind::NodePort;
            }
        },
        |service| service.status.load_balancer.ingress.clear(),
        |service| drop(service.status.load_balancer.ingress.pop()),
        |service| service.spec.load_balancer_source_ranges.clear(),
        |service| service.spec.external_ips.clear(),
        |service| service.spec.internal_traffic_policy = Some(Policy::Cluster),
        |service| service.spec.external_traffic_policy = Some(Policy::Cluster),
        |service| service.metadata.labels.clear(),
        |service| service.spec.session_affinity = None,
    ];
    let on_service = |change: Box<dyn Fn(&mut Service)>| -> Cut {
        let name = service.metadata.name.clone();
        Box::new(move |state: &mut State| {
            // Of another type it would need more than that.
            let service = state.services.get_mut(&name);
            if let Some(service) = service.filter(|it| it.spec.kind != Kind::ExternalName) {
                change(service);
                service.prune();
            }
        })
    };
    let (port, protocol) = (case.port.clone(), case.protocol);
    let other_ports: Box<dyn Fn(&mut Service)> = Box::new(move |service| {
        service.spec.ports.retain(|it| it.name == port && it.protocol == protocol);
    });
    let changes = changes.into_iter().map(|change| Box::new(change) as Box<dyn Fn(&mut Service)>);
    std::iter::once(other_ports).chain(changes).map(on_service).collect()
}
