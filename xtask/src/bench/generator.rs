//! The programs at both ends: one writes frames and sends them, one counts and drops them.

use anyhow::Result;

use super::{
    bpf::{Kind, Link, Number, Program},
    frame::{BALANCE, Frame, LENGTH, SOURCE_PORT},
    instruction::{Assembly, R0, R1, R2, R3, R4, R5},
};

const REDIRECT: i32 = 23;
const XDP_ABORTED: i32 = 0;
const TCX_NEXT: i32 = -1;
const TCX_DROP: i32 = 2;

/// A number of frames that leave by a device.
#[derive(Debug)]
pub(super) struct Generator {
    program: Program,
    frame: [u8; LENGTH],
    /// The next flow's source port, if each frame begins one.
    next: Option<Number>,
}

impl Generator {
    /// The same frame each time.
    pub(super) fn one_flow(frame: &Frame, device: u32) -> Result<Self> {
        Self::load(frame, device, Assembly::default(), None)
    }

    /// A source port of its own for each frame, upwards from the frame's.
    pub(super) fn many_flows(frame: &Frame, device: u32) -> Result<Self> {
        let next = Number::new()?;
        next.set(u64::from(frame.from.port()))?;
        Self::load(frame, device, next_port(&next), Some(next))
    }

    fn load(frame: &Frame, device: u32, change: Assembly, next: Option<Number>) -> Result<Self> {
        let frame = frame.bytes();
        let program = Program::load(Kind::Xdp, &writer(&frame, device, change))?;
        Ok(Self { program, frame, next })
    }

    /// Whether each frame is the first of a flow.
    pub(super) fn begins_flows(&self) -> bool {
        self.next.is_some()
    }

    /// The source port of the next flow that begins.
    pub(super) fn begin_at(&self, port: u16) -> Result<()> {
        self.next.as_ref().map_or(Ok(()), |next| next.set(u64::from(port)))
    }

    /// Sends from a device of this thread's network namespace; nanoseconds for each frame.
    pub(super) fn send(&self, count: u32) -> Result<u32> {
        self.program.run_live(&self.frame, count)
    }
}

/// Writes the whole frame each time, since a page comes back as its last journey left it.
fn writer(frame: &[u8; LENGTH], device: u32, change: Assembly) -> Assembly {
    let mut body = Assembly::default();
    for (offset, word) in (0..).step_by(4).zip(frame.chunks_exact(4)) {
        body = body.store_word(R2, offset, [word[0], word[1], word[2], word[3]]);
    }
    let body = body.then(change).set(R1, device.cast_signed()).set(R2, 0).call(REDIRECT).exit();
    let skipped = i16::try_from(body.0.len()).unwrap_or(i16::MAX);
    Assembly::default()
        .load_word(R2, R1, 0)
        .load_word(R3, R1, 4)
        .copy(R4, R2)
        .add(R4, 60)
        .skip_if_greater(R4, R3, skipped)
        .then(body)
        .set(R0, XDP_ABORTED)
        .exit()
}

/// Takes a source port and sets the balance, which leaves the checksum as it is.
fn next_port(next: &Number) -> Assembly {
    let at = |offset: usize| i16::try_from(offset).unwrap_or(i16::MAX);
    Assembly::default()
        .point(R5, next.descriptor())
        .load_double(R4, R5)
        .set(R3, 1)
        .count(R5, R3)
        .swap_to_network(R4)
        .store_half(R2, at(SOURCE_PORT), R4)
        .flip(R4, 0xffff)
        .store_half(R2, at(BALANCE), R4)
}

/// The end of the frames' journey.
#[derive(Debug)]
pub(super) struct Sink {
    arrived: Number,
    #[expect(dead_code, reason = "detaches when dropped")]
    link: Link,
}

impl Sink {
    /// Takes the frames that reach a device of this thread's network namespace; all else passes.
    pub(super) fn attach(device: u32) -> Result<Self> {
        let arrived = Number::new()?;
        let code = Assembly::default()
            .load_word(R2, R1, 0)
            .skip_unless(R2, 60, 6)
            .point(R3, arrived.descriptor())
            .set(R4, 1)
            .count(R3, R4)
            .set(R0, TCX_DROP)
            .exit()
            .set(R0, TCX_NEXT)
            .exit();
        let link = Program::load(Kind::SchedClassifier, &code)?.attach(device)?;
        Ok(Self { arrived, link })
    }

    /// How many have arrived so far.
    pub(super) fn arrived(&self) -> Result<u64> {
        self.arrived.get()
    }
}
