//! The programs against what `budget.toml` records of them.

use std::collections::BTreeMap;

use dataplane_common::abi::{Delivery, NodeConfig};
use toml_edit::DocumentMut;
use waggle_tests::instructions;
use waggle_tests::object::{Object, file};

/// What the kernel gives a chain of calls.
const STACK: u32 = 512;

/// By program, what it costs.
type Costs = BTreeMap<String, Cost>;

#[derive(Debug, PartialEq, Eq)]
struct Cost {
    verified_instructions: i64,
    stack: i64,
}

fn recorded() -> Costs {
    let document: DocumentMut = include_str!("../../budget.toml").parse().unwrap();
    let number = |table: &toml_edit::Item, key| table.get(key).unwrap().as_integer().unwrap();
    let cost = |table: &toml_edit::Item| Cost {
        verified_instructions: number(table, "verified_instructions"),
        stack: number(table, "stack"),
    };
    document.iter().map(|(program, table)| (program.to_owned(), cost(table))).collect()
}

fn measured() -> Costs {
    let object = Object::load(NodeConfig::new(Delivery::Bypass)).unwrap();
    let programs = instructions::programs(&file().unwrap()).unwrap();
    let cost = |(name, program): (String, instructions::Program)| {
        let info = object.info(&name).unwrap();
        let verified = info.verified_instruction_count().expect("known since Linux 5.16");
        let cost = Cost { verified_instructions: verified.into(), stack: program.stack().into() };
        (name, cost)
    };
    programs.into_iter().map(cost).collect()
}

#[test]
fn no_program_costs_more_than_recorded() {
    let (recorded, measured) = (recorded(), measured());
    let within = |name: &String, cost: &Cost| {
        recorded.get(name).is_some_and(|record| {
            cost.verified_instructions <= record.verified_instructions && cost.stack <= record.stack
        })
    };
    assert!(
        recorded.len() == measured.len() && measured.iter().all(|(name, cost)| within(name, cost)),
        "the programs cost {measured:#?}, but tests/budget.toml records {recorded:#?}. Where a rise \
         is worth it, write the new numbers there and say in the commit what they buy"
    );
}

#[test]
fn every_chain_of_calls_fits_the_stack_of_linux_5_10() {
    for (name, cost) in measured() {
        assert!(cost.stack <= STACK.into(), "{name} takes {} bytes of stack", cost.stack);
    }
}
