//! Failures of earlier runs, kept in `rows/` and replayed first.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::{
    feature::Profile,
    setting::Setting,
    state::{Object, State},
};
use crate::workspace;

/// States that are shown one after the other, each of which is judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Row {
    /// What differed when it was found.
    pub(super) found: String,
    /// How the islands were configured.
    pub(super) setting: Setting,
    /// Those of that run, which say what is probed.
    pub(super) features: Profile,
    states: Vec<Vec<Object>>,
}

impl Row {
    /// A row of some states.
    pub(super) fn new(found: &str, setting: Setting, features: &Profile, states: &[State]) -> Self {
        let states = states.iter().map(State::objects).collect();
        Self { found: found.to_owned(), setting, features: features.clone(), states }
    }

    /// Its states.
    pub(super) fn states(&self) -> Vec<State> {
        self.states.iter().map(|objects| objects.iter().cloned().collect()).collect()
    }

    /// Writes it into a folder, and says where.
    pub(super) fn keep(&self, folder: &Path, name: &str) -> Result<PathBuf> {
        let path = folder.join(name).with_extension("yaml");
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        fs::write(&path, serde_saphyr::to_string(self)?)
            .with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }
}

/// Where they are.
pub(super) fn folder() -> PathBuf {
    workspace::root().join("xtask/src/diff/rows")
}

/// All of a folder, by name.
pub(super) fn read(folder: &Path) -> Result<Vec<(String, Row)>> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    paths.iter().map(|path| read_one(path)).collect()
}

fn read_one(path: &Path) -> Result<(String, Row)> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let row = serde_saphyr::from_str(&text).with_context(|| format!("row {}", path.display()))?;
    Ok((name, row))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::{Row, Setting, folder, read};
    use crate::diff::{
        feature::{Named, Profile},
        generate::Generator,
    };

    #[test]
    fn a_row_is_read_as_it_was_kept() {
        let place = tempfile::tempdir().unwrap();
        let profile = Profile::new(Named::All, &[], &[]);
        for (seed, setting) in (0..10).zip(Setting::value_variants().iter().copied().cycle()) {
            let mut generator = Generator::new(seed, 0, &profile);
            let before = generator.state(10);
            let mut after = before.clone();
            generator.change(&mut after, 10);
            let row = Row::new("it: differs", setting, &profile, &[before.clone(), after.clone()]);
            row.keep(place.path(), "one").unwrap();
            assert_eq!(read(place.path()).unwrap(), [("one".to_owned(), row.clone())]);
            assert_eq!(row.states(), [before, after], "seed {seed}");
        }
    }

    #[test]
    fn every_row_that_is_kept_can_be_read() {
        read(&folder()).unwrap();
    }
}
