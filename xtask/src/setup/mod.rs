//! Makes sure that the kernel programs can be compiled here and the suites can run.
//!
//! Look first ([`machine`], [`toolchain`], [`linker`], [`package`]: nothing is changed), then
//! mend what is missing ([`apt`], [`unpack`], [`linker::build`]), then look again.

mod apt;
mod linker;
mod machine;
mod package;
mod refusal;
#[cfg(test)]
mod tests;
mod toolchain;
mod unpack;
mod version;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

pub(crate) use self::toolchain::{Kind, Toolchain};
use self::{machine::Machine, package::Package, refusal::Refusals};
use crate::progress::say;

/// Setup takes no options: what is needed follows from the machine.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// How much a verb needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Compiling only.
    Compile,
    /// Compiling, and the programs that demo, bench and privileged suites start.
    Run,
    /// Fetching archives and unpacking them.
    Fetch,
    /// Running a kube-proxy that writes rules of iptables, or writing some in its place.
    Iptables,
    /// Running the CNI plugin beside those of others, and under a tracer that kills it.
    Cni,
}

/// What compiles the kernel programs.
#[derive(Debug)]
pub(crate) struct Ready {
    /// The compiler.
    pub(crate) toolchain: Toolchain,
    /// The bpf-linker of the same LLVM.
    pub(crate) linker: PathBuf,
}

/// Runs the verb: says what was found.
pub(crate) fn run(Args {}: &Args) -> Result<()> {
    let Ready { toolchain, linker } = ensure(Scope::Run)?;
    say(&format!("compiler: {toolchain}"));
    say(&format!("linker: {}", linker.display()));
    Ok(())
}

/// Finds what the scope needs, installing what is missing.
pub(crate) fn ensure(scope: Scope) -> Result<Ready> {
    let machine = Machine::this()?;
    if let Some(ready) = look(&machine, scope) {
        return Ok(ready);
    }
    let _lock = lock(&machine.cache, "setup")?;
    mend(&machine, scope)
}

/// Installs the packages that the scope needs, and no compiler.
pub(crate) fn ensure_packages(scope: Scope) -> Result<()> {
    let machine = Machine::this()?;
    match package::missing(&machine, scope) {
        missing if missing.is_empty() => Ok(()),
        missing => {
            let _lock = lock(&machine.cache, "setup")?;
            install(&machine, &missing)
        }
    }
}

/// Everything that is missing, by installing it, in the order in which one needs the other.
fn mend(machine: &Machine, scope: Scope) -> Result<Ready> {
    let missing = package::missing(machine, scope);
    if !missing.is_empty() {
        install(machine, &missing)?;
    }
    let toolchain = match toolchain::find(machine) {
        Ok(toolchain) => toolchain,
        Err(refusals) => install_toolchain(machine, refusals)?,
    };
    let linker = match linker::find(machine) {
        Some(linker) => linker,
        None => linker::build(machine, &toolchain)?,
    };
    Ok(Ready { toolchain, linker })
}

fn look(machine: &Machine, scope: Scope) -> Option<Ready> {
    if !package::missing(machine, scope).is_empty() {
        return None;
    }
    let toolchain = toolchain::find(machine).ok()?;
    Some(Ready { toolchain, linker: linker::find(machine)? })
}

fn install(machine: &Machine, missing: &[Package]) -> Result<()> {
    let packages: Vec<&str> = missing.iter().map(|package| package.name).collect();
    machine.may_install().with_context(|| package::remedy(missing))?;
    apt::install(&packages).with_context(|| package::remedy(missing))
}

fn install_toolchain(machine: &Machine, refusals: Refusals) -> Result<Toolchain> {
    if let Err(reason) = machine.may_install() {
        return Err(refusals.with(reason).into());
    }
    match machine.conflicts() {
        conflicts if conflicts.is_empty() => apt::install(package::RUSTC_WEB)?,
        conflicts => {
            say(&format!("{} stays; rustc-web is unpacked beside it", conflicts.join(", ")));
            unpack::rustc_web(machine)?;
        }
    }
    match toolchain::find(machine) {
        Ok(toolchain) => Ok(toolchain),
        Err(refusals) => bail!(refusals),
    }
}

/// Our folder of tools.
pub(crate) fn cache() -> Result<PathBuf> {
    Machine::this().map(|machine| machine.cache)
}

/// One at a time; the kernel frees the lock of a killed process.
pub(crate) fn lock(cache: &Path, name: &str) -> Result<File> {
    fs::create_dir_all(cache).with_context(|| {
        format!("creating the cache {}; set WAGGLE_CACHE to another folder", cache.display())
    })?;
    let path = cache.join(format!("{name}.lock"));
    let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    if file.try_lock().is_err() {
        say(&format!("waiting for another process to finish {name}"));
        file.lock().with_context(|| format!("locking {}", path.display()))?;
    }
    Ok(file)
}
