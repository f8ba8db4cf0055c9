//! What was found, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    agent_start::{Source, Start},
    environment,
    gate::{Gate, Window},
    rounds::{Measured, Series, Track},
    statistics::{Estimate, Spread},
};

/// One metric of one variant.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    name: &'static str,
    variant: &'static str,
    unit: &'static str,
    /// Nothing, if too few windows were quiet.
    spread: Option<Spread>,
    /// Windows that were quiet, and all.
    windows: [usize; 2],
    /// How much slower than its round the metric's quiet windows were at most, in percent.
    tolerance: Option<u64>,
    ratio: Option<Ratio>,
}

/// How a variant compares with another one.
#[derive(Clone, Debug, PartialEq)]
struct Ratio {
    to: &'static str,
    /// Of the ratios of each round.
    estimate: Estimate,
    of_medians: f64,
}

impl Row {
    /// Values that nothing is compared with; name, variant and unit.
    pub(super) fn of_values([name, variant, unit]: [&'static str; 3], values: Vec<f64>) -> Self {
        let windows = [values.len(); 2];
        let spread = Spread::of(values);
        Self { name, variant, unit, spread, windows, tolerance: None, ratio: None }
    }

    /// Windows that are compared, round by round, with those of a reference, which has a name.
    pub(super) fn of_windows(
        [name, variant, unit]: [&'static str; 3],
        gate: Option<Gate>,
        windows: &[Window],
        reference: (&'static str, &[Window]),
    ) -> Self {
        let values = gate.map_or(Vec::new(), |gate| gate.values(windows));
        Self {
            name,
            variant,
            unit,
            windows: [values.len(), windows.len()],
            spread: Spread::of(values),
            tolerance: gate.map(|gate| gate.tolerance),
            ratio: gate.and_then(|gate| ratio(gate, windows, reference)),
        }
    }

    /// The metric's name.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }
}

/// A row for each metric and variant.
pub(super) fn rows(measured: &Measured) -> Vec<Row> {
    let of = |series| move |track| row(series, track);
    let windows = measured.series.iter().flat_map(|series| series.tracks.iter().map(of(series)));
    windows.chain(starts(&measured.starts)).chain(measured.others.iter().cloned()).collect()
}

fn row(series: &Series, track: &Track) -> Row {
    let Series { metric, gate, .. } = series;
    let names = [metric.name(), track.variant.name(), metric.unit()];
    let reference = (metric.reference().name(), series.reference());
    Row::of_windows(names, *gate, &track.windows, reference)
}

fn ratio(
    gate: Gate,
    windows: &[Window],
    (to, reference): (&'static str, &[Window]),
) -> Option<Ratio> {
    let median = |windows: &[Window]| Some(Spread::of(gate.values(windows))?.median);
    Some(Ratio {
        to,
        estimate: Estimate::of(gate.pairs(windows, reference))?,
        of_medians: median(windows)? / median(reference)?,
    })
}

/// A number of a start.
type OfStart = fn(&Start) -> f64;

fn starts(starts: &[Start]) -> Vec<Row> {
    let row = |name, unit, value: OfStart, source: Source| {
        let starts = starts.iter().filter(|start| start.source == source);
        Row::of_values([name, source.name(), unit], starts.map(value).collect())
    };
    let metrics: [(_, _, OfStart); 3] = [
        ("agent_start_10000_services", "s", |start| start.seconds),
        ("agent_start_10000_services_processor", "s", |start| start.processor_seconds),
        ("agent_start_10000_services_memory", "MiB", |start| start.mebibytes),
    ];
    if starts.is_empty() {
        return Vec::new();
    }
    let of = |(name, unit, value)| Source::ALL.map(|source| row(name, unit, value, source));
    metrics.into_iter().flat_map(of).collect()
}

/// Rows without a value.
pub(super) fn missing(rows: &[Row]) -> Vec<String> {
    let missing = rows.iter().filter(|row| row.spread.is_none());
    missing.map(|row| format!("{} of {}", row.name, row.variant)).collect()
}

/// What is kept of a run.
pub(super) fn json(rows: &[Row], measured: &Measured) -> Value {
    let metrics: Vec<Value> = rows.iter().map(metric).collect();
    json!({"metrics": metrics, "environment": environment::json(measured)})
}

fn metric(row: &Row) -> Value {
    let Row { name, variant, unit, spread, windows: [quiet, all], tolerance, ratio } = row;
    let ratio = ratio.as_ref();
    json!({
        "name": name,
        "variant": variant,
        "unit": unit,
        "median": spread.map(|spread| spread.median),
        "low": spread.map(|spread| spread.low),
        "high": spread.map(|spread| spread.high),
        "ratio_to": ratio.map(|ratio| ratio.to),
        "ratio": ratio.map(|ratio| ratio.estimate.median),
        "ratio_low": ratio.map(|ratio| ratio.estimate.low),
        "ratio_high": ratio.map(|ratio| ratio.estimate.high),
        "ratio_of_medians": ratio.map(|ratio| ratio.of_medians),
        "tolerance_percent": tolerance,
        "windows": {"quiet": quiet, "all": all},
    })
}

/// Every window, quiet or not.
pub(super) fn windows(measured: &Measured) -> Value {
    let of = |track: &Track| -> Vec<Value> {
        let window = |window: &Window| {
            let Window { value, before, after, floor: _, is_whole } = window;
            json!({"value": value, "before": before, "after": after, "whole": is_whole})
        };
        track.windows.iter().map(window).collect()
    };
    let track = |series: &Series, track: &Track| {
        let (name, variant) = (series.metric.name(), track.variant.name());
        json!({"name": name, "variant": variant, "windows": of(track)})
    };
    let all = measured.series.iter();
    all.flat_map(|series| series.tracks.iter().map(move |own| track(series, own))).collect()
}

/// The rows for people.
pub(super) fn table(rows: &[Row], measured: &Measured) -> String {
    let Measured { seed, floor, .. } = measured;
    let mut text = format!("seed {seed}, calibration floor {floor} ns\n");
    let mut name = "";
    for row in rows {
        if row.name != name {
            name = row.name;
            let gate = row.tolerance.map_or(String::new(), |percent| format!(", gate {percent} %"));
            let title = format!("{name}, {}{gate}", row.unit);
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  {title:<42}{:>10}{:>18}", "median", "quartiles");
            let _ = writeln!(text, "{:>12}  ratio (95 % interval)", "windows");
        }
        text += &line(row);
    }
    text
}

fn line(row: &Row) -> String {
    let Row { variant, spread, windows: [quiet, all], ratio, .. } = row;
    let (median, quartiles) = spread.map_or(("-".to_owned(), "-".to_owned()), |spread| {
        let quartiles = format!("{}-{}", number(spread.low), number(spread.high));
        (number(spread.median), quartiles)
    });
    let windows = format!("{quiet}/{all}");
    let ratio = ratio.as_ref().map_or(String::new(), comparison);
    format!("    {variant:<40}{median:>10}{quartiles:>18}{windows:>12}{ratio}\n")
}

/// The medians are compared beside it where they say something else.
fn comparison(ratio: &Ratio) -> String {
    let Ratio { to, estimate: Estimate { median, low, high }, of_medians } = ratio;
    let beside = if ratio.estimate.covers(*of_medians) {
        String::new()
    } else {
        format!(", of medians {of_medians:.2}")
    };
    format!("  {median:.2} ({low:.2}-{high:.2}) x {to}{beside}")
}

/// Three digits at least.
fn number(value: f64) -> String {
    if value < 100.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}

#[cfg(test)]
mod tests {
    use super::{json, missing, rows, table};
    use crate::bench::{
        gate::{Gate, Window},
        metric::Metric,
        rounds::{Measured, Series, Track},
        variant::Variant,
    };

    fn track(variant: Variant, value: impl Fn(usize) -> f64) -> Track {
        let window = |round| Window {
            value: value(round),
            before: 1000,
            // Every fifth is slow.
            after: if round % 5 == 0 { 1600 } else { 1000 },
            floor: 1000,
            is_whole: true,
        };
        Track { variant, windows: (0..20).map(window).collect(), flows: 2 }
    }

    /// The machine gets slower with each round; what is compared gets slower alike.
    fn measured(gate: Option<Gate>) -> Measured {
        let pace = |round: usize| f64::from(u32::try_from(round).unwrap()).mul_add(25.0, 500.0);
        let tracks = vec![
            track(Variant::Plain, pace),
            track(Variant::Bypass, move |round| pace(round) * 0.75),
            track(Variant::Stack, move |round| pace(round) * if round > 16 { 0.5 } else { 1.1 }),
        ];
        let series = vec![Series { metric: Metric::Established, gate, tracks }];
        let (starts, others) = (Vec::new(), Vec::new());
        Measured { seed: 7, cpu: 1, is_first: true, floor: 1000, series, starts, others }
    }

    #[test]
    fn ratios_are_those_of_rounds() {
        let measured = measured(Some(Gate::strict()));
        let found = json(&rows(&measured), &measured);
        assert_eq!(
            found["metrics"][1],
            serde_json::json!({
                "name": "established_flow",
                "variant": "waggle-bypass",
                "unit": "ns/packet",
                "median": 562.5,
                "low": 478.125,
                "high": 646.875,
                "ratio_to": "plain",
                "ratio": 0.75,
                "ratio_low": 0.75,
                "ratio_high": 0.75,
                "ratio_of_medians": 0.75,
                "tolerance_percent": 8,
                "windows": {"quiet": 16, "all": 20},
            })
        );
        assert_eq!(found["environment"]["flowTableEntries"]["established_flow"]["plain"], 2);
    }

    #[test]
    fn without_a_gate_there_is_no_value_and_each_variant_is_named() {
        let measured = measured(None);
        let rows = rows(&measured);
        let names = ["plain", "waggle-bypass", "waggle-stack"];
        assert_eq!(missing(&rows), names.map(|name| format!("established_flow of {name}")));
        assert_eq!(json(&rows, &measured)["metrics"][2]["ratio"], serde_json::Value::Null);
    }

    #[test]
    fn the_table_has_a_line_for_each_variant() {
        let measured = measured(Some(Gate::strict()));
        assert_eq!(
            table(&rows(&measured), &measured),
            "seed 7, calibration floor 1000 ns

  established_flow, ns/packet, gate 8 %         median         quartiles     windows  ratio (95 % interval)
    plain                                          750           638-862       16/20  1.00 (1.00-1.00) x plain
    waggle-bypass                                  562           478-647       16/20  0.75 (0.75-0.75) x plain
    waggle-stack                                   729           598-859       16/20  1.10 (1.10-1.10) x plain, of medians 0.97
"
        );
    }
}
