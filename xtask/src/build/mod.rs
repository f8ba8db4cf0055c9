//! `cargo xtask build`: kernel programs first, since the agent embeds them, then the binaries.

mod agent;
mod cni;
mod object;
mod planted;
mod publish;

use std::thread;

use anyhow::{Result, anyhow};

pub(crate) use self::{
    agent::{Profile, build as agent},
    object::{build as object, command as object_command},
    planted::build as planted,
    publish::publish,
};
use crate::{
    progress::say,
    setup::{self, Scope},
    workspace::{Artifacts, artifacts},
};

/// What to build.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Optimises the agent, as for a release.
    #[arg(long)]
    release: bool,
    /// Builds the kernel programs only.
    #[arg(long, conflicts_with = "release")]
    object: bool,
}

/// Runs the verb and tells where the artifacts are.
pub(crate) fn run(args: &Args) -> Result<()> {
    let ready = setup::ensure(Scope::Compile)?;
    let Artifacts { waggle, waggle_cni, object } = artifacts();
    if args.object {
        self::object(&ready)?;
        say(&object.display().to_string());
        return Ok(());
    }
    all(&ready, if args.release { Profile::Release } else { Profile::Dev })?;
    for artifact in [object, waggle, waggle_cni] {
        say(&artifact.display().to_string());
    }
    Ok(())
}

/// Builds everything; the CNI plugin has a target folder of its own and builds beside the rest.
pub(crate) fn all(ready: &setup::Ready, profile: Profile) -> Result<Artifacts> {
    thread::scope(|scope| {
        let cni = scope.spawn(cni::build);
        object(ready)?;
        agent(profile)?;
        cni.join().map_err(|_| anyhow!("building waggle-cni panicked"))?
    })?;
    Ok(artifacts())
}
