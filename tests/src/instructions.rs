//! The object's instructions: what they need of a kernel before any kernel has seen them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use anyhow::{Context as _, Result};
use aya_obj::Object;
use aya_obj::generated::bpf_insn;

/// What the oldest supported kernel rounds each frame up to.
const FRAME: u32 = 32;

/// A program with every function it calls, in one run of instructions.
#[derive(Debug)]
pub struct Program {
    instructions: Vec<bpf_insn>,
}

/// A place in a program: the index of an instruction.
type Place = usize;

/// The programs of the object, by name.
///
/// # Errors
/// When it is no object of ours.
pub fn programs(file: &[u8]) -> Result<BTreeMap<String, Program>> {
    let mut object = Object::parse(file)?;
    let sections: HashSet<usize> = object.functions.keys().map(|(section, _)| *section).collect();
    object.relocate_calls(&sections)?;
    let mut programs = BTreeMap::new();
    for (name, program) in &object.programs {
        let function = object.functions.get(&program.function_key()).context("no such function")?;
        let instructions = function.instructions.clone();
        programs.insert(name.clone(), Program { instructions });
    }
    Ok(programs)
}

/// The object as a kernel meets it that lacks some helpers: calls of them are of none that any
/// kernel has.
#[must_use]
pub fn without(file: &[u8], helpers: &[i32]) -> Vec<u8> {
    let mut file = file.to_vec();
    let lacked = helpers.iter().map(|helper| call(*helper)).collect::<Vec<_>>();
    for instruction in file.chunks_exact_mut(INSTRUCTION) {
        if lacked.iter().any(|lacked| instruction == lacked) {
            instruction.copy_from_slice(&call(i32::MAX));
        }
    }
    file
}

/// The call of a helper, as it stands in the object.
fn call(helper: i32) -> [u8; INSTRUCTION] {
    let [a, b, c, d] = helper.to_le_bytes();
    [CALL, 0, 0, 0, a, b, c, d]
}

/// Where a function begins and how deep its own frame is.
#[derive(Debug, Default)]
struct Function {
    frame: u32,
    calls: BTreeSet<Place>,
}

impl Program {
    /// Bytes of stack of the deepest chain of calls, as Linux 5.10 counts them.
    #[must_use]
    pub fn stack(&self) -> u32 {
        let functions = self.functions();
        chain(&functions, 0)
    }

    /// The numbers of the helpers it calls.
    #[must_use]
    pub fn helpers(&self) -> BTreeSet<i32> {
        let calls = self.instructions.iter().filter(|insn| insn.code == CALL);
        calls.filter(|insn| insn.src_reg() == 0).map(|insn| insn.imm).collect()
    }

    /// How many kernel functions it calls, which are known by other numbers than helpers.
    #[must_use]
    pub fn kernel_functions(&self) -> usize {
        self.instructions.iter().filter(|insn| insn.code == CALL && insn.src_reg() == 2).count()
    }

    /// How many atomic instructions it has.
    #[must_use]
    pub fn atomics(&self) -> usize {
        self.instructions.iter().filter(|insn| matches!(insn.code, ATOMIC | ATOMIC32)).count()
    }

    fn functions(&self) -> BTreeMap<Place, Function> {
        let calls = |place: Place| {
            let insn = &self.instructions[place];
            (insn.code == CALL && insn.src_reg() == 1).then(|| target(place, insn))
        };
        let mut functions: BTreeMap<Place, Function> = (0..self.instructions.len())
            .filter_map(calls)
            .map(|at| (at, Function::default()))
            .collect();
        functions.insert(0, Function::default());
        for place in 0..self.instructions.len() {
            let Some((_, function)) = functions.range_mut(..=place).next_back() else { continue };
            function.calls.extend(calls(place));
            function.frame = function.frame.max(self.depth(place));
        }
        functions
    }

    /// How far below the frame's top an instruction reaches.
    fn depth(&self, place: Place) -> u32 {
        let insn = &self.instructions[place];
        let load = insn.code & 0x07 == 0x01 && insn.src_reg() == FRAME_POINTER;
        let store = matches!(insn.code & 0x07, 0x02 | 0x03) && insn.dst_reg() == FRAME_POINTER;
        if load || store {
            return below(i32::from(insn.off));
        }
        let copied =
            place.checked_sub(1).map(|before| &self.instructions[before]).is_some_and(|before| {
                before.code == MOVE
                    && before.src_reg() == FRAME_POINTER
                    && before.dst_reg() == insn.dst_reg()
            });
        if copied && insn.code == ADD { below(insn.imm) } else { 0 }
    }
}

const INSTRUCTION: usize = 8;
const CALL: u8 = 0x85;
const MOVE: u8 = 0xbf;
const ADD: u8 = 0x07;
const ATOMIC: u8 = 0xdb;
const ATOMIC32: u8 = 0xc3;
const FRAME_POINTER: u8 = 10;

fn below(offset: i32) -> u32 {
    if offset < 0 { offset.unsigned_abs() } else { 0 }
}

fn target(place: Place, insn: &bpf_insn) -> Place {
    place.wrapping_add(1).wrapping_add_signed(insn.imm as isize)
}

fn chain(functions: &BTreeMap<Place, Function>, from: Place) -> u32 {
    let Some(function) = functions.get(&from) else { return 0 };
    let deepest = function.calls.iter().map(|callee| chain(functions, *callee)).max();
    function.frame.max(1).next_multiple_of(FRAME) + deepest.unwrap_or(0)
}
