//! What the object is made of, and which kernels can take it.

use std::collections::BTreeSet;

use dataplane_common::abi::{Delivery, NodeConfig, Refusal, names};
use waggle_tests::instructions;
use waggle_tests::object::{Object, file};

/// `bpf_redirect_peer`, the newest helper of Linux 5.10.
const NEWEST_HELPER: i32 = 155;

/// `bpf_set_retval`, which stands behind a branch that older kernels are told not to take.
const SET_RETVAL: i32 = 187;

fn sorted(names: &[&str]) -> Vec<String> {
    let names: BTreeSet<_> = names.iter().map(|name| (*name).to_owned()).collect();
    names.into_iter().collect()
}

#[test]
fn the_object_has_these_maps_and_programs_and_no_others() {
    let object = Object::load(NodeConfig::new(Delivery::Bypass)).unwrap();
    let unpinned = [".rodata", "scratch4", "scratch6"];
    let maps = sorted(&[&names::MAPS[..], &unpinned].concat());
    let programs = [&names::PROGRAMS[..], &names::SOCKET_PROGRAMS].concat();
    assert_eq!(object.contents(), (maps, sorted(&programs)));
}

#[test]
fn no_program_asks_for_more_than_linux_5_10_has() {
    for (name, program) in instructions::programs(&file().unwrap()).unwrap() {
        let newest = program.helpers().into_iter().rfind(|helper| *helper != SET_RETVAL);
        assert!(newest.is_some_and(|newest| newest <= NEWEST_HELPER), "{name} calls {newest:?}");
        assert_eq!(program.kernel_functions(), 0, "{name}: kernel functions, since Linux 5.13");
        assert_eq!(program.atomics(), 0, "{name}: those that give a result are of Linux 5.12");
    }
}

#[test]
fn calls_can_be_refused_in_either_way() {
    for refusal in [Refusal::ClosedPort, Refusal::Error] {
        let config = NodeConfig { refusal: refusal.number(), ..NodeConfig::new(Delivery::Bypass) };
        Object::load(config).unwrap();
    }
}
