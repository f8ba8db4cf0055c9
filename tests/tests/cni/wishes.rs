//! What a runtime asks for: hardware addresses, addresses, ranges.

use std::net::IpAddr;

use anyhow::{Context as _, Result};
use hostnet::{Netlink, link};
use serde_json::{Value, json};

use super::{
    host::{Host, Pod, Traces, block_on, ips},
    plugin::{Call, Said},
};

const BOTH: [&str; 2] = ["10.1.1.0/24", "fd01:1::/64"];

fn call(host: &Host, verb: &str, pod: &Pod, arguments: &str, extra: &Value) -> Call {
    let mut config = host.config("1.0.0");
    for (key, value) in extra.as_object().into_iter().flatten() {
        config[key] = value.clone();
    }
    host.call(verb, pod).with("CNI_ARGS", arguments).input(&config)
}

fn parsed(texts: &[&str]) -> Result<Vec<IpAddr>> {
    texts.iter().map(|text| text.parse().with_context(|| (*text).to_owned())).collect()
}

fn mac(pod: &Pod) -> Result<String> {
    let found = pod
        .inside
        .run(|| block_on(async { Ok(link::require(&Netlink::here()?, "eth0").await?.mac) }))??;
    Ok(found.context("no hardware address")?.to_string())
}

#[test]
fn a_pod_gets_what_the_strongest_asks_for() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let pod = Pod::new("asks")?;
    let arguments = "IgnoreUnknown=1;MAC=02:00:00:00:00:a1;IP=10.1.1.77";
    let args = json!({ "cni": { "mac": "02:00:00:00:00:a2", "ips": ["fd01:1::77/64"] } });
    let runtime = json!({ "mac": "02:00:00:00:00:A3", "ips": ["10.1.1.77"] });
    for (extra, expected_mac, expected) in [
        (json!({}), "02:00:00:00:00:a1", ["10.1.1.77", "fd01:1::2"]),
        (json!({ "args": args }), "02:00:00:00:00:a2", ["10.1.1.77", "fd01:1::77"]),
        (
            json!({ "args": args, "runtimeConfig": runtime }),
            "02:00:00:00:00:a3",
            ["10.1.1.77", "fd01:1::77"],
        ),
    ] {
        // Twice: what is asked for must not make an earlier ADD of ours look like somebody else's.
        for _ in 0..2 {
            let result = host.make(call(&host, "ADD", &pod, arguments, &extra))?.result()?;
            assert_eq!(result["interfaces"][1]["mac"], expected_mac);
            assert_eq!(mac(&pod)?, expected_mac);
            assert_eq!(ips(&result), parsed(&expected)?);
            for ip in ips(&result) {
                host.reaches(&pod, ip)?;
            }
            let check = call(&host, "CHECK", &pod, "", &json!({ "prevResult": result }));
            assert_eq!(host.make(check)?, Said::Done(None));
        }
        assert_eq!(host.make(call(&host, "DEL", &pod, "MAC=bad", &extra))?, Said::Done(None));
        assert_eq!((host.traces()?, host.leases()?.0), (Traces::default(), 0));
    }
    Ok(())
}

#[test]
fn an_add_that_asks_for_another_address_gives_the_first_one_back() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let pod = Pod::new("changes")?;
    let first = ips(&host.add(&pod)?);
    let asked = call(&host, "ADD", &pod, "IP=10.1.1.77", &json!({}));
    let second = ips(&host.make(asked)?.result()?);
    assert_eq!(second[0], parsed(&["10.1.1.77"])?[0]);
    assert_ne!(second[1], first[1]);
    let one_pod = Traces { links: 1, routes: 2, hooks: 2, filters: 0, pods: 2 };
    assert_eq!((host.traces()?, host.leases()?), (one_pod, (1, 2)));
    for ip in second {
        host.reaches(&pod, ip)?;
    }
    Ok(())
}

#[test]
fn what_cannot_be_had_is_refused_and_leaves_nothing() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let (holder, pod) = (Pod::new("holder")?, Pod::new("late")?);
    let asked = |pod: &Pod| call(&host, "ADD", pod, "IP=10.1.1.77", &json!({}));
    host.make(asked(&holder))?.result()?;
    let before = (host.traces()?, host.leases()?);
    let taken = "requested IP address 10.1.1.77 is not available in range set 10.1.1.2-10.1.1.254";
    let ranges = |subnet| json!({ "runtimeConfig": { "ipRanges": [[{ "subnet": subnet }]] } });
    for (arguments, extra, code, start) in [
        ("IP=10.1.1.77", json!({}), 100, taken),
        ("IP=10.1.2.2", json!({}), 7, "failed to allocate all requested IPs: 10.1.2.2"),
        ("IP=10.1.1.1", json!({}), 7, "failed to allocate all requested IPs: 10.1.1.1"),
        ("MAC=broken", json!({}), 4, "invalid CNI_ARGS MAC"),
        ("", ranges("10.9.0.1/24"), 7, "invalid runtimeConfig.ipRanges: Network has host bits set"),
        ("", ranges("10.9.0.0/31"), 7, "invalid runtimeConfig.ipRanges: Network 10.9.0.0/31 too"),
    ] {
        match host.make(call(&host, "ADD", &pod, arguments, &extra))? {
            Said::Failed { code: found, text } => {
                assert_eq!(found, code, "{text}");
                assert!(text.starts_with(start), "{text}");
            }
            other => panic!("{arguments} {extra}: {other:?}"),
        }
        assert_eq!((host.traces()?, host.leases()?), before, "{arguments} {extra}");
    }
    drop(holder);
    host.wait_for_links(0)?;
    let result = host.make(asked(&pod))?.result()?;
    assert_eq!(ips(&result)[0], parsed(&["10.1.1.77"])?[0], "its holder is dead");
    Ok(())
}

#[test]
fn a_pod_gets_an_address_of_each_set_of_ranges() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let pod = Pod::new("ranges")?;
    let ranges = json!([
        [{ "subnet": "10.8.0.0/24", "rangeStart": "10.8.0.40", "rangeEnd": "10.8.0.50" }],
        [{ "subnet": "10.9.0.0/24", "gateway": "10.9.0.254" }],
        [{ "subnet": "fd09::/64" }],
    ]);
    let extra = json!({ "runtimeConfig": { "ipRanges": ranges } });
    let result = host.make(call(&host, "ADD", &pod, "", &extra))?.result()?;
    assert_eq!(ips(&result), parsed(&["10.8.0.40", "10.9.0.1", "fd09::2"])?);
    assert_eq!(result["routes"].as_array().map(Vec::len), Some(2), "one way out for each family");
    for ip in ips(&result) {
        host.reaches(&pod, ip)?;
    }
    let check = call(&host, "CHECK", &pod, "", &json!({ "prevResult": result }));
    assert_eq!(host.make(check)?, Said::Done(None));
    assert_eq!(host.del(&pod)?, Said::Done(None));
    assert_eq!(host.traces()?, Traces::default());
    Ok(())
}

#[test]
fn an_address_that_a_device_of_the_node_has_is_not_given() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    host.ip("addr add 10.1.1.2/32 dev lo")?;
    host.ip("addr add fd01:1::2/128 dev lo")?;
    let pod = Pod::new("skips")?;
    assert_eq!(ips(&host.add(&pod)?), parsed(&["10.1.1.3", "fd01:1::3"])?);
    Ok(())
}

#[test]
fn pods_keep_their_addresses_when_the_node_is_renumbered() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let (old, new) = (Pod::new("old")?, Pod::new("new")?);
    let before = host.add(&old)?;
    host.write_node_file(&["10.1.9.0/24", "fd01:9::/64"], "auto")?;
    assert_eq!(ips(&host.add(&new)?), parsed(&["10.1.9.2", "fd01:9::2"])?);
    assert_eq!(host.add(&old)?, before);
    for ip in ips(&before) {
        host.reaches(&old, ip)?;
    }
    assert_eq!(host.del(&old)?, Said::Done(None));
    let again = Pod::new("again")?;
    assert_eq!(ips(&host.add(&again)?), parsed(&["10.1.9.3", "fd01:9::3"])?);
    Ok(())
}
