//! What is measured, and how one window of it goes.

use anyhow::{Result, bail};

use super::{
    calibration::{calibrate, wait_for_quiet},
    catalog::{Catalog, FRESH},
    cpu,
    gate::Window,
    generator::{Generator, Sink},
    testbed::Testbed,
    transactions::{self, Transaction},
    variant::Variant,
};

/// Frames of one flow in a window.
pub(super) const FRAMES: u32 = 30_000;

/// Flows that begin in a window: with all windows they stay below what conntrack tables hold.
pub(super) const NEW_FLOWS: u32 = 4_000;

/// The port of the flow that goes on, and the first of those that begin.
const PORT: u16 = 20_000;

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Metric {
    /// What a packet of a flow costs that was answered before.
    #[value(name = "established_flow")]
    Established,
    /// What the first packet of a flow costs.
    #[value(name = "new_flow")]
    NewFlow,
    /// Requests and answers on one connection.
    #[value(name = "tcp_rr")]
    Requests,
    /// Connections, each with a request and an answer.
    #[value(name = "tcp_crr")]
    Connections,
}

/// All of them, those that leave flows behind last.
pub(super) const ALL: [Metric; 4] =
    [Metric::Established, Metric::Requests, Metric::Connections, Metric::NewFlow];

/// The place of a window.
#[derive(Clone, Copy)]
pub(super) struct Slot<'a> {
    pub(super) testbed: &'a Testbed<'a>,
    /// Where frames end, for metrics that send any.
    pub(super) sink: Option<&'a Sink>,
    pub(super) round: usize,
    pub(super) cpu: usize,
    /// The slowest calibration that counts as quiet.
    pub(super) limit: u64,
}

impl Metric {
    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Established => "established_flow",
            Self::NewFlow => "new_flow",
            Self::Requests => "tcp_rr",
            Self::Connections => "tcp_crr",
        }
    }

    /// What its values count.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::Established | Self::NewFlow => "ns/packet",
            Self::Requests | Self::Connections => "transactions/s",
        }
    }

    /// The variant that the others are compared with.
    pub(super) fn reference(self) -> Variant {
        match self {
            Self::Established | Self::Requests => Variant::Plain,
            Self::NewFlow | Self::Connections => Variant::Nft,
        }
    }

    /// Whether a generator sends frames.
    pub(super) fn is_live(self) -> bool {
        matches!(self, Self::Established | Self::NewFlow)
    }

    /// Most rounds: new flows must not have been there before.
    pub(super) fn rounds(self) -> usize {
        match self {
            Self::NewFlow => FRESH,
            Self::Established | Self::Requests | Self::Connections => 200,
        }
    }

    /// Measures once.
    pub(super) fn window(self, slot: Slot<'_>) -> Result<Window> {
        let Slot { testbed, sink, round, cpu, limit } = slot;
        let device = testbed.client_device();
        let ask = |transaction| {
            let target = testbed.target(Catalog::connections());
            transactions::window(testbed, transaction, target, cpu, limit)
        };
        match (self, sink) {
            (Self::Established, Some(sink)) => {
                testbed.prime(PORT, Catalog::established())?;
                let frame = testbed.frame(PORT, Catalog::established());
                send(slot, sink, &Generator::one_flow(&frame, device)?, FRAMES)
            }
            (Self::NewFlow, Some(sink)) => {
                let frame = testbed.frame(PORT, Catalog::fresh(round));
                send(slot, sink, &Generator::many_flows(&frame, device)?, NEW_FLOWS)
            }
            (Self::Requests, _) => ask(Transaction::Request),
            (Self::Connections, _) => ask(Transaction::Connection),
            (Self::Established | Self::NewFlow, None) => bail!("frames need a sink"),
        }
    }
}

/// Sends frames when it is quiet. Some are lost where another processor happened to be at the node's
/// end of the link and so took part in the work.
fn send(slot: Slot<'_>, sink: &Sink, generator: &Generator, count: u32) -> Result<Window> {
    let Slot { testbed, cpu, limit, .. } = slot;
    let earlier = sink.arrived()?;
    let mut window = testbed.client().run(|| {
        cpu::claim(cpu)?;
        let before = wait_for_quiet(limit);
        let value = f64::from(generator.send(count)?);
        Ok::<_, anyhow::Error>(Window { value, before, after: calibrate(), is_whole: true })
    })??;
    window.is_whole = sink.arrived()? - earlier == u64::from(count);
    Ok(window)
}
