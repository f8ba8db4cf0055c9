//! The minutes that each tier may take: read from docs/testing.md, so that there is one place.

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, Result, ensure};

use crate::workspace;

/// What the whole of CI may take on two cores.
const LIMIT: f64 = 45.0;

/// The budget by tier.
pub(crate) fn read() -> Result<BTreeMap<String, f64>> {
    let path = workspace::root().join("docs/testing.md");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let budget = parse(&text);
    let sum: f64 = budget.values().sum();
    ensure!(!budget.is_empty(), "{} has no table of minutes per tier", path.display());
    ensure!(sum <= LIMIT, "{}: the tiers take {sum} minutes, over {LIMIT}", path.display());
    Ok(budget)
}

/// The rows `| name | minutes | … |` of any table.
fn parse(text: &str) -> BTreeMap<String, f64> {
    text.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<(String, f64)> {
    let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
    let (name, minutes) = (cells.next()?, cells.next()?);
    Some((name.trim_matches('`').to_owned(), minutes.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{parse, read};
    use crate::test::tier::Tier;

    #[test]
    fn rows_with_minutes_are_read() {
        let text = "# Tests\n| tier | minutes | what |\n|---|---|---|\n| `unit` | 3.5 | all |\n";
        assert_eq!(parse(text), [("unit".to_owned(), 3.5)].into());
    }

    #[test]
    fn every_tier_has_a_budget() {
        let budget = read().unwrap();
        for tier in Tier::ALL {
            assert!(budget.contains_key(tier.name()), "{tier:?}");
        }
    }
}
