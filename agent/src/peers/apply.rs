//! What has to change, so that the kernel has what is wanted.

use std::collections::BTreeSet;

use hostnet::neigh::Trust;
use hostnet::{Netlink, Result, fdb, neigh, route};

use super::item::{Item, Place};
use crate::problem::Problem;

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Applied {
    /// What the kernel did.
    pub steps: Vec<Step>,
    /// What it refused.
    pub problems: BTreeSet<Problem>,
}

/// A change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make it, or let it replace what is in its place.
    Ensure(Item),
    /// Delete it.
    Delete(Item),
}

/// Makes the kernel have what is wanted: what is missing first, then, if the wanted ones are all,
/// what is too many.
///
/// # Errors
/// When the kernel cannot be asked. What it refuses is among the problems.
pub async fn apply(
    netlink: &Netlink,
    wanted: &BTreeSet<Item>,
    tunnel: Option<u32>,
    are_all: bool,
) -> Result<Applied> {
    let mut applied = Applied::default();
    for step in diff(wanted, &present(netlink, tunnel).await?) {
        let (item, outcome) = match &step {
            Step::Delete(_) if !are_all => continue,
            Step::Ensure(item) => (item, item.ensure(netlink).await),
            Step::Delete(item) => (item, item.delete(netlink).await.map(drop)),
        };
        match outcome {
            Ok(()) => applied.steps.push(step),
            Err(error) => {
                let object = match item {
                    Item::Route(route) => format!("route to {}", route.destination),
                    other => other.to_string(),
                };
                applied.problems.insert(Problem::error(object, error.to_string()));
            }
        }
    }
    Ok(applied)
}

/// What of ours leads to other nodes: routes by a next hop, and all that the tunnel knows.
///
/// # Errors
/// When the kernel cannot be asked.
pub async fn present(netlink: &Netlink, tunnel: Option<u32>) -> Result<BTreeSet<Item>> {
    let routes = route::list(netlink).await?.into_iter().filter(|route| route.via.is_some());
    let mut items: BTreeSet<_> = routes.map(Item::Route).collect();
    let Some(link) = tunnel else { return Ok(items) };
    let neighbours = neigh::list(netlink).await?.into_iter();
    let told = neighbours.filter(|it| it.link == link && it.trust == Trust::Permanent);
    items.extend(told.map(Item::Neighbour));
    items.extend(fdb::list(netlink, link).await?.into_iter().map(Item::Forward));
    Ok(items)
}

fn diff(wanted: &BTreeSet<Item>, present: &BTreeSet<Item>) -> Vec<Step> {
    let places: BTreeSet<Place> = wanted.iter().map(Item::place).collect();
    let missing = wanted.difference(present).copied().map(Step::Ensure);
    let surplus = present.iter().rev().filter(|item| !places.contains(&item.place()));
    missing.chain(surplus.copied().map(Step::Delete)).collect()
}

#[cfg(test)]
mod tests {
    use hostnet::Mac;
    use hostnet::fdb::Forward;
    use hostnet::neigh::Neighbour;
    use hostnet::route::Route;

    use super::*;

    fn route(destination: &str, via: &str) -> Item {
        Item::Route(Route::through(destination.parse().unwrap(), via.parse().unwrap(), 2))
    }

    /// A far end of the tunnel at a host, with the route to it.
    fn end(host: &str) -> [Item; 3] {
        let (link, mac, ip) = (2, Mac::of("b"), "10.1.5.0".parse().unwrap());
        [
            Item::Neighbour(Neighbour { link, ip, mac, trust: Trust::Permanent }),
            Item::Forward(Forward { link, mac, host: host.parse().unwrap() }),
            route("10.1.5.0/24", "10.1.5.0"),
        ]
    }

    #[test]
    fn what_is_missing_is_made_before_what_is_surplus_goes_and_what_changed_is_replaced() {
        let [same, new] = [route("10.1.2.0/24", "192.0.2.2"), route("10.1.3.0/24", "192.0.2.3")];
        let [old, moved] = [route("10.1.4.0/24", "192.0.2.4"), route("10.1.3.0/24", "192.0.2.8")];
        let (here, there) = (end("192.0.2.5"), end("192.0.2.6"));
        let ensure = |items: &[Item]| items.iter().copied().map(Step::Ensure).collect::<Vec<_>>();
        let delete = |items: &[Item]| items.iter().rev().copied().map(Step::Delete).collect();
        for (wanted, present, expected) in [
            (vec![same, new], vec![same, new], vec![]),
            (vec![same, new], vec![same], ensure(&[new])),
            (vec![same, new], vec![same, moved], ensure(&[new])),
            (vec![same], vec![old], [ensure(&[same]), delete(&[old])].concat()),
            (here.to_vec(), vec![], ensure(&here)),
            (vec![], here.to_vec(), delete(&here)),
            (there.to_vec(), here.to_vec(), ensure(&there[1..2])),
        ] {
            let [wanted, present] = [wanted, present].map(|items| items.into_iter().collect());
            assert_eq!(diff(&wanted, &present), expected, "{present:?}");
        }
    }
}
