//! A node by itself that a proxy serves, asked by packets.

pub(super) mod ground;
pub(super) mod kube_proxy;
mod pods;
pub(super) mod waggle;

use anyhow::{Context as _, Result};
use xtask::topology::{Apart, Netns};

use super::{
    probe::{Outcome, Probe},
    prober::{Forget, Prober},
};

/// A node under test with everything around it, at the addresses of [`super::places`].
///
/// Islands differ in who serves Services and in nothing that a packet could meet. Each may be asked
/// on a thread of its own.
pub(super) trait Island: Send {
    /// Who serves, as reports have it.
    fn name(&self) -> &str;

    /// Begins all flows of all probes, waits until nothing moves any more, and says what became of
    /// them: one outcome for each probe, in their order. Flows of earlier calls are forgotten.
    ///
    /// # Errors
    /// When the island itself fails; whatever a flow meets is an outcome.
    fn probe(&mut self, probes: &[Probe]) -> Result<Vec<Outcome>>;
}

/// An island with the proxy that serves it for as long as it is there.
struct Inhabited<P> {
    name: &'static str,
    prober: Prober,
    #[expect(dead_code, reason = "ends with the island")]
    proxy: P,
}

impl<P> Inhabited<P> {
    fn new(
        name: &'static str,
        apart: &Apart,
        pods: &[Netns],
        forget: Forget,
        proxy: P,
    ) -> Result<Self> {
        let prober = Prober::start(apart, pods, forget);
        let prober = prober.with_context(|| format!("watching {name}"))?;
        Ok(Self { name, prober, proxy })
    }
}

impl<P: Send> Island for Inhabited<P> {
    fn name(&self) -> &str {
        self.name
    }

    fn probe(&mut self, probes: &[Probe]) -> Result<Vec<Outcome>> {
        self.prober.probe(probes).with_context(|| format!("asking the island of {}", self.name))
    }
}
