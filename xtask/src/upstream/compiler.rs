//! Go of the pinned version, as it is published among Go modules: for a machine that has none.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::proxy;
use crate::{
    pins,
    progress::{say, step},
    setup::{self, Scope},
};

/// A folder with a Go in it.
pub(super) struct Compiler {
    home: PathBuf,
}

impl Compiler {
    /// The one in the cache, which is fetched if it is not there.
    pub(super) fn ensure(cache: &Path, work: &Path) -> Result<Self> {
        let compiler = Self { home: cache.join(format!("go-{}", pins::GO)) };
        if compiler.program().is_file() {
            return Ok(compiler);
        }
        // Modules are built beside each other.
        let _lock = setup::lock(cache, "go")?;
        if !compiler.program().is_file() {
            let archive = Archive::of(env::consts::ARCH)?;
            setup::ensure_packages(Scope::Fetch)?;
            fs::create_dir_all(work).with_context(|| format!("creating {}", work.display()))?;
            archive.fetch(work).with_context(|| remedy(&compiler.home))?;
            archive.unpack(work, &compiler.home)?;
        }
        Ok(compiler)
    }

    /// Its `go`.
    pub(super) fn program(&self) -> PathBuf {
        self.home.join("bin/go")
    }
}

/// What a proxy sends, and the folder in it.
#[derive(Debug, PartialEq, Eq)]
struct Archive {
    version: String,
    sha256: &'static str,
}

/// The file that it is fetched into.
const FILE: &str = "go.zip";

impl Archive {
    /// For an architecture as Rust calls it.
    fn of(architecture: &str) -> Result<Self> {
        let row = pins::GO_ARCHIVES.iter().find(|(name, ..)| *name == architecture);
        let (_, name, sha256) = row.with_context(|| {
            format!("no checksum of Go for {architecture} is pinned in xtask/src/pins.rs")
        })?;
        Ok(Self { version: format!("v0.0.1-go{}.linux-{name}", pins::GO), sha256 })
    }

    /// Its address at a proxy.
    fn url(&self, proxy: &str) -> String {
        format!("{proxy}/golang.org/toolchain/@v/{}.zip", self.version)
    }

    /// From the first proxy that sends what is pinned.
    fn fetch(&self, work: &Path) -> Result<()> {
        for proxy in proxy::proxies() {
            match self.fetch_from(&proxy, work) {
                Ok(()) => return Ok(()),
                Err(error) => say(&format!("{error:#}")),
            }
        }
        bail!("no proxy of GOPROXY sends Go {}", pins::GO)
    }

    fn fetch_from(&self, proxy: &str, work: &Path) -> Result<()> {
        let mut curl = Command::new("curl");
        curl.args(["--fail", "--location", "--no-progress-meter", "--retry", "3"]);
        curl.args(["--netrc-optional", "--output", FILE]).arg(self.url(proxy)).current_dir(work);
        step(&format!("fetching Go {}", pins::GO), &mut curl)?;
        let list = work.join("SHA256");
        fs::write(&list, format!("{}  {FILE}\n", self.sha256))
            .with_context(|| format!("writing {}", list.display()))?;
        let mut check = Command::new("sha256sum");
        step("checking Go", check.args(["--check", "SHA256"]).current_dir(work))
            .with_context(|| format!("{proxy} sends another Go than xtask/src/pins.rs pins"))
    }

    /// Into a folder aside, which is moved into place.
    fn unpack(&self, work: &Path, home: &Path) -> Result<()> {
        let tree = work.join("go");
        drop(fs::remove_dir_all(&tree));
        let mut unzip = Command::new("unzip");
        step("unpacking Go", unzip.args(["-q", FILE, "-d"]).arg(&tree).current_dir(work))?;
        drop(fs::remove_dir_all(home));
        fs::rename(tree.join(format!("golang.org/toolchain@{}", self.version)), home)
            .with_context(|| format!("moving into {}", home.display()))
    }
}

fn remedy(home: &Path) -> String {
    format!(
        "set GOPROXY to a proxy that has golang.org/toolchain, as https://proxy.golang.org, or \
         unpack Go {} into {}",
        pins::GO,
        home.display()
    )
}

#[cfg(test)]
mod tests {
    use super::Archive;
    use crate::pins;

    #[test]
    fn an_archive_is_named_as_the_module_of_its_architecture() {
        let archive = Archive::of("aarch64").unwrap();
        assert_eq!(
            archive.url("https://proxy"),
            format!("https://proxy/golang.org/toolchain/@v/v0.0.1-go{}.linux-arm64.zip", pins::GO)
        );
    }

    #[test]
    fn an_architecture_without_a_checksum_is_refused_by_name() {
        let refusal = Archive::of("s390x").unwrap_err().to_string();
        assert_eq!(refusal, "no checksum of Go for s390x is pinned in xtask/src/pins.rs");
    }
}
