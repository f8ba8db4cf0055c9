//! What is left to chance, and how much of it is tried.

use anyhow::{Result, ensure};

use super::tier::Tier;

/// For the tiers that choose at random.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Of tiers that choose at random")]
pub(crate) struct Chance {
    /// Repeats what an earlier run chose: the objects of `diff`, the moments of `netns` and `cni`.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Has `cni` and `netns` kill the CNI plugin at every instant and 1,000 times at random, not at
    /// every fifth and 50 times.
    #[arg(long)]
    full: bool,
}

impl Chance {
    /// Refuses what no tier of those named heeds.
    pub(super) fn check(self, tiers: &[Tier]) -> Result<()> {
        let has_cni = tiers.iter().any(|tier| tier.has_cni());
        ensure!(
            !self.full || has_cni,
            "--full is of `cni`, which is not named: run `cargo xtask test cni --full`"
        );
        ensure!(
            self.seed.is_none() || has_cni || tiers.contains(&Tier::Diff),
            "--seed is of `cni`, `netns` and `diff`, none of which is named: run `cargo xtask test \
             cni --seed …`"
        );
        Ok(())
    }

    /// As the privileged suites read it.
    pub(super) fn variables(self) -> Vec<(&'static str, String)> {
        let seed = self.seed.map(|seed| ("WAGGLE_SEED", seed.to_string()));
        seed.into_iter().chain(self.full.then(|| ("WAGGLE_FULL", "1".to_owned()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Chance, Tier};

    #[test]
    fn options_that_no_tier_heeds_are_refused() {
        let (full, seed) =
            (Chance { full: true, seed: None }, Chance { full: false, seed: Some(7) });
        let rows: [(Chance, &[Tier], bool); 8] = [
            (full, &[Tier::Cni], true),
            (full, &[Tier::Unit, Tier::Netns], true),
            (full, &[Tier::Diff], false),
            (seed, &[Tier::Cni], true),
            (seed, &[Tier::Diff], true),
            (seed, &[Tier::Unit, Tier::Programs], false),
            (Chance::default(), &[Tier::Unit], true),
            (full, Tier::ALL, true),
        ];
        for (chance, tiers, expected) in rows {
            assert_eq!(chance.check(tiers).is_ok(), expected, "{chance:?} {tiers:?}");
        }
    }

    #[test]
    fn suites_are_told_only_what_was_said() {
        assert_eq!(Chance::default().variables(), []);
        let whole = Chance { full: true, seed: Some(7) };
        let expected = [("WAGGLE_SEED", "7".to_owned()), ("WAGGLE_FULL", "1".to_owned())];
        assert_eq!(whole.variables(), expected);
    }
}
