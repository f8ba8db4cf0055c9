//! What makes the windows of one metric in one testbed, prepared once so that a round holds little
//! beside them.

use anyhow::Result;

use super::{
    calibration::calibrate,
    cpu,
    gate::Window,
    generator::{Generator, Sink},
    testbed::Testbed,
    transactions::Client,
};

/// Frames sent just before a window, so that caches are not those of another node.
const WARM_UP: u32 = 256;

/// The first source port of flows that begin.
pub(super) const FIRST_PORT: u16 = 20_000;

/// Flows that begin before the tables of flows are emptied and the ports begin again: far below
/// what the tables hold.
const MOST_FLOWS: u32 = 40_000;

/// A source of windows.
pub(super) enum Probe<'a> {
    /// Frames of one flow, or each of a flow of its own.
    Frames(Frames<'a>),
    /// Requests over TCP.
    Client(Client),
}

/// Frames from the client pod to where they are counted.
pub(super) struct Frames<'a> {
    testbed: &'a Testbed<'a>,
    generator: Generator,
    sink: Sink,
    /// In a window.
    count: u32,
    /// Flows that have begun since the tables were emptied.
    begun: u32,
    cpu: usize,
}

impl Probe<'_> {
    /// Measures once.
    pub(super) fn window(&mut self) -> Result<Window> {
        match self {
            Self::Frames(frames) => frames.window(),
            Self::Client(client) => client.window(),
        }
    }
}

impl<'a> Frames<'a> {
    /// So many frames in each window.
    pub(super) fn new(
        testbed: &'a Testbed<'a>,
        generator: Generator,
        count: u32,
        cpu: usize,
    ) -> Result<Self> {
        Ok(Self { testbed, generator, sink: testbed.sink()?, count, begun: 0, cpu })
    }

    fn window(&mut self) -> Result<Window> {
        self.renew()?;
        let earlier = self.sink.arrived()?;
        let mut window = self.testbed.client().run(|| self.send())??;
        // Some are lost where another processor happened to be at the node's end of the link and
        // so took part in the work.
        window.is_whole = self.sink.arrived()? - earlier == u64::from(WARM_UP + self.count);
        Ok(window)
    }

    fn send(&self) -> Result<Window> {
        cpu::claim(self.cpu)?;
        self.generator.send(WARM_UP)?;
        let before = calibrate();
        let value = f64::from(self.generator.send(self.count)?);
        Ok(Window::whole(value, before, calibrate()))
    }

    /// Lets flows be new again when there were many.
    fn renew(&mut self) -> Result<()> {
        if !self.generator.begins_flows() {
            return Ok(());
        }
        self.begun += WARM_UP + self.count;
        if self.begun > MOST_FLOWS {
            self.testbed.forget_flows()?;
            self.generator.begin_at(FIRST_PORT)?;
            self.begun = WARM_UP + self.count;
        }
        Ok(())
    }
}
