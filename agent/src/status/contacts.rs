//! How it stands with an API server, as lines.

use jiff::Timestamp;

use crate::kube::{Contact, Health};

pub(super) const HEAD: [&str; 5] = ["RESOURCE", "STATE", "SINCE", "LAST EVENT", "VERSION"];

/// A line for each collection.
pub(super) fn rows(health: &Health, now: Timestamp) -> Vec<[String; 5]> {
    let rows = health.collections.iter().map(|contact| {
        let Contact { resource, phase, since, last_event, resource_version, version_at } = contact;
        let version = resource_version.iter().zip(version_at);
        let version = version.map(|(version, at)| format!("{version}, {}", ago(*at, now))).next();
        [
            resource.clone(),
            phase.as_str().to_owned(),
            ago(*since, now),
            last_event.map_or_else(|| "-".to_owned(), |at| ago(at, now)),
            version.unwrap_or_else(|| "-".to_owned()),
        ]
    });
    rows.collect()
}

/// In the largest unit of which there is one.
fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(at.as_second()).max(0);
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        _ => format!("{} h ago", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::Phase;

    #[test]
    fn times_are_told_by_their_distance() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let contact = |resource: &str, phase| Contact {
            resource: resource.to_owned(),
            phase,
            since: at(100),
            last_event: None,
            resource_version: None,
            version_at: None,
        };
        let services = Contact {
            last_event: Some(at(8_000)),
            resource_version: Some("1007".to_owned()),
            version_at: Some(at(8_090)),
            ..contact("services", Phase::Watching)
        };
        let health = Health {
            address: "https://10.0.0.1:6443".to_owned(),
            collections: vec![services, contact("nodes", Phase::Failing)],
        };
        let expected = [
            ["services", "watching", "2 h ago", "1 min ago", "1007, 10 s ago"],
            ["nodes", "failing", "2 h ago", "-", "-"],
        ];
        assert_eq!(rows(&health, at(8_100)), expected.map(|row| row.map(str::to_owned)));
    }
}
