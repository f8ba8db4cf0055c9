//! An endpoint leaves a Service while requests come, and none fails.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use xtask::cluster::PATIENCE;

use super::{BEAT, Board, Stage, WEB, Way, all_answered};
use crate::demo::stage;

/// Rounds before the edit.
const BEFORE: u32 = 30;

/// Rounds without the pod after which it counts as gone: one in three would be its own.
const QUIET: u32 = 30;

pub(super) fn play(stage: &mut Stage<'_>, board: &mut Board) -> Result<String> {
    let [stays, also_stays, leaves] = stage::WEB;
    let (client, interrupt, ways) = (stage.client()?, stage.interrupt(), WEB.ways());
    let mut gone_after = Duration::ZERO;
    board.begin(ways.iter().map(Way::label));
    client.run(|| {
        let (mut round, mut quiet, mut edited) = (0, 0, None::<Instant>);
        while quiet < QUIET {
            round += 1;
            if round == BEFORE {
                stage.set_endpoints(WEB.name, &[stays, also_stays])?;
                edited = Some(Instant::now());
            }
            let mut seen = false;
            for (row, way) in ways.iter().enumerate() {
                let outcome = way.ask();
                seen |= outcome.as_ref().is_ok_and(|server| server == leaves);
                board.count(row, outcome);
            }
            if let Some(edited) = edited {
                quiet = if seen { 0 } else { quiet + 1 };
                if seen {
                    gone_after = edited.elapsed();
                }
                ensure!(edited.elapsed() < PATIENCE, "{leaves} still answers after {PATIENCE:?}");
            }
            interrupt.pause(BEAT)?;
        }
        Ok(())
    })??;
    let total = all_answered(&board.end())?;
    Ok(format!(
        "{leaves} taken out of the YAML, last answer {} ms later; {total} requests meanwhile, \
         none failed",
        gone_after.as_millis()
    ))
}
