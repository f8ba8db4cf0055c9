//! What was found, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    agent_start::Start,
    environment,
    gate::Window,
    metric::Metric,
    rounds::{Measured, Series},
    statistics::Spread,
    variant::Variant,
};

/// One metric of one variant.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    name: &'static str,
    variant: &'static str,
    unit: &'static str,
    /// Nothing, if no window was quiet.
    spread: Option<Spread>,
    /// Windows that were quiet, and all.
    windows: [usize; 2],
    /// The variant that is compared with, and this one's median over that one's.
    ratio: Option<(&'static str, f64)>,
}

/// A row for each metric and variant.
pub(super) fn rows(measured: &Measured) -> Vec<Row> {
    let windows = measured.series.iter().map(|series| row(series, measured));
    windows.chain(starts(&measured.starts)).collect()
}

fn row(series: &Series, measured: &Measured) -> Row {
    let Series { metric, variant, windows, .. } = series;
    let reference = metric.reference();
    let spread = spread(*metric, *variant, measured);
    let ratio = spread.zip(self::spread(*metric, reference, measured));
    Row {
        name: metric.name(),
        variant: variant.name(),
        unit: metric.unit(),
        spread,
        windows: [measured.gate.values(windows).len(), windows.len()],
        ratio: ratio.map(|(own, other)| (reference.name(), own.median / other.median)),
    }
}

fn spread(metric: Metric, variant: Variant, measured: &Measured) -> Option<Spread> {
    let mut all = measured.series.iter();
    let series = all.find(|series| series.metric == metric && series.variant == variant)?;
    Spread::of(measured.gate.values(&series.windows))
}

fn starts(starts: &[Start]) -> Vec<Row> {
    let row = |name, unit, value: fn(&Start) -> f64| Row {
        name,
        variant: "waggle",
        unit,
        spread: Spread::of(starts.iter().map(value).collect()),
        windows: [starts.len(); 2],
        ratio: None,
    };
    if starts.is_empty() {
        return Vec::new();
    }
    vec![
        row("agent_start_10000_services", "s", |start| start.seconds),
        row("agent_start_10000_services_memory", "MiB", |start| start.mebibytes),
    ]
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
    let Row { name, variant, unit, spread, windows: [quiet, all], ratio } = row;
    json!({
        "name": name,
        "variant": variant,
        "unit": unit,
        "median": spread.map(|spread| spread.median),
        "low": spread.map(|spread| spread.low),
        "high": spread.map(|spread| spread.high),
        "ratio_to": ratio.map(|(to, _)| to),
        "ratio": ratio.map(|(_, ratio)| ratio),
        "windows": {"quiet": quiet, "all": all},
    })
}

/// Every window, quiet or not.
pub(super) fn windows(measured: &Measured) -> Value {
    let of = |series: &Series| -> Vec<Value> {
        let window = |window: &Window| {
            let Window { value, before, after, is_whole } = window;
            json!({"value": value, "before": before, "after": after, "whole": is_whole})
        };
        series.windows.iter().map(window).collect()
    };
    let series = measured.series.iter().map(|series| {
        let (name, variant) = (series.metric.name(), series.variant.name());
        json!({"name": name, "variant": variant, "windows": of(series)})
    });
    series.collect()
}

/// The rows for people.
pub(super) fn table(rows: &[Row], measured: &Measured) -> String {
    let (seed, floor) = (measured.seed, measured.gate.floor());
    let mut text = format!("seed {seed}, calibration floor {floor} ns\n");
    let mut name = "";
    for row in rows {
        if row.name != name {
            name = row.name;
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  {:<32}{:>10}", format!("{name}, {}", row.unit), "median");
            let _ = writeln!(text, "{:>20}{:>10}  ratio", "quartiles", "windows");
        }
        text += &line(row);
    }
    text
}

fn line(row: &Row) -> String {
    let Row { variant, spread, windows: [quiet, all], ratio, .. } = row;
    let Some(Spread { median, low, high }) = spread else {
        let windows = format!("{quiet}/{all}");
        return format!("    {variant:<30}{:>10}{:>20}{windows:>10}\n", "-", "-");
    };
    let quartiles = format!("{}-{}", number(*low), number(*high));
    let ratio = ratio.map_or(String::new(), |(to, ratio)| format!("{ratio:.2} x {to}"));
    let windows = format!("{quiet}/{all}");
    format!("    {variant:<30}{:>10}{quartiles:>20}{windows:>10}  {ratio}\n", number(*median))
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
        rounds::{Measured, Series},
        variant::Variant,
    };

    fn series(variant: Variant, values: &[(f64, u64)]) -> Series {
        let window = |(value, calibration): &(f64, u64)| Window {
            value: *value,
            before: 1000,
            after: *calibration,
            is_whole: true,
        };
        let windows = values.iter().map(window).collect();
        Series { metric: Metric::Established, variant, windows, flows: [0, 2] }
    }

    fn measured() -> Measured {
        let series = vec![
            series(Variant::Plain, &[(500.0, 1000), (900.0, 1600), (520.0, 1001)]),
            series(Variant::Bypass, &[(408.0, 1000)]),
            series(Variant::Stack, &[(700.0, 1500)]),
        ];
        let (gate, starts) = (Gate::new(1000), Vec::new());
        Measured { seed: 7, cpu: 1, is_first: true, gate, series, starts }
    }

    #[test]
    fn medians_of_quiet_windows_are_compared_with_the_reference() {
        let measured = measured();
        let found = json(&rows(&measured), &measured);
        assert_eq!(
            found["metrics"][1],
            serde_json::json!({
                "name": "established_flow",
                "variant": "waggle-bypass",
                "unit": "ns/packet",
                "median": 408.0,
                "low": 408.0,
                "high": 408.0,
                "ratio_to": "plain",
                "ratio": 0.8,
                "windows": {"quiet": 1, "all": 1},
            })
        );
        assert_eq!(found["environment"]["flowTableEntries"]["established_flow"]["plain"][1], 2);
    }

    #[test]
    fn a_variant_without_a_quiet_window_has_no_value_and_is_named() {
        let measured = measured();
        let rows = rows(&measured);
        assert_eq!(missing(&rows), ["established_flow of waggle-stack"]);
        assert_eq!(json(&rows, &measured)["metrics"][2]["median"], serde_json::Value::Null);
    }

    #[test]
    fn the_table_has_a_line_for_each_variant() {
        let measured = measured();
        assert_eq!(
            table(&rows(&measured), &measured),
            "seed 7, calibration floor 1000 ns

  established_flow, ns/packet         median           quartiles   windows  ratio
    plain                                510             505-515       2/3  1.00 x plain
    waggle-bypass                        408             408-408       1/1  0.80 x plain
    waggle-stack                           -                   -       0/1
"
        );
    }
}
