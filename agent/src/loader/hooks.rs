//! Which program each hook of ours runs, and which it should.

use std::collections::{BTreeMap, BTreeSet};

use dataplane_common::abi::names;
use hostnet::hook::{self, Attachment, Choice, Direction, Hook, Mechanism};
use hostnet::link::{self, Layer};
use hostnet::{Netlink, Pins};

use super::{LoadError, programs};

/// Which program runs where.
const PLACES: [(Role, Direction, &str); 7] = [
    (Role::Pod, Direction::Ingress, names::FROM_POD),
    (Role::Pod, Direction::Egress, names::TO_POD),
    (Role::Device(Layer::Ethernet), Direction::Ingress, names::FROM_NETDEV),
    (Role::Device(Layer::Ethernet), Direction::Egress, names::TO_NETDEV),
    (Role::Device(Layer::Ip), Direction::Ingress, names::FROM_L3DEV),
    (Role::Device(Layer::Ip), Direction::Egress, names::TO_L3DEV),
    (Role::Port, Direction::Egress, names::TO_NETDEV),
];

/// What a device of the host is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The host's side of a pod's link.
    Pod,
    /// One that is served.
    Device(Layer),
    /// A port of a bridge that is served: what other ports send to it passes no hook of the bridge.
    Port,
    /// One that the plugin is at work on: its hooks are the plugin's.
    InTheMaking,
    /// None of ours.
    Other,
}

/// A device and what it is to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The device's name.
    pub device: String,
    /// What it is to us.
    pub role: Role,
}

/// The devices by their indexes; empty while they are not known.
pub type Wanted = BTreeMap<u32, Wish>;

/// What was done to hooks.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Changes {
    /// Hooks that were given their program, such as `from_netdev at eth0-in`.
    pub attached: Vec<String>,
    /// Hooks that lost their program, such as `eth0-in`.
    pub detached: Vec<String>,
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
    Detach { index: u32, device: String, direction: Direction },
    Attach { index: u32, device: String, direction: Direction, program: &'static str },
}

/// Makes every hook run its pinned program: those that run another in place, devices that run none
/// for the first time. Pins of devices that are gone are removed, and programs of devices that are
/// none of ours any longer. Of devices that are not known, only hooks that run a known program are
/// given the one that replaced it.
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
        let wanted = self.wanted.iter();
        wanted.flat_map(|(index, Wish { device, role })| {
            let places = PLACES.iter().filter(move |(of, ..)| of == role);
            places.map(|(_, direction, program)| (*index, *direction, device.as_str(), *program))
        })
    }

    fn change(&self, attachment: &Attachment) -> Option<Change> {
        let (index, direction) = (attachment.index, attachment.direction);
        let Some(device) = attachment.device.clone() else {
            return Some(Change::Prune { index, direction });
        };
        let known = self.known.get(&attachment.program).copied();
        let program = match self.wanted.get(&index).map(|wish| wish.role) {
            Some(Role::InTheMaking) => known.or(program(Role::Pod, direction))?,
            Some(role) => match program(role, direction) {
                Some(program) => program,
                None => return Some(Change::Detach { index, device, direction }),
            },
            None => known?,
        };
        let is_replaced = self.current.get(program).is_some_and(|id| *id != attachment.program);
        let is_wrong = is_replaced || self.is_attached_otherwise(attachment.mechanism);
        is_wrong.then_some(Change::Attach { index, device, direction, program })
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

fn program(role: Role, direction: Direction) -> Option<&'static str> {
    let mut places = PLACES.iter().filter(|(of, at, _)| *of == role && *at == direction);
    places.next().map(|(.., program)| *program)
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
        Change::Detach { index, device, direction } => {
            match hook::detach(Hook { device: &device, index, direction, pins }) {
                Ok(_) => changes.detached.push(format!("{device}-{}", direction.as_str())),
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

    const KNOWN: [(u32, &str); 7] = [
        (1, names::FROM_POD),
        (2, names::TO_POD),
        (3, names::FROM_NETDEV),
        (4, names::FROM_L3DEV),
        (5, names::TO_NETDEV),
        (6, names::TO_L3DEV),
        (13, names::FROM_NETDEV),
    ];

    fn at(device: &str, direction: Direction, index: u32, program: u32) -> Attachment {
        let device = Some(device.to_owned());
        Attachment { index, device, direction, mechanism: Mechanism::Tcx, program }
    }

    fn gone(direction: Direction, index: u32, program: u32) -> Attachment {
        Attachment { device: None, ..at("", direction, index, program) }
    }

    fn wish(device: &str, role: Role) -> Wish {
        Wish { device: device.to_owned(), role }
    }

    fn planned(attachments: &[Attachment], wanted: &[(u32, Wish)], choice: Choice) -> Vec<String> {
        let current = KNOWN.iter().take(6).map(|(id, name)| (*name, *id)).collect();
        let (known, scan, wanted) = (KNOWN.into(), Scan::Pins, wanted.iter().cloned().collect());
        let rules = Rules { known: &known, current: &current, wanted: &wanted, choice, scan };
        let text = |change| match change {
            Change::Attach { index, device, direction, program } => {
                format!("{program} {device}-{} {index}", direction.as_str())
            }
            Change::Detach { index, device, direction } => {
                format!("detach {device}-{} {index}", direction.as_str())
            }
            Change::Prune { index, direction } => format!("prune {index}-{}", direction.as_str()),
        };
        rules.plan(attachments).into_iter().map(text).collect()
    }

    fn of_q() -> [Attachment; 2] {
        [at("q", Ingress, 5, 1), at("q", Egress, 5, 2)]
    }

    fn of_eth0(ingress: u32) -> [Attachment; 2] {
        [at("eth0", Ingress, 2, ingress), at("eth0", Egress, 2, 5)]
    }

    #[test]
    fn a_pod_gets_the_programs_that_it_lacks() {
        let [from_pod, to_pod] = of_q();
        for (attachments, expected) in [
            (vec![], vec!["from_pod q-in 5", "to_pod q-out 5"]),
            (vec![from_pod], vec!["to_pod q-out 5"]),
            (vec![to_pod], vec!["from_pod q-in 5"]),
        ] {
            let pod = [(5, wish("q", Role::Pod))];
            assert_eq!(planned(&attachments, &pod, Choice::Best), expected);
            let in_the_making = [(5, wish("q", Role::InTheMaking))];
            assert_eq!(planned(&attachments, &in_the_making, Choice::Best), [""; 0]);
        }
    }

    #[test]
    fn devices_get_the_programs_of_their_link_layer() {
        let eth0 = wish("eth0", Role::Device(Layer::Ethernet));
        let raw = wish("eth0", Role::Device(Layer::Ip));
        let lan0 = Wish { device: "lan0".to_owned(), ..eth0.clone() };
        let both = || vec!["from_netdev eth0-in 2", "to_netdev eth0-out 2"];
        for (name, attachments, wish, expected) in [
            ("right", of_eth0(3).to_vec(), &eth0, vec![]),
            ("new", vec![], &eth0, both()),
            ("replaced", of_eth0(13).to_vec(), &eth0, vec!["from_netdev eth0-in 2"]),
            ("unknown program", of_eth0(99).to_vec(), &eth0, vec!["from_netdev eth0-in 2"]),
            ("renamed", of_eth0(3).to_vec(), &lan0, vec![]),
            ("raw", of_eth0(3).to_vec(), &raw, vec!["from_l3dev eth0-in 2", "to_l3dev eth0-out 2"]),
            ("made again", vec![gone(Ingress, 2, 3)], &eth0, [vec!["prune 2-in"], both()].concat()),
        ] {
            let wanted = [(2, wish.clone())];
            assert_eq!(planned(&attachments, &wanted, Choice::Best), expected, "{name}");
        }
    }

    #[test]
    fn other_places_get_what_their_device_is_to_us() {
        let strangers = [at("eth0", Ingress, 2, 99), at("eth0", Egress, 2, 98)];
        let pod = || vec!["from_pod eth0-in 2", "to_pod eth0-out 2"];
        let detached = vec!["detach eth0-in 2", "detach eth0-out 2"];
        for (name, attachments, role, expected) in [
            ("not known", of_eth0(3).to_vec(), None, vec![]),
            ("not known, replaced", of_eth0(13).to_vec(), None, vec!["from_netdev eth0-in 2"]),
            ("not known at all", strangers.to_vec(), None, vec![]),
            ("enslaved", of_eth0(3).to_vec(), Some(Role::Other), detached),
            ("port", of_eth0(3).to_vec(), Some(Role::Port), vec!["detach eth0-in 2"]),
            ("new port", vec![], Some(Role::Port), vec!["to_netdev eth0-out 2"]),
            ("pod", strangers.to_vec(), Some(Role::Pod), pod()),
            ("pod in the making", strangers.to_vec(), Some(Role::InTheMaking), pod()),
            ("gone", vec![gone(Ingress, 2, 1)], None, vec!["prune 2-in"]),
        ] {
            let wanted: Vec<_> = role.map(|role| (2, wish("eth0", role))).into_iter().collect();
            assert_eq!(planned(&attachments, &wanted, Choice::Best), expected, "{name}");
        }
    }

    #[test]
    fn hooks_follow_the_choice_of_how_to_attach() {
        let right = [of_eth0(3).to_vec(), of_q().to_vec()].concat();
        let planned = planned(&right, &[], Choice::Filter);
        let expected =
            ["from_netdev eth0-in 2", "to_netdev eth0-out 2", "from_pod q-in 5", "to_pod q-out 5"];
        assert_eq!(planned, expected);
    }
}
