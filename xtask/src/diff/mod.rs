//! The judge: Waggle and kube-proxy side by side, asked the same by real packets, answer by answer.

#![expect(dead_code, reason = "the run that uses it comes with the generator")]

mod island;
mod option;
mod origins;
mod places;
mod probe;
mod prober;
mod sockets;
mod tally;
mod wire;

use anyhow::Result;

/// Runs the node's own sender, if `arguments` (without the program) name it.
pub(crate) fn run_inside(arguments: &[String]) -> Option<Result<()>> {
    (arguments == [sockets::WORKER]).then(sockets::work)
}
