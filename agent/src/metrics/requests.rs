//! Requests to the API server, as client-go counts them.

use std::time::Duration;

use prometheus::{Error, HistogramOpts, HistogramVec, IntCounterVec, Opts};

/// What stands for the status where there was no answer.
const NO_ANSWER: &str = "<error>";
/// In seconds.
const BUCKETS: [f64; 12] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0];

/// Requests to the API server.
#[derive(Clone, Debug)]
pub struct Requests {
    pub(super) answers: IntCounterVec,
    pub(super) durations: HistogramVec,
}

impl Requests {
    /// None yet.
    pub(super) fn new() -> Result<Self, Error> {
        let help = "Requests to the API server";
        let answers = Opts::new("rest_client_requests_total", help);
        let help = "Time from a request to the API server to the beginning of its answer";
        let durations = HistogramOpts::new("rest_client_request_duration_seconds", help);
        Ok(Self {
            answers: IntCounterVec::new(answers, &["code", "host", "method"])?,
            durations: HistogramVec::new(durations.buckets(BUCKETS.into()), &["host", "verb"])?,
        })
    }

    /// A request of this method to the server at `host` was answered with a status, or not at all.
    pub fn answered(&self, method: &str, host: &str, status: Option<u16>, took: Duration) {
        let code = status.map_or_else(|| NO_ANSWER.to_owned(), |status| status.to_string());
        self.answers.with_label_values(&[&*code, host, method]).inc();
        self.durations.with_label_values(&[host, method]).observe(took.as_secs_f64());
    }
}
