//! Which program each hook of ours runs, and which it should.

use std::collections::{BTreeMap, BTreeSet};

use dataplane_common::abi::names;
use hostnet::hook::{self, Attachment, Choice, Direction, Hook, Mechanism};
use hostnet::{Netlink, Pins, link};

use super::{LoadError, programs};

/// The names of uplinks by their indexes.
pub type Uplinks = BTreeMap<u32, String>;

/// What was done to hooks.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Changes {
    /// Hooks that were given their program, such as `from_netdev at eth0-in`.
    pub attached: Vec<String>,
    /// Devices that are gone, whose pins were removed.
    pub pruned: Vec<String>,
}

/// Which hooks to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// Pinned links, and where there can be any, filters.
    Pins,
    /// Filters of all devices as well: an agent of other settings may have left some.
    Everything,
}

/// A hook that should run another program than it does, or is no hook any longer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    // First, because the pin that is removed may be that of a hook that is attached.
    Prune { device: String, direction: Direction },
    Attach { device: String, direction: Direction, program: &'static str },
}

/// Makes every hook run its pinned program: those that run another in place, uplinks that run none
/// for the first time. Pins of devices that are gone are removed.
///
/// # Errors
/// At the first hook that the kernel refuses; the others follow when this is called again.
pub async fn ensure(
    netlink: &Netlink,
    pins: &Pins,
    choice: Choice,
    scan: Scan,
    uplinks: &Uplinks,
) -> Result<Changes, LoadError> {
    let attachments = attachments(netlink, pins, choice, scan).await?;
    let (known, current) = (programs::known(pins)?, programs::current(pins)?);
    let mut changes = Changes::default();
    for change in plan(&attachments, &known, &current, uplinks) {
        apply(pins, choice, change, &mut changes)?;
    }
    Ok(changes)
}

/// Every hook of ours in this network namespace.
///
/// # Errors
/// When pins or filters cannot be listed.
pub async fn all(netlink: &Netlink, pins: &Pins) -> hostnet::Result<Vec<Attachment>> {
    let mut attachments = hook::pinned(pins)?;
    for link in link::list(netlink).await? {
        attachments.extend(hook::filters(netlink, &link).await?);
    }
    Ok(attachments)
}

async fn attachments(
    netlink: &Netlink,
    pins: &Pins,
    choice: Choice,
    scan: Scan,
) -> Result<Vec<Attachment>, LoadError> {
    let pinned = hook::pinned(pins)?;
    let has_tcx = choice == Choice::Best && !pinned.is_empty();
    if scan == Scan::Pins && has_tcx {
        return Ok(pinned);
    }
    Ok(all(netlink, pins).await?)
}

fn plan(
    attachments: &[Attachment],
    known: &BTreeMap<u32, &'static str>,
    current: &BTreeMap<&'static str, u32>,
    uplinks: &Uplinks,
) -> BTreeSet<Change> {
    let mut changes = BTreeSet::new();
    for attachment in attachments {
        let Attachment { device, direction, mechanism: _, index, program } = attachment;
        let (device, direction) = (device.clone(), *direction);
        if index.is_none() {
            changes.insert(Change::Prune { device, direction });
            continue;
        }
        let wanted = wanted(attachment, known, uplinks);
        if current.get(wanted).is_some_and(|id| id != program) {
            changes.insert(Change::Attach { device, direction, program: wanted });
        }
    }
    let runs = |uplink: u32| {
        attachments.iter().any(|Attachment { index, direction, .. }| {
            *index == Some(uplink) && *direction == Direction::Ingress
        })
    };
    let missing = uplinks.iter().filter(|(index, _)| !runs(**index));
    changes.extend(missing.map(|(_, device)| Change::Attach {
        device: device.clone(),
        direction: Direction::Ingress,
        program: names::FROM_NETDEV,
    }));
    changes
}

/// The program a hook should run: what it runs, if that is known, else what its place says. Hooks
/// that are no uplink's are pods'.
fn wanted(
    attachment: &Attachment,
    known: &BTreeMap<u32, &'static str>,
    uplinks: &Uplinks,
) -> &'static str {
    let by_place = match attachment.direction {
        Direction::Egress => names::TO_POD,
        Direction::Ingress => match attachment.index.and_then(|index| uplinks.get(&index)) {
            Some(_) => names::FROM_NETDEV,
            None => names::FROM_POD,
        },
    };
    known.get(&attachment.program).copied().unwrap_or(by_place)
}

fn apply(
    pins: &Pins,
    choice: Choice,
    change: Change,
    changes: &mut Changes,
) -> Result<(), LoadError> {
    match change {
        Change::Attach { device, direction, program } => {
            let pin = pins.link(&device, direction);
            let hook = Hook { device: &device, direction, pin: &pin };
            hook::attach_pinned(&pins.program(program), hook, choice)?;
            changes.attached.push(format!("{program} at {device}-{}", direction.as_str()));
        }
        Change::Prune { device, direction } => {
            let pin = pins.link(&device, direction);
            hook::detach(Hook { device: &device, direction, pin: &pin })?;
            changes.pruned.push(format!("{device}-{}", direction.as_str()));
        }
    }
    Ok(())
}

/// The name of a way to attach, in status.
#[must_use]
pub const fn mechanism(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::Tcx => "tcx",
        Mechanism::Filter => "clsact",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [(u32, &str); 4] = [
        (1, names::FROM_POD),
        (2, names::TO_POD),
        (3, names::FROM_NETDEV),
        (13, names::FROM_NETDEV),
    ];

    fn at(device: &str, direction: Direction, index: Option<u32>, program: u32) -> Attachment {
        let device = device.to_owned();
        Attachment { device, direction, mechanism: Mechanism::Tcx, index, program }
    }

    fn planned(attachments: &[Attachment], uplinks: &[&str]) -> Vec<String> {
        let current = KNOWN.iter().take(3).map(|(id, name)| (*name, *id)).collect();
        let uplinks = uplinks.iter().map(|&name| (2, name.to_owned())).collect();
        let changes = plan(attachments, &KNOWN.into(), &current, &uplinks);
        let text = |change| match change {
            Change::Attach { device, direction, program } => {
                format!("{program} {device}-{}", direction.as_str())
            }
            Change::Prune { device, direction } => format!("prune {device}-{}", direction.as_str()),
        };
        changes.into_iter().map(text).collect()
    }

    #[test]
    fn hooks_get_the_program_of_their_place() {
        use Direction::{Egress, Ingress};
        let rows: [(&str, Vec<Attachment>, &[&str], &[&str]); 7] = [
            ("all right", vec![at("eth0", Ingress, Some(2), 3)], &["eth0"], &[]),
            ("new uplink", vec![], &["eth0"], &["from_netdev eth0-in"]),
            (
                "replaced",
                vec![at("eth0", Ingress, Some(2), 13)],
                &["eth0"],
                &["from_netdev eth0-in"],
            ),
            (
                "was an uplink",
                vec![at("eth0", Ingress, Some(2), 13)],
                &[],
                &["from_netdev eth0-in"],
            ),
            (
                "pod",
                vec![at("p", Ingress, Some(4), 99), at("p", Egress, Some(4), 98)],
                &[],
                &["from_pod p-in", "to_pod p-out"],
            ),
            ("gone", vec![at("p", Ingress, None, 1)], &[], &["prune p-in"]),
            (
                "uplink was gone",
                vec![at("eth0", Ingress, None, 3)],
                &["eth0"],
                &["prune eth0-in", "from_netdev eth0-in"],
            ),
        ];
        for (name, attachments, uplinks, expected) in rows {
            assert_eq!(planned(&attachments, uplinks), expected, "{name}");
        }
    }
}
