//! What came of reading a configuration.

use std::path::Path;

use super::Config;
use crate::problem::Problem;

/// A configuration, and what its file says in vain.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Taken {
    /// The settings.
    pub config: Config,
    /// What is set and has no effect.
    pub left_out: Vec<LeftOut>,
}

/// A setting that has no effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// The field, with the names of the sections around it.
    pub field: String,
    /// Why, in a word.
    pub why: &'static str,
}

/// A setting by name, why it has no effect, and whether it says another thing than the default.
type Setting = (&'static str, &'static str, fn(&Config, &Config) -> bool);

/// Settings that nothing heeds: whoever wires one takes out its line.
const UNHEEDED: &[Setting] = &[("minSyncPeriod", "changes are served at once", |one, other| {
    one.min_sync_period > other.min_sync_period
})];

impl Taken {
    /// With those settings that nothing heeds.
    pub(super) fn with_unheeded(mut self) -> Self {
        let usual = Config::default();
        let unheeded = UNHEEDED.iter().filter(|(.., differs)| differs(&self.config, &usual));
        let left_out = |&(field, why, _): &Setting| LeftOut { field: field.to_owned(), why };
        self.left_out.extend(unheeded.map(left_out));
        self
    }

    /// All that has no effect, as one sentence about the file at `path`.
    #[must_use]
    pub fn warning(&self, path: &Path) -> Option<Problem> {
        let fields = self.left_out.iter().map(|LeftOut { field, why }| format!("{field} ({why})"));
        let fields: Vec<_> = fields.collect();
        let message = format!("is taken without {}", fields.join(", "));
        let object = format!("configuration {}", path.display());
        (!fields.is_empty()).then(|| Problem::note(object, message))
    }
}
