//! Which program each hook of ours runs, and which it should.

use std::collections::{BTreeMap, BTreeSet};

use dataplane_common::abi::names;
use hostnet::hook::{self, Attachment, Choice, Direction, Hook, Mechanism};
use hostnet::link::{self, Link};
use hostnet::{Netlink, Pins};

use super::{LoadError, programs};

/// Uplinks by their indexes.
pub type Uplinks = BTreeMap<u32, UplinkHook>;

/// What an uplink's hook at ingress should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UplinkHook {
    /// The device's name.
    pub device: String,
    /// The program's name.
    pub program: &'static str,
}

impl UplinkHook {
    /// The hook of a device: packets of those without hardware address begin with their IP header.
    #[must_use]
    pub fn of(link: &Link) -> Self {
        let program = if link.mac.is_some() { names::FROM_NETDEV } else { names::FROM_L3DEV };
        Self { device: link.name.clone(), program }
    }
}

/// Which devices should have hooks.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The uplinks, if they are known.
    pub uplinks: Option<Uplinks>,
    /// Links of pods: their names by their indexes.
    pub pods: BTreeMap<u32, String>,
}

/// What was done to hooks.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Changes {
    /// Hooks that were given their program, such as `from_netdev at eth0-in`.
    pub attached: Vec<String>,
    /// Pins of devices that are gone, which were removed, such as `7-in`.
    pub pruned: Vec<String>,
    /// What could not be done, and why.
    pub failed: Vec<String>,
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
    Prune { index: u32, direction: Direction },
    Attach { index: u32, device: String, direction: Direction, program: &'static str },
}

/// Makes every hook run its pinned program: those that run another in place, devices that run none
/// for the first time. Pins of devices that are gone are removed. While the uplinks are not known,
/// hooks that run an unknown program are left alone.
///
/// # Errors
/// When hooks or programs cannot be listed. Hooks that the kernel refuses are among the changes.
pub async fn ensure(
    netlink: &Netlink,
    pins: &Pins,
    choice: Choice,
    scan: Scan,
    wanted: &Wanted,
) -> Result<Changes, LoadError> {
    let attachments = attachments(netlink, pins, choice, scan).await?;
    let (known, current) = (programs::known(pins)?, programs::current(pins)?);
    let rules = Rules { known: &known, current: &current, wanted, choice, scan };
    let planned = rules.plan(&attachments);
    let has_changes = !planned.is_empty();
    let mut changes = Changes::default();
    for change in planned {
        apply(netlink, pins, choice, change, &mut changes).await;
    }
    if has_changes {
        delete_unused_qdiscs(netlink, &attachments).await?;
    }
    Ok(changes)
}

/// Deletes the qdiscs of devices that had filters of ours and have none of anyone now; returns the
/// devices.
///
/// # Errors
/// The kernel's.
pub async fn delete_unused_qdiscs(
    netlink: &Netlink,
    before: &[Attachment],
) -> hostnet::Result<Vec<String>> {
    let filters = before.iter().filter(|before| before.mechanism == Mechanism::Filter);
    let indexes: BTreeSet<_> = filters.map(|filter| filter.index).collect();
    if indexes.is_empty() {
        return Ok(Vec::new());
    }
    let mut devices = Vec::new();
    for link in link::list(netlink).await? {
        if indexes.contains(&link.index) && hook::delete_unused_qdisc(netlink, &link).await? {
            devices.push(link.name);
        }
    }
    Ok(devices)
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

/// What decides about hooks.
struct Rules<'a> {
    known: &'a BTreeMap<u32, &'static str>,
    current: &'a BTreeMap<&'static str, u32>,
    wanted: &'a Wanted,
    choice: Choice,
    scan: Scan,
}

impl Rules<'_> {
    fn plan(&self, attachments: &[Attachment]) -> BTreeSet<Change> {
        let mut changes: BTreeSet<_> =
            attachments.iter().filter_map(|attachment| self.change(attachment)).collect();
        let runs = |device: u32, at: Direction| {
            let mut alive = attachments.iter().filter(|attachment| attachment.device.is_some());
            alive.any(|attachment| attachment.index == device && attachment.direction == at)
        };
        let missing = self.places().filter(|(index, direction, ..)| !runs(*index, *direction));
        changes.extend(missing.map(|(index, direction, device, program)| Change::Attach {
            index,
            device: device.to_owned(),
            direction,
            program,
        }));
        changes
    }

    /// Where a program should be: index and name of the device, direction and program.
    fn places(&self) -> impl Iterator<Item = (u32, Direction, &str, &'static str)> {
        let Wanted { uplinks, pods } = self.wanted;
        let uplinks = uplinks.iter().flatten().map(|(index, UplinkHook { device, program })| {
            (*index, Direction::Ingress, device.as_str(), *program)
        });
        let pods = pods.iter().flat_map(|(index, device)| {
            [(Direction::Ingress, names::FROM_POD), (Direction::Egress, names::TO_POD)]
                .map(|(direction, program)| (*index, direction, device.as_str(), program))
        });
        uplinks.chain(pods)
    }

    fn change(&self, attachment: &Attachment) -> Option<Change> {
        let (index, direction) = (attachment.index, attachment.direction);
        let Some(device) = attachment.device.clone() else {
            return Some(Change::Prune { index, direction });
        };
        let program = self.program(attachment)?;
        let is_replaced = self.current.get(program).is_some_and(|id| *id != attachment.program);
        let is_wrong = is_replaced || self.is_attached_otherwise(attachment.mechanism);
        is_wrong.then_some(Change::Attach { index, device, direction, program })
    }

    /// The program a hook should run: an uplink's own, else what it runs if that is known, else what
    /// its place says. Hooks at ingress that are no uplink's are pods'.
    fn program(&self, attachment: &Attachment) -> Option<&'static str> {
        let known = self.known.get(&attachment.program).copied();
        match attachment.direction {
            Direction::Egress => Some(known.unwrap_or(names::TO_POD)),
            Direction::Ingress => match &self.wanted.uplinks {
                None => known,
                Some(uplinks) => {
                    let uplink = uplinks.get(&attachment.index);
                    uplink.map(|uplink| uplink.program).or(known).or(Some(names::FROM_POD))
                }
            },
        }
    }

    /// Whether the choice is another one than when the hook was made. That the kernel has TCX only
    /// a try can tell, so a filter is given one at start alone.
    fn is_attached_otherwise(&self, mechanism: Mechanism) -> bool {
        match (mechanism, self.choice) {
            (Mechanism::Tcx, Choice::Filter) => true,
            (Mechanism::Filter, Choice::Best) => self.scan == Scan::Everything,
            (Mechanism::Tcx, Choice::Best) | (Mechanism::Filter, Choice::Filter) => false,
        }
    }
}

async fn apply(
    netlink: &Netlink,
    pins: &Pins,
    choice: Choice,
    change: Change,
    changes: &mut Changes,
) {
    match change {
        Change::Attach { index, device, direction, program } => {
            let hook = Hook { device: &device, index, direction, pins };
            match hook::attach_pinned(&pins.program(program), hook, choice) {
                Ok(_) => {
                    changes.attached.push(format!("{program} at {device}-{}", direction.as_str()));
                }
                // The device went, or got another name, while it was looked at.
                Err(_) if matches!(link::find(netlink, &device).await, Ok(None)) => {}
                Err(error) => changes.failed.push(error.to_string()),
            }
        }
        Change::Prune { index, direction } => match hook::prune(pins, index, direction) {
            Ok(_) => changes.pruned.push(format!("{index}-{}", direction.as_str())),
            Err(error) => changes.failed.push(error.to_string()),
        },
    }
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
    use Direction::{Egress, Ingress};

    use super::*;

    const KNOWN: [(u32, &str); 5] = [
        (1, names::FROM_POD),
        (2, names::TO_POD),
        (3, names::FROM_NETDEV),
        (4, names::FROM_L3DEV),
        (13, names::FROM_NETDEV),
    ];

    fn at(device: &str, direction: Direction, index: u32, program: u32) -> Attachment {
        let device = Some(device.to_owned());
        Attachment { index, device, direction, mechanism: Mechanism::Tcx, program }
    }

    fn gone(direction: Direction, index: u32, program: u32) -> Attachment {
        Attachment { device: None, ..at("", direction, index, program) }
    }

    fn uplink(device: &str) -> UplinkHook {
        let program = if device == "wg0" { names::FROM_L3DEV } else { names::FROM_NETDEV };
        UplinkHook { device: device.to_owned(), program }
    }

    fn planned(
        attachments: &[Attachment],
        uplinks: Option<&[&str]>,
        choice: Choice,
    ) -> Vec<String> {
        let current = KNOWN.iter().take(4).map(|(id, name)| (*name, *id)).collect();
        let uplinks: Option<Uplinks> =
            uplinks.map(|names| names.iter().map(|name| (2, uplink(name))).collect());
        let wanted = Wanted { uplinks, pods: [(5, "q".to_owned())].into() };
        let (known, scan) = (KNOWN.into(), Scan::Pins);
        let rules = Rules { known: &known, current: &current, wanted: &wanted, choice, scan };
        let text = |change| match change {
            Change::Attach { index, device, direction, program } => {
                format!("{program} {device}-{} {index}", direction.as_str())
            }
            Change::Prune { index, direction } => format!("prune {index}-{}", direction.as_str()),
        };
        rules.plan(attachments).into_iter().map(text).collect()
    }

    fn of_q() -> [Attachment; 2] {
        [at("q", Ingress, 5, 1), at("q", Egress, 5, 2)]
    }

    #[test]
    fn a_pod_gets_the_programs_that_it_lacks() {
        let [from_pod, to_pod] = of_q();
        for (attachments, expected) in [
            (vec![], vec!["from_pod q-in 5", "to_pod q-out 5"]),
            (vec![from_pod], vec!["to_pod q-out 5"]),
            (vec![to_pod], vec!["from_pod q-in 5"]),
        ] {
            assert_eq!(planned(&attachments, None, Choice::Best), expected);
        }
    }

    #[test]
    fn hooks_get_the_program_of_their_place() {
        const NONE: Option<&[&str]> = Some(&[]);
        const ETH0: Option<&[&str]> = Some(&["eth0"]);
        let strangers = vec![at("p", Ingress, 4, 99), at("p", Egress, 4, 98)];
        for (name, attachments, uplinks, expected) in [
            ("all right", vec![at("eth0", Ingress, 2, 3)], ETH0, vec![]),
            ("new uplink", vec![], ETH0, vec!["from_netdev eth0-in 2"]),
            ("replaced", vec![at("eth0", Ingress, 2, 13)], ETH0, vec!["from_netdev eth0-in 2"]),
            ("no uplink", vec![at("eth0", Ingress, 2, 13)], NONE, vec!["from_netdev eth0-in 2"]),
            (
                "without link layer",
                vec![at("wg0", Ingress, 2, 3)],
                Some(&["wg0"]),
                vec!["from_l3dev wg0-in 2"],
            ),
            ("renamed", vec![at("lan0", Ingress, 2, 3)], ETH0, vec![]),
            ("pod", strangers.clone(), NONE, vec!["from_pod p-in 4", "to_pod p-out 4"]),
            ("unknown place", strangers, None, vec!["to_pod p-out 4"]),
            ("gone", vec![gone(Ingress, 4, 1)], NONE, vec!["prune 4-in"]),
            (
                "made again",
                vec![gone(Ingress, 2, 3)],
                ETH0,
                vec!["prune 2-in", "from_netdev eth0-in 2"],
            ),
        ] {
            let attachments = [attachments, of_q().to_vec()].concat();
            assert_eq!(planned(&attachments, uplinks, Choice::Best), expected, "{name}");
        }
    }

    #[test]
    fn hooks_follow_the_choice_of_how_to_attach() {
        let right = [at("eth0", Ingress, 2, 3)];
        let right = [right.to_vec(), of_q().to_vec()].concat();
        let planned = planned(&right, Some(&["eth0"]), Choice::Filter);
        assert_eq!(planned, ["from_netdev eth0-in 2", "from_pod q-in 5", "to_pod q-out 5"]);
    }
}
