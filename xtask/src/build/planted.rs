//! An agent with one wrong decision in its kernel programs, which comparisons must find.

use anyhow::Result;

use super::{agent, object, publish::publish};
use crate::{
    progress::step,
    setup::Ready,
    workspace::{self, Artifacts, artifacts},
};

/// Builds it beside the one that is right, whose CNI plugin it takes.
pub(crate) fn build(ready: &Ready) -> Result<Artifacts> {
    let mut command = object::command(ready, "build", "planted-build", "");
    command.args(["--features", "planted-bug"]);
    step("building the kernel programs with a planted bug", &mut command)?;
    let folder = workspace::target().join("planted");
    let planted =
        Artifacts { object: folder.join("waggle.o"), waggle: folder.join("waggle"), ..artifacts() };
    publish(&object::built("planted-build"), &planted.object)?;
    agent::build_around(&planted.object, &planted.waggle)?;
    Ok(planted)
}
