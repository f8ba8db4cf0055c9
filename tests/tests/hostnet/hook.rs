//! A program is attached once, by whichever mechanism, replaced in place, and outlives whoever
//! attached it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Result;
use dataplane_common::abi::names::{FROM_POD, TO_POD};
use hostnet::hook::{Choice, Direction, Mechanism, pinned, pinned_at, prune};

use super::bench::{
    DEVICE, attach, attached, delete_device, detach, ip, make_device, on_bench, pin_programs,
};

const WAYS: [(Choice, Mechanism); 2] =
    [(Choice::Best, Mechanism::Tcx), (Choice::Filter, Mechanism::Filter)];

#[test]
fn a_program_is_attached_replaced_and_detached_by_either_mechanism() -> Result<()> {
    on_bench(|bpf: &Path| {
        let pins = pin_programs(bpf)?;
        let index = Some(make_device()?.index);
        for (choice, mechanism) in WAYS {
            for program in [FROM_POD, FROM_POD, TO_POD] {
                assert_eq!(attach(&pins, program, choice)?, mechanism);
                assert_eq!(attached(&pins)?, [(mechanism, index, program)]);
            }
            assert!(detach(&pins)?);
            assert_eq!(attached(&pins)?, []);
            assert!(!detach(&pins)?, "again");
        }
        Ok(())
    })
}

#[test]
fn another_choice_takes_the_place_of_the_one_before() -> Result<()> {
    on_bench(|bpf: &Path| {
        let pins = pin_programs(bpf)?;
        let index = Some(make_device()?.index);
        for (choice, mechanism) in [WAYS[0], WAYS[1], WAYS[0]] {
            assert_eq!(attach(&pins, FROM_POD, choice)?, mechanism);
            assert_eq!(attached(&pins)?, [(mechanism, index, FROM_POD)]);
        }
        Ok(())
    })
}

#[test]
fn the_link_of_a_device_that_is_gone_is_replaced_by_the_new_devices() -> Result<()> {
    on_bench(|bpf: &Path| {
        let pins = pin_programs(bpf)?;
        let gone = make_device()?.index;
        attach(&pins, FROM_POD, Choice::Best)?;
        delete_device()?;
        let left = (Mechanism::Tcx, None, FROM_POD);
        assert_eq!(attached(&pins)?, [left], "the pin is left");
        let index = Some(make_device()?.index);
        attach(&pins, FROM_POD, Choice::Best)?;
        assert_eq!(attached(&pins)?, [left, (Mechanism::Tcx, index, FROM_POD)]);
        assert!(prune(&pins, gone, Direction::Ingress)?);
        assert_eq!(attached(&pins)?, [(Mechanism::Tcx, index, FROM_POD)]);
        assert!(!prune(&pins, gone, Direction::Ingress)?, "again");
        Ok(())
    })
}

#[test]
fn a_pin_is_never_taken_for_one_of_another_device_with_its_index() -> Result<()> {
    on_bench(|bpf: &Path| {
        let pins = pin_programs(bpf)?;
        let add = format!("link add {DEVICE} index 77 type veth peer name peer");
        for _ in 0..2 {
            ip(&add)?;
            assert!(attached(&pins)?.iter().all(|(_, index, _)| index.is_none()));
            attach(&pins, FROM_POD, Choice::Best)?;
            assert_eq!(attached(&pins)?, [(Mechanism::Tcx, Some(77), FROM_POD)]);
            delete_device()?;
        }
        ip(&add)?;
        attach(&pins, FROM_POD, Choice::Best)?;
        // A pin that names a device which its link is not attached to.
        fs::rename(pins.link(77, Direction::Ingress), pins.link(1, Direction::Ingress))?;
        assert_eq!(attached(&pins)?, [(Mechanism::Tcx, None, FROM_POD)]);
        Ok(())
    })
}

#[test]
fn a_renamed_device_keeps_its_program_and_another_may_take_its_name() -> Result<()> {
    on_bench(|bpf: &Path| {
        let pins = pin_programs(bpf)?;
        let devices = || -> Result<Vec<_>> {
            Ok(pinned(&pins)?.into_iter().map(|pinned| (pinned.index, pinned.device)).collect())
        };
        let first = make_device()?.index;
        attach(&pins, FROM_POD, Choice::Best)?;
        ip(&format!("link set {DEVICE} down"))?;
        ip(&format!("link set {DEVICE} name lan0"))?;
        let renamed = (first, Some("lan0".to_owned()));
        assert_eq!(devices()?, std::slice::from_ref(&renamed));
        ip(&format!("link add {DEVICE} index 77 type veth peer name other"))?;
        attach(&pins, FROM_POD, Choice::Best)?;
        assert_eq!(devices()?, [renamed, (77, Some(DEVICE.to_owned()))]);
        Ok(())
    })
}

#[test]
fn a_pin_that_goes_while_pins_are_listed_is_none() -> Result<()> {
    on_bench(|bpf: &Path| {
        let pins = pin_programs(bpf)?;
        let index = Some(make_device()?.index);
        attach(&pins, FROM_POD, Choice::Best)?;
        // A name that leads to nothing looks like a pin that went after it was listed.
        symlink("gone", pins.link(1, Direction::Ingress))?;
        assert_eq!(attached(&pins)?, [(Mechanism::Tcx, index, FROM_POD)]);
        assert_eq!(pinned_at(&pins, 1, Direction::Ingress)?, None);
        Ok(())
    })
}

#[test]
fn what_is_missing_is_named() -> Result<()> {
    on_bench(|bpf: &Path| {
        let pins = pin_programs(bpf)?;
        assert!(!detach(&pins)?, "no device, nothing attached");
        for (choice, _) in WAYS {
            let error = attach(&pins, FROM_POD, choice).unwrap_err();
            assert!(error.is_absent(), "{error}");
        }
        make_device()?;
        let error = attach(&pins, "nothing", Choice::Best).unwrap_err();
        assert!(error.is_absent() && error.to_string().contains("programs/nothing"), "{error}");
        Ok(())
    })
}
