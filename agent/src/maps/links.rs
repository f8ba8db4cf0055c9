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

    /// What becomes of a table with room for three: changes, and who is left out.
    fn ensured(present: &[(u32, Link)], wanted: &[(u32, Link)]) -> EnsuredLinks {
        let map = |rows: &[(u32, Link)]| rows.iter().copied().collect();
        EnsuredLinks::of(&map(present), map(wanted), 3)
    }

    #[test]
    fn uplinks_have_entries_first_and_then_those_that_had_one() {
        let bridges =
            |indexes: &[u32]| -> Vec<_> { indexes.iter().map(|index| (*index, BRIDGE)).collect() };
        let (uplink, none) = (vec![(1, UPLINK)], vec![]);
        for (name, present, wanted, changed, left_out) in [
            ("new", none.clone(), uplink.clone(), vec![(1, Some(UPLINK))], vec![]),
            ("as it was", uplink.clone(), uplink.clone(), vec![], vec![]),
            ("another class", bridges(&[1]), uplink, vec![(1, Some(UPLINK))], vec![]),
            ("gone", bridges(&[1]), none, vec![(1, None)], vec![]),
            (
                "one for one",
                bridges(&[1, 2, 3]),
                bridges(&[1, 3, 4]),
                vec![(2, None), (4, Some(BRIDGE))],
                vec![],
            ),
            ("too many", bridges(&[2, 3, 5]), bridges(&[1, 2, 3, 4, 5]), vec![], vec![1, 4]),
            (
                "too many, with an uplink",
                bridges(&[2, 3, 5]),
                [bridges(&[2, 3, 5]), vec![(6, UPLINK)]].concat(),
                vec![(5, None), (6, Some(UPLINK))],
                vec![5],
            ),
        ] {
            let (changed, left_out) =
                (changed.into_iter().collect(), left_out.into_iter().collect());
            assert_eq!(ensured(&present, &wanted), EnsuredLinks { changed, left_out }, "{name}");
        }
    }
}
