//! The qdisc of filters goes with the last of them, whosever that is.

use std::process::Command;

use anyhow::{Result, ensure};
use dataplane_common::abi::names::FROM_POD;
use hostnet::hook::{Choice, delete_unused_qdisc};
use hostnet::{Netlink, link};

use super::bench::{DEVICE, attach, block_on, detach, make_device, on_bench, pin_programs};

fn tc(line: &str) -> Result<String> {
    let output = Command::new("tc").args(line.split(' ')).output()?;
    ensure!(output.status.success(), "tc {line}: {output:?}");
    Ok(String::from_utf8(output.stdout)?)
}

/// Whether the device has a qdisc of a kind.
fn has(kind: &str) -> Result<bool> {
    Ok(tc(&format!("qdisc show dev {DEVICE}"))?.contains(&format!("qdisc {kind} ")))
}

fn delete_unused() -> Result<bool> {
    block_on(async {
        let netlink = Netlink::here()?;
        let link = link::require(&netlink, DEVICE).await?;
        Ok(delete_unused_qdisc(&netlink, &link).await?)
    })
}

#[test]
fn a_qdisc_goes_when_no_filter_is_left() -> Result<()> {
    on_bench(|bpf| {
        let pins = pin_programs(bpf)?;
        make_device()?;
        attach(&pins, FROM_POD, Choice::Filter)?;
        assert_eq!((delete_unused()?, has("clsact")?), (false, true), "ours is there");
        detach(&pins)?;
        assert_eq!((delete_unused()?, has("clsact")?), (true, false));
        assert!(!delete_unused()?, "again");
        attach(&pins, FROM_POD, Choice::Filter)?;
        assert!(has("clsact")?, "it is made anew");
        Ok(())
    })
}

#[test]
fn a_filter_of_somebody_else_keeps_the_qdisc() -> Result<()> {
    on_bench(|bpf| {
        let pins = pin_programs(bpf)?;
        make_device()?;
        let program = pins.program(FROM_POD);
        let foreign = format!("prio 7 bpf direct-action object-pinned {}", program.display());
        for direction in ["ingress", "egress"] {
            attach(&pins, FROM_POD, Choice::Filter)?;
            tc(&format!("filter add dev {DEVICE} {direction} {foreign}"))?;
            detach(&pins)?;
            assert_eq!((delete_unused()?, has("clsact")?), (false, true), "{direction}");
            assert!(tc(&format!("filter show dev {DEVICE} {direction}"))?.contains("pref 7 bpf"));
            tc(&format!("filter delete dev {DEVICE} {direction}"))?;
            assert_eq!((delete_unused()?, has("clsact")?), (true, false), "{direction}");
        }
        Ok(())
    })
}

#[test]
fn a_qdisc_of_another_kind_at_the_same_place_stays() -> Result<()> {
    on_bench(|_| {
        make_device()?;
        tc(&format!("qdisc add dev {DEVICE} ingress"))?;
        assert_eq!((delete_unused()?, has("ingress")?), (false, true));
        Ok(())
    })
}
