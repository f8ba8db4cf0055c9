//! A program is attached once, by whichever mechanism, replaced in place, and outlives whoever
//! attached it.

use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Result;
use dataplane_common::abi::names::{FROM_POD, TO_POD};
use hostnet::hook::{Choice, Direction, Mechanism, pinned_at};

use super::bench::{attach, attached, delete_device, detach, make_device, on_bench, pin_programs};

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
        make_device()?;
        attach(&pins, FROM_POD, Choice::Best)?;
        delete_device()?;
        assert_eq!(attached(&pins)?, [(Mechanism::Tcx, None, FROM_POD)], "the pin is left");
        let index = Some(make_device()?.index);
        attach(&pins, FROM_POD, Choice::Best)?;
        assert_eq!(attached(&pins)?, [(Mechanism::Tcx, index, FROM_POD)]);
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
        symlink("gone", pins.link("dev1", Direction::Ingress))?;
        assert_eq!(attached(&pins)?, [(Mechanism::Tcx, index, FROM_POD)]);
        assert_eq!(pinned_at(&pins, "dev1", Direction::Ingress)?, None);
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
