//! The agent without a kernel: objects and files in, maps out.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what is unexpected fails the test")]

mod capacity;
mod churn;
mod counts;
mod flows;
mod health;
mod kube;
mod manifests;
mod order;
mod restart;
mod scenarios;
mod support;
mod udp_rechoice;
mod upstream;
