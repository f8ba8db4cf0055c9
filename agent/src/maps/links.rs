//! What changes in the table `links`, which has room for so many devices and no more.

use std::collections::{BTreeMap, BTreeSet};

use dataplane_common::abi::{Link, LinkFlags};

/// What is done to the table.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct EnsuredLinks {
    /// The entries that change, by index, and what they become; nothing where they go.
    pub changed: BTreeMap<u32, Option<Link>>,
    /// Devices that there is no room for.
    pub left_out: BTreeSet<u32>,
}

impl EnsuredLinks {
    /// From what is present to what is wanted. Where there is not room for all, uplinks come first,
    /// since bypass needs their entries, and then those that have one.
    pub(super) fn of(
        present: &BTreeMap<u32, Link>,
        mut wanted: BTreeMap<u32, Link>,
        room: usize,
    ) -> Self {
        let left_out = left_out(present, &wanted, room);
        wanted.retain(|index, _| !left_out.contains(index));
        let gone = present.keys().filter(|index| !wanted.contains_key(index));
        let gone = gone.map(|index| (*index, None));
        let written = wanted.iter().filter(|(index, link)| present.get(index) != Some(link));
        let written = written.map(|(index, link)| (*index, Some(*link)));
        Self { changed: gone.chain(written).collect(), left_out }
    }

    /// The entries that go.
    pub(super) fn gone(&self) -> impl Iterator<Item = &u32> {
        self.changed.iter().filter(|(_, link)| link.is_none()).map(|(index, _)| index)
    }

    /// The entries that come or change.
    pub(super) fn written(&self) -> impl Iterator<Item = (u32, Link)> {
        self.changed.iter().filter_map(|(index, link)| Some((*index, (*link)?)))
    }
}

fn left_out(
    present: &BTreeMap<u32, Link>,
    wanted: &BTreeMap<u32, Link>,
    room: usize,
) -> BTreeSet<u32> {
    let mut by_rank: Vec<_> = wanted.iter().collect();
    by_rank.sort_by_key(|(index, link)| {
        (link.flags.has(LinkFlags::WORKLOADS), !present.contains_key(index))
    });
    by_rank.into_iter().skip(room).map(|(index, _)| *index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPLINK: Link = Link { mtu: 1500, flags: LinkFlags(0) };
    const BRIDGE: Link = Link { mtu: 1450, flags: LinkFlags::WORKLOADS };

    #[test]
    fn uplinks_have_entries_first_and_then_those_that_had_one() {
        for (name, present, wanted, changed, left_out) in [
            (
                "new",
                vec![],
                vec![(1, UPLINK), (2, BRIDGE)],
                vec![(1, Some(UPLINK)), (2, Some(BRIDGE))],
                vec![],
            ),
            ("as it was", vec![(1, UPLINK)], vec![(1, UPLINK)], vec![], vec![]),
            (
                "another class",
                vec![(1, BRIDGE)],
                vec![(1, UPLINK)],
                vec![(1, Some(UPLINK))],
                vec![],
            ),
            (
                "one for one",
                vec![(1, BRIDGE), (2, BRIDGE), (3, BRIDGE)],
                vec![(1, BRIDGE), (3, BRIDGE), (4, BRIDGE)],
                vec![(2, None), (4, Some(BRIDGE))],
                vec![],
            ),
            (
                "too many",
                vec![(2, BRIDGE), (3, BRIDGE), (5, BRIDGE)],
                vec![(1, BRIDGE), (2, BRIDGE), (3, BRIDGE), (4, BRIDGE), (5, BRIDGE)],
                vec![],
                vec![1, 4],
            ),
            (
                "too many, with an uplink",
                vec![(2, BRIDGE), (3, BRIDGE), (5, BRIDGE)],
                vec![(2, BRIDGE), (3, BRIDGE), (5, BRIDGE), (6, UPLINK)],
                vec![(5, None), (6, Some(UPLINK))],
                vec![5],
            ),
        ] {
            let expected = EnsuredLinks {
                changed: changed.into_iter().collect(),
                left_out: left_out.into_iter().collect(),
            };
            let (present, wanted) = (present.into_iter().collect(), wanted.into_iter().collect());
            assert_eq!(EnsuredLinks::of(&present, wanted, 3), expected, "{name}");
        }
    }
}
