//! Ways into Services that some of their endpoints cannot serve, because the protocol keeps its ports.

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::model::{Name, frontend_text};
use crate::problem::Problem;
use crate::state::{Desired, FamilyPort};

/// What is refused, by whose it is.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    told: BTreeMap<FamilyPort, Problem>,
    has_news: bool,
}

impl Refusals {
    /// A ServicePort that is to be served so, or not at all.
    pub(super) fn note(&mut self, port: &FamilyPort, desired: Option<&Desired>) {
        let problem = desired.and_then(|desired| problem(port, desired));
        self.has_news |= self.told.get(port) != problem.as_ref();
        match problem {
            Some(problem) => self.told.insert(port.clone(), problem),
            None => self.told.remove(port),
        };
    }

    /// Whether there are others than when it was last asked.
    pub(super) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.has_news)
    }

    /// One problem for each, with its Service.
    pub(super) fn problems(&self) -> impl Iterator<Item = (Name, Problem)> {
        self.told.iter().map(|(port, problem)| (port.port.service.clone(), problem.clone()))
    }
}

fn problem(port: &FamilyPort, desired: &Desired) -> Option<Problem> {
    if desired.unserved.is_empty() {
        return None;
    }
    let frontends = joined(desired.in_order().map(|(key, _)| frontend_text(key)));
    let (unserved, protocol) = (joined(&desired.unserved), port.port.protocol);
    let message = format!(
        "is not served at {frontends} by its endpoints at port {unserved}: {protocol} keeps its ports \
         on the way, as its checksum covers them; let clients and endpoints use the same number"
    );
    Some(Problem::error(format!("Service {}", port.port.service), message))
}

fn joined<T: Display>(texts: impl IntoIterator<Item = T>) -> String {
    texts.into_iter().map(|text| text.to_string()).collect::<Vec<_>>().join(", ")
}
