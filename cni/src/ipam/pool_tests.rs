//! The pool: rows for the order, properties for what must never happen.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::ipam::table::{Lease, Phase};
use crate::protocol::{Attachment, IpRange, PodName};

fn pool(ranges: &[&str]) -> Pool {
    let ranges: Vec<_> = ranges.iter().map(|range| range.parse().unwrap()).collect();
    Pool::new(RangeSet::of_pod_cidrs(&ranges), BTreeSet::new())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn used(all: &[&str]) -> Table {
    table("", all)
}

fn attachment(id: usize) -> Attachment {
    Attachment { container: id.to_string(), ifname: "eth0".into() }
}

fn lease(ips: Vec<IpAddr>) -> Lease {
    Lease {
        ips,
        phase: Phase::Ready,
        created: 0,
        namespace: None,
        path: String::new(),
        pod: PodName::default(),
    }
}

fn table(last: &str, used: &[&str]) -> Table {
    let mut table = Table::new("b");
    table.last.extend(last.parse::<IpAddr>());
    for (id, ip) in used.iter().enumerate() {
        table.leases.insert(attachment(id), lease(vec![ip.parse().unwrap()]));
    }
    table
}

#[test]
fn addresses_come_in_turn() {
    let small = ["10.0.0.0/29"];
    let three = ["10.0.0.0/30", "10.0.1.0/30", "10.0.2.0/30"];
    let rows: [(&[&str], &str, &[&str], &str); 12] = [
        (&small, "", &[], "10.0.0.2"),
        (&small, "", &["10.0.0.2"], "10.0.0.3"),
        (&small, "10.0.0.5", &[], "10.0.0.6"),
        (&small, "10.0.0.3", &["10.0.0.4", "10.0.0.5"], "10.0.0.6"),
        (&small, "10.0.0.5", &["10.0.0.6"], "10.0.0.2"),
        (&small, "10.0.0.128", &["10.0.0.2"], "10.0.0.3"),
        (&small, "10.0.0.3", &["10.0.0.2", "10.0.0.4", "10.0.0.5", "10.0.0.6"], "10.0.0.3"),
        (&["10.0.0.0/30"], "", &[], "10.0.0.2"),
        (&["2001:db8:1::/64"], "", &[], "2001:db8:1::2"),
        (&three, "", &[], "10.0.0.2"),
        (&three, "10.0.0.2", &[], "10.0.1.2"),
        (&three, "10.0.2.2", &[], "10.0.0.2"),
    ];
    for (ranges, last, used, expected) in rows {
        let chosen = pool(ranges).allocate(&mut table(last, used), &[], 0);
        assert_eq!(chosen, Ok(vec![expected.parse().unwrap()]), "{ranges:?} {last} {used:?}");
    }
}

#[test]
fn an_exhausted_pool_says_which_range_in_the_familiar_words() {
    let rows: [(&[&str], &[&str], &str); 5] = [
        (&["10.0.0.0/30"], &["10.0.0.2"], "10.0.0.2-10.0.0.2"),
        (
            &["10.0.0.0/29"],
            &["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"],
            "10.0.0.2-10.0.0.6",
        ),
        (
            &["10.0.0.0/30", "10.0.1.0/30"],
            &["10.0.0.2", "10.0.1.2"],
            "10.0.0.2-10.0.0.2, 10.0.1.2-10.0.1.2",
        ),
        (&["10.0.0.0/31"], &[], "none, the podCIDR is too small"),
        (&["10.0.0.0/24", "fd00::/127"], &[], "none, the podCIDR is too small"),
    ];
    for (ranges, used, range) in rows {
        let mut table = table("", used);
        let before = table.clone();
        let error = pool(ranges).allocate(&mut table, &[], 0).unwrap_err();
        assert_eq!(error.to_string(), format!("no IP addresses available in range set: {range}"));
        assert_eq!(table, before, "{ranges:?}");
    }
}

#[test]
fn a_pod_gets_an_address_of_each_family_at_once() {
    let pool = pool(&["fd01::/64", "10.0.0.0/24"]);
    let chosen = pool.allocate(&mut Table::new("b"), &[], 0);
    assert_eq!(chosen, Ok(vec!["10.0.0.2".parse().unwrap(), "fd01::2".parse().unwrap()]));
}

#[test]
fn the_nodes_own_addresses_are_not_given() {
    let sets = RangeSet::of_pod_cidrs(&["10.0.0.0/29".parse().unwrap()]);
    let pool = Pool::new(sets, [[10, 0, 0, 2].into()].into());
    assert_eq!(pool.allocate(&mut Table::new("b"), &[], 0), Ok(vec![[10, 0, 0, 3].into()]));
}

#[test]
fn a_released_address_rests_unless_nothing_else_is_left() {
    let pool = pool(&["10.0.0.0/29"]);
    let mut table = table("", &["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]);
    table.release(&attachment(1), 100);
    table.release(&attachment(0), 110);
    let mut early = table.clone();
    assert_eq!(pool.allocate(&mut early, &[], 120), Ok(vec![[10, 0, 0, 3].into()]), "the oldest");
    assert_eq!(pool.allocate(&mut table, &[], 100 + COOL_DOWN), Ok(vec![[10, 0, 0, 3].into()]));
    table.last = [[10, 0, 0, 6].into()].into();
    assert_eq!(pool.allocate(&mut table, &[], 110 + COOL_DOWN), Ok(vec![[10, 0, 0, 2].into()]));
}

#[test]
fn a_small_range_gives_five_addresses_and_then_no_more() {
    let (pool, mut table) = (pool(&["10.0.0.0/29"]), used(&[]));
    for id in 0..5_u8 {
        let ips = pool.allocate(&mut table, &[], 0).unwrap();
        assert_eq!(ips, [IpAddr::from([10, 0, 0, 2 + id])]);
        table.leases.insert(attachment(id.into()), lease(ips));
    }
    let error = pool.allocate(&mut table, &[], 0).unwrap_err().to_string();
    assert!(error.starts_with("no IP addresses available in range set"), "{error}");
}

#[test]
fn a_released_address_is_not_the_next_one() {
    let (pool, mut table) = (pool(&["10.0.0.0/29"]), used(&[]));
    let ips = pool.allocate(&mut table, &[], 0).unwrap();
    table.leases.insert(attachment(0), lease(ips));
    table.release(&attachment(0), 0);
    assert_eq!(pool.allocate(&mut table, &[], COOL_DOWN), Ok(vec![ip("10.0.0.3")]));
}

#[test]
fn a_requested_address_is_given_or_the_refusal_says_why() {
    let small: &[&str] = &["10.0.0.0/29"];
    let both: &[&str] = &["10.0.0.0/29", "fd01::/64"];
    let taken = "is not available in range set 10.0.0.2-10.0.0.6";
    let outside = "failed to allocate all requested IPs:";
    type Row<'a> = (&'a [&'a str], &'a [&'a str], &'a [&'a str], Result<&'a [&'a str], String>);
    let rows: [Row<'_>; 11] = [
        (small, &[], &["10.0.0.5"], Ok(&["10.0.0.5"])),
        (
            small,
            &["10.0.0.5"],
            &["10.0.0.5"],
            Err(format!("requested IP address 10.0.0.5 {taken}")),
        ),
        (small, &[], &["10.0.0.3"], Err(format!("requested IP address 10.0.0.3 {taken}"))),
        (small, &[], &["10.0.0.1"], Err(format!("{outside} 10.0.0.1"))),
        (small, &[], &["10.0.0.7"], Err(format!("{outside} 10.0.0.7"))),
        (small, &[], &["fd01::5"], Err(format!("{outside} fd01::5"))),
        (small, &[], &["10.0.0.4", "10.0.0.5"], Err(format!("{outside} 10.0.0.5"))),
        (both, &[], &["fd01::5", "10.0.0.5"], Ok(&["10.0.0.5", "fd01::5"])),
        (both, &[], &["fd01::5"], Ok(&["10.0.0.2", "fd01::5"])),
        (both, &[], &["10.9.0.1", "fd02::1"], Err(format!("{outside} 10.9.0.1 fd02::1"))),
        (&["10.0.0.0/30", "10.0.1.0/30"], &[], &["10.0.1.2"], Ok(&["10.0.1.2"])),
    ];
    for (ranges, leased, requested, expected) in rows {
        let pool = Pool { excluded: [ip("10.0.0.3")].into(), ..pool(ranges) };
        let requested: Vec<_> = requested.iter().map(|text| ip(text)).collect();
        let found = pool.allocate(&mut used(leased), &requested, 0);
        let expected = expected.map(|ips| ips.iter().map(|text| ip(text)).collect::<Vec<_>>());
        assert_eq!(found.map_err(|refusal| refusal.to_string()), expected, "{requested:?}");
    }
}

#[test]
fn a_requested_address_may_still_rest_and_does_not_move_the_turn() {
    let (pool, mut table) = (pool(&["10.0.0.0/29"]), table("10.0.0.3", &["10.0.0.5"]));
    table.release(&attachment(0), 0);
    assert_eq!(pool.allocate(&mut table, &[ip("10.0.0.5")], 1), Ok(vec![ip("10.0.0.5")]));
    assert!(table.cooling.is_empty());
    assert_eq!(pool.allocate(&mut table, &[], 1), Ok(vec![ip("10.0.0.4")]));
}

#[test]
fn each_set_has_a_turn_of_its_own() {
    let range = |subnet: &str| {
        vec![IpRange { subnet: subnet.parse().unwrap(), start: None, end: None, gateway: None }]
    };
    let sets = [range("10.0.0.0/29"), range("10.0.1.0/29"), range("fd01::/64")];
    let pool = Pool::new(RangeSet::parse(&sets).unwrap(), BTreeSet::new());
    let mut table = used(&[]);
    for last in [2_u8, 3, 4] {
        let v6: IpAddr = format!("fd01::{last}").parse().unwrap();
        let expected = vec![[10, 0, 0, last].into(), [10, 0, 1, last].into(), v6];
        assert_eq!(pool.allocate(&mut table, &[], 0), Ok(expected));
    }
}

#[test]
fn pods_keep_their_addresses_when_the_node_is_renumbered() {
    let (before, after) = (pool(&["10.0.0.0/29"]), pool(&["10.0.9.0/29"]));
    let mut table = used(&[]);
    let old = before.allocate(&mut table, &[], 0).unwrap();
    table.leases.insert(attachment(0), lease(old.clone()));
    let new = after.allocate(&mut table, &[], 0).unwrap();
    assert_eq!((new.as_slice(), &table.leases[&attachment(0)].ips), (&[ip("10.0.9.2")][..], &old));
    table.release(&attachment(0), 0);
    assert_eq!(after.allocate(&mut table, &[], 0), Ok(vec![ip("10.0.9.3")]));
    let refused = after.allocate(&mut table, &old, 0).unwrap_err().to_string();
    assert_eq!(refused, "failed to allocate all requested IPs: 10.0.0.2");
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Allocate(usize),
    Release(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..20usize).prop_map(Step::Allocate),
        2 => (0..20usize).prop_map(Step::Release),
        1 => (0..40_000u64).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn no_address_is_given_twice(steps in prop::collection::vec(step(), 1..200)) {
        let pool = pool(&["10.0.0.0/28", "fd00::/120"]);
        let (mut table, mut now) = (Table::new("b"), 0);
        let mut released = BTreeMap::new();
        for step in steps {
            match step {
                Step::Wait(seconds) => now += seconds,
                Step::Release(id) => {
                    if let Some(lease) = table.release(&attachment(id), now) {
                        released.extend(lease.ips.into_iter().map(|ip| (ip, now)));
                    }
                }
                Step::Allocate(id) if table.leases.contains_key(&attachment(id)) => {}
                Step::Allocate(id) => {
                    let before: Vec<_> = table.leases.values().flat_map(|l| l.ips.clone()).collect();
                    let rests = |ip: &IpAddr, since: u64| ip.is_ipv4() && now - since < COOL_DOWN;
                    let resting = table.cooling.iter().filter(|(ip, since)| rests(ip, **since)).count();
                    let is_all_resting = table.leases.len() + resting == 13;
                    let Ok(ips) = pool.allocate(&mut table, &[], now) else {
                        prop_assert_eq!(table.leases.len(), 13, "refused with addresses left");
                        continue;
                    };
                    for ip in &ips {
                        prop_assert!(!before.contains(ip), "{} given twice", ip);
                        prop_assert!(!["10.0.0.0", "10.0.0.1", "10.0.0.15", "fd00::", "fd00::1"]
                            .contains(&ip.to_string().as_str()), "{} given", ip);
                        let is_early = released.get(ip).is_some_and(|since| now - since < COOL_DOWN);
                        prop_assert!(!is_early || ip.is_ipv4() && is_all_resting, "{} too early", ip);
                    }
                    table.leases.insert(attachment(id), lease(ips));
                }
            }
        }
        prop_assert_eq!(Table::parse(&table.to_text()), Some(table));
    }

    #[test]
    fn every_address_is_given_before_one_comes_again(first in 2..15u8, churn in 1..13usize) {
        let pool = pool(&["10.0.0.0/28"]);
        let mut table = table(&format!("10.0.0.{first}"), &[]);
        let mut seen = BTreeSet::new();
        for id in 0..13 {
            let ips = pool.allocate(&mut table, &[], 0).unwrap();
            prop_assert!(seen.insert(ips[0]));
            if id >= churn {
                table.leases.insert(attachment(id), lease(ips));
            }
        }
    }
}
