//! The programs of others that Waggle is compared with and tested against: kube-proxy, an API server
//! and the etcd below it; cnitool.
//!
//! They are built from what their projects publish as Go modules, as each [`program::Module`] pins
//! them, by a [`compiler`] that is published in the same way: neither a git host nor an image
//! registry is needed. A kill loses no more than one step: what was fetched and compiled stays in
//! the work folder until everything is built.

mod compiler;
mod program;
mod proxy;
mod trial;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use self::{
    compiler::Compiler,
    program::{CNITOOL, KUBERNETES, Module, Program},
};
use crate::{pins, progress::say, setup};

/// What to do beside building what go.mod says.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Starts them too, in network namespaces, until kube-proxy has followed the API server. Needs
    /// root.
    #[arg(long)]
    trial: bool,
}

/// Runs the verb: says where the programs are, and how they did.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.trial {
        trial::check_privilege()?;
    }
    let cache = setup::cache()?;
    for module in [CNITOOL, KUBERNETES] {
        let folder = module.ensure(&cache)?;
        for program in module.programs {
            say(&folder.join(program.name).display().to_string());
        }
    }
    if args.trial { trial::run(&KUBERNETES.ensure(&cache)?) } else { Ok(()) }
}

/// The folder of kube-proxy and what it follows, which are built if they are not there.
pub(crate) fn ensure(cache: &Path) -> Result<PathBuf> {
    KUBERNETES.ensure(cache)
}

/// The path of cnitool, which is built if it is not there.
pub(crate) fn ensure_cnitool(cache: &Path) -> Result<PathBuf> {
    Ok(CNITOOL.ensure(cache)?.join(CNITOOL.name))
}

impl Module {
    fn ensure(&self, cache: &Path) -> Result<PathBuf> {
        let folder = cache.join(format!("{}-{}-go{}", self.name, self.version()?, pins::GO));
        if self.missing(&folder).is_empty() {
            return Ok(folder);
        }
        let _lock = setup::lock(cache, self.name)?;
        let missing = self.missing(&folder);
        if !missing.is_empty() {
            self.build_all(cache, &folder, &missing)?;
        }
        Ok(folder)
    }

    fn build_all(&self, cache: &Path, folder: &Path, missing: &[&Program]) -> Result<()> {
        let work = Work { folder: cache.join(format!("{}-work", self.name)) };
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        let compiler = Compiler::ensure(cache, &work.folder)?;
        for program in missing {
            self.build(program, &compiler, &work, folder)?;
        }
        fs::remove_dir_all(&work.folder)
            .with_context(|| format!("removing {}", work.folder.display()))
    }
}

/// Where Go keeps what it fetches and compiles: gigabytes that nothing reads again.
struct Work {
    folder: PathBuf,
}

impl Work {
    /// The variables that lead Go into the folder, but for those that the user has set.
    fn variables(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        let folders = [("GOMODCACHE", "modules"), ("GOCACHE", "objects")];
        let unset = folders.into_iter().filter(|(name, _)| env::var_os(name).is_none());
        unset.map(|(name, below)| (name, self.folder.join(below)))
    }
}
