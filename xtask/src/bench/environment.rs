//! What a number depends on beside the variant.

use std::fs;

use serde_json::{Value, json};

use super::{
    metric::{FRAMES, NEW_FLOWS},
    rounds::{Measured, Series},
    testbed::SERVICES,
};

/// The machine, the run, and how full the tables of flows were.
pub(super) fn json(measured: &Measured) -> Value {
    let system = rustix::system::uname();
    json!({
        "kernel": system.release().to_string_lossy(),
        "architecture": system.machine().to_string_lossy(),
        "processor": processor(),
        "processors": std::thread::available_parallelism().map_or(0, usize::from),
        "processorMeasuredOn": measured.cpu,
        "realTimePriority": measured.is_first,
        "version": env!("CARGO_PKG_VERSION"),
        "seed": measured.seed,
        "services": SERVICES,
        "framesPerWindow": {"established_flow": FRAMES, "new_flow": NEW_FLOWS},
        "calibrationFloorNanoseconds": measured.floor,
        "flowTableEntries": flows(measured),
    })
}

/// Entries after each metric, by metric and variant.
fn flows(measured: &Measured) -> Value {
    let of = |series: &Series| -> Value {
        let tracks = series.tracks.iter();
        tracks.map(|track| (track.variant.name().to_owned(), json!(track.flows))).collect()
    };
    let series = measured.series.iter();
    series.map(|series| (series.metric.name().to_owned(), of(series))).collect()
}

/// What the first processor calls itself.
fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
