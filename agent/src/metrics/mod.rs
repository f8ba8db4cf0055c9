//! Figures under kube-proxy's names, types, labels and buckets, so that dashboards and alarms made
//! for it go on working.

mod figures;
mod process;
mod requests;
mod triggers;

pub use figures::{Metrics, Policy, Round, family_label};
pub use requests::Requests;
pub use triggers::Triggers;

#[cfg(test)]
mod tests;
