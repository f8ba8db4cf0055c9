//! A node by itself that a proxy serves, asked by packets.

use anyhow::Result;

use super::probe::{Outcome, Probe};

/// A node under test with everything around it, at the addresses of [`super::places`].
///
/// Islands differ in who serves Services and in nothing that a packet could meet. Each may be asked
/// on a thread of its own.
pub(super) trait Island: Send {
    /// Who serves, as reports have it.
    fn name(&self) -> &str;

    /// Begins all flows of all probes, waits until nothing moves any more, and says what became of
    /// them: one outcome for each probe, in their order. Flows of earlier calls are forgotten by
    /// netfilter, and no flow has the addresses and ports of an earlier one.
    ///
    /// # Errors
    /// When the island itself fails; whatever a flow meets is an outcome.
    fn probe(&mut self, probes: &[Probe]) -> Result<Vec<Outcome>>;
}
