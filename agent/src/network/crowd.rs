//! More devices than the table `links` takes.

use std::collections::{BTreeMap, BTreeSet};

use dataplane_common::abi::names;
use hostnet::link::Link;

use crate::problem::Problem;

/// How many devices are named at most.
const NAMED: usize = 8;

/// What is wrong where there is no room for some of the devices that are served.
pub(super) fn crowded(served: &BTreeMap<u32, &Link>, left_out: &BTreeSet<u32>) -> Option<Problem> {
    let names = left_out.iter().filter_map(|index| served.get(index));
    let mut names: Vec<&str> = names.map(|link| link.name.as_str()).take(NAMED).collect();
    let others = left_out.len().saturating_sub(NAMED);
    let more = format!("{others} others");
    names.extend((others > 0).then_some(more.as_str()));
    let message = format!(
        "do not all fit into the table of {}: what comes by {} is taken for traffic from outside; \
         leave out devices that need no Services by --devices",
        names::MAX_LINKS,
        names.join(", "),
    );
    (!left_out.is_empty()).then(|| Problem::error("devices", message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::tests::devices;

    #[test]
    fn devices_without_room_are_named_with_a_remedy() {
        let names: Vec<String> = (1..=10).map(|index| format!("tap{index}")).collect();
        let rows: Vec<_> =
            (1..).zip(&names).map(|(index, name)| (index, name.as_str(), 1500, &[][..])).collect();
        let devices = devices(&rows);
        let served = devices.links.iter().map(|link| (link.index, link)).collect();
        let told = |left_out: &[u32]| {
            let problem = crowded(&served, &left_out.iter().copied().collect());
            problem.map(|problem| problem.to_string())
        };
        let expected = |names: &str| {
            format!(
                "devices do not all fit into the table of 1024: what comes by {names} is taken for \
                 traffic from outside; leave out devices that need no Services by --devices"
            )
        };
        for (left_out, names) in [
            (&[][..], None),
            (&[3, 10], Some("tap3, tap10")),
            (
                &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
                Some("tap1, tap2, tap3, tap4, tap5, tap6, tap7, tap8, 2 others"),
            ),
        ] {
            assert_eq!(told(left_out), names.map(expected), "{left_out:?}");
        }
    }
}
