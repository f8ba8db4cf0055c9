//! What of this node is worth an Event, under the reasons of kube-proxy.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::health::Purpose;
use crate::http::Failures;
use crate::k8s::{Event, Kind, ObjectRef};
use crate::model::Name;

/// The agent has started.
pub(super) fn started(node: &str) -> Event {
    Event {
        about: of_node(node),
        is_warning: false,
        reason: "Starting",
        action: "StartKubeProxy",
        note: String::new(),
        node: node.to_owned(),
    }
}

/// What could be opened or was not wanted `before`, and cannot be opened now; one for each purpose.
pub(super) fn refused(
    before: &Failures<Purpose>,
    now: &Failures<Purpose>,
    node: &str,
) -> Vec<Event> {
    let mut refused: BTreeMap<&Purpose, (SocketAddr, &str)> = BTreeMap::new();
    for (door, cause) in now {
        refused.entry(&door.purpose).or_insert((door.at, cause));
    }
    for door in before.keys() {
        refused.remove(&door.purpose);
    }
    refused.into_iter().map(|(purpose, (at, cause))| refusal(purpose, at, cause, node)).collect()
}

fn refusal(purpose: &Purpose, at: SocketAddr, cause: &str, node: &str) -> Event {
    let (about, what, reason, action) = match purpose {
        Purpose::Health => {
            (of_node(node), "health", "FailedToStartProxierHealthcheck", "StartKubeProxy")
        }
        Purpose::Metrics => {
            (of_node(node), "metrics", "FailedToStartMetricServer", "StartKubeProxy")
        }
        Purpose::Check(service) => {
            let about = ObjectRef { kind: Kind::Service, name: service.clone() };
            (about, "the healthCheckNodePort", "FailedToStartServiceHealthcheck", "Listen")
        }
    };
    let note = format!("node {node} cannot answer {what} at {at}: {cause}");
    Event { about, is_warning: true, reason, action, note, node: node.to_owned() }
}

fn of_node(node: &str) -> ObjectRef {
    ObjectRef { kind: Kind::Node, name: Name::new("", node) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Door;

    #[test]
    fn a_service_whose_port_is_taken_is_told_of_once() {
        let check = |at: &str| Door {
            purpose: Purpose::Check(Name::new("shop", "cart")),
            at: at.parse().unwrap(),
        };
        let health = Door { purpose: Purpose::Health, at: "[::]:10256".parse().unwrap() };
        let cause = || "in use".to_owned();
        let both = [(check("192.0.2.1:31000"), cause()), (check("[fd00::1]:31000"), cause())];
        let four = [both[0].clone()];
        let of_service = Event {
            about: ObjectRef { kind: Kind::Service, name: Name::new("shop", "cart") },
            is_warning: true,
            reason: "FailedToStartServiceHealthcheck",
            action: "Listen",
            note: "node a cannot answer the healthCheckNodePort at 192.0.2.1:31000: in use"
                .to_owned(),
            node: "a".to_owned(),
        };
        let of_node = Event {
            about: ObjectRef { kind: Kind::Node, name: Name::new("", "a") },
            reason: "FailedToStartProxierHealthcheck",
            action: "StartKubeProxy",
            note: "node a cannot answer health at [::]:10256: in use".to_owned(),
            ..of_service.clone()
        };
        for (name, before, now, expected) in [
            ("nothing", Failures::new(), Failures::new(), vec![]),
            ("both families", Failures::new(), both.clone().into(), vec![of_service.clone()]),
            ("one more", four.clone().into(), both.clone().into(), vec![]),
            ("mended", both.into(), Failures::new(), vec![]),
            ("the proxy's own", four.into(), [(health, cause())].into(), vec![of_node]),
        ] {
            assert_eq!(refused(&before, &now, "a"), expected, "{name}");
        }
    }
}
