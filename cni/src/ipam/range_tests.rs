//! Ranges, row by row.

use std::collections::BTreeSet;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn range(subnet: &str, bounds: [&str; 3]) -> IpRange {
    let [start, end, gateway] = bounds.map(|text| text.parse().ok());
    IpRange { subnet: subnet.parse().unwrap(), start, end, gateway }
}

fn whole(subnet: &str) -> IpRange {
    range(subnet, ["", "", ""])
}

fn refusal(sets: &[Vec<IpRange>]) -> Option<String> {
    RangeSet::parse(sets).err().map(|error| error.to_string())
}

#[test]
fn a_subnet_has_the_usual_bounds() {
    for (subnet, shown, gateway) in [
        ("192.0.2.0/24", "192.0.2.1-192.0.2.254", "192.0.2.1"),
        ("192.0.2.0/25", "192.0.2.1-192.0.2.126", "192.0.2.1"),
        ("192.0.2.0/30", "192.0.2.1-192.0.2.2", "192.0.2.1"),
        ("2001:db8::/64", "2001:db8::1-2001:db8::ffff:ffff:ffff:ffff", "2001:db8::1"),
    ] {
        let sets = RangeSet::parse(&[vec![whole(subnet)]]).unwrap();
        assert_eq!(sets[0].to_string(), shown);
        assert!(!sets[0].contains(ip(gateway)), "{gateway}");
        assert_eq!(sets[0].is_ipv6(), subnet.contains(':'));
    }
}

#[test]
fn a_range_ends_where_it_says() {
    let bounds = ["192.0.2.40", "192.0.2.50", "192.0.2.45"];
    let set = RangeSet::parse(&[vec![range("192.0.2.0/24", bounds)]]).unwrap().remove(0);
    for (address, expected) in [
        ("192.0.2.39", false),
        ("192.0.2.40", true),
        ("192.0.2.45", false),
        ("192.0.2.50", true),
        ("192.0.2.51", false),
        ("::192.0.2.40", false),
    ] {
        assert_eq!(set.contains(ip(address)), expected, "{address}");
    }
    let all: Vec<_> = set.after(Some(ip("192.0.2.49"))).collect();
    assert_eq!((all.len(), all[0], all[1]), (10, ip("192.0.2.50"), ip("192.0.2.40")));
}

#[test]
fn ranges_that_cannot_be_meant_are_refused_in_the_familiar_words() {
    let host_bits = "Network has host bits set. For a subnet mask of length ";
    let rows = [
        (whole("192.0.2.12/24"), format!("{host_bits}24 the network address is 192.0.2.0")),
        (whole("192.168.127.0/23"), format!("{host_bits}23 the network address is 192.168.126.0")),
        (
            whole("2001:db8:1::24:19ff:fee1:c44a/64"),
            format!("{host_bits}64 the network address is 2001:db8:1::"),
        ),
        (
            whole("2001:db8:24:19ff::/63"),
            format!("{host_bits}63 the network address is 2001:db8:24:19fe::"),
        ),
        (whole("192.0.2.0/31"), "Network 192.0.2.0/31 too small to allocate from".into()),
        (whole("192.0.2.1/32"), "Network 192.0.2.1/32 too small to allocate from".into()),
        (whole("2001:db8::/127"), "Network 2001:db8::/127 too small to allocate from".into()),
        (
            range("192.0.2.0/24", ["192.0.3.1", "", ""]),
            "RangeStart 192.0.3.1 not in network 192.0.2.0/24".into(),
        ),
        (
            range("192.0.2.0/24", ["", "2001:db8::1", ""]),
            "RangeEnd 2001:db8::1 not in network 192.0.2.0/24".into(),
        ),
        (
            range("192.0.2.0/24", ["192.0.2.50", "192.0.2.40", ""]),
            "RangeEnd 192.0.2.40 not in network 192.0.2.0/24".into(),
        ),
    ];
    for (range, expected) in rows {
        assert_eq!(refusal(&[vec![range]]), Some(expected), "{range:?}");
    }
    assert_eq!(refusal(&[vec![]]), Some("empty range set".into()));
    let mixed = vec![whole("192.0.2.0/24"), whole("2001:db8::/64")];
    assert_eq!(refusal(&[mixed]), Some("mixed address families".into()));
}

#[test]
fn ranges_overlap_whichever_comes_first() {
    let subnet = "192.0.2.0/24";
    let [low, high] = [["", "192.0.2.127", ""], ["192.0.2.128", "", ""]];
    for (one, other, expected) in [
        (whole(subnet), whole("192.0.3.0/24"), false),
        (whole(subnet), whole("2001:db8::/64"), false),
        (whole(subnet), whole(subnet), true),
        (whole("192.0.0.0/20"), whole(subnet), true),
        (range(subnet, low), range(subnet, high), false),
        (range(subnet, low), range(subnet, ["192.0.2.127", "", ""]), true),
    ] {
        for (one, other) in [(one, other), (other, one)] {
            let sets = refusal(&[vec![one], vec![other]]);
            let expected_of_sets = expected.then(|| "range set 0 overlaps with 1".to_owned());
            assert_eq!(sets, expected_of_sets, "{one:?} {other:?}");
            if one.subnet.is_ipv4() == other.subnet.is_ipv4() {
                let text = format!("subnets {} and {} overlap", one.subnet, other.subnet);
                assert_eq!(refusal(&[vec![one, other]]), expected.then_some(text));
            }
        }
    }
}

#[test]
fn a_round_robin_gives_each_address_once_wherever_it_stands() {
    let cidrs = ["10.0.0.0/29", "10.0.1.0/30"].map(|cidr| cidr.parse().unwrap());
    let set = RangeSet::of_pod_cidrs(&cidrs).remove(0);
    let every: BTreeSet<_> = set.after(None).collect();
    assert_eq!(every.len(), 6);
    for last in &every {
        let turn: Vec<_> = set.after(Some(*last)).collect();
        assert_eq!((turn.len(), turn.last()), (6, Some(last)));
        assert_eq!(turn.into_iter().collect::<BTreeSet<_>>(), every, "{last}");
    }
}
