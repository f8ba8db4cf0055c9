//! The judge: Waggle and kube-proxy side by side, asked the same by real packets, answer by answer.

#![expect(dead_code, reason = "the run that uses it comes with the generator")]

mod island;
mod places;
mod probe;
