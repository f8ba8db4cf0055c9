//! Embeds the kernel object that `cargo xtask build` leaves in the target folder.
//!
//! Without one an empty file is embedded, so that everything but `waggle agent` builds and runs on
//! machines that cannot compile for the BPF target.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

const OVERRIDE: &str = "WAGGLE_EBPF_OBJECT";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed={OVERRIDE}");
    let bytes = match env::var_os(OVERRIDE) {
        Some(path) => overridden(Path::new(&path))?,
        None => built_by_xtask()?,
    };
    let out = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    fs::write(PathBuf::from(out).join("waggle.o"), bytes)
}

fn overridden(object: &Path) -> io::Result<Vec<u8>> {
    println!("cargo::rerun-if-changed={}", object.display());
    fs::read(object)
}

fn built_by_xtask() -> io::Result<Vec<u8>> {
    // Asked for when it runs: the checkout may have moved since this was compiled.
    let here = env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?;
    let folder = Path::new(&here).join("../target/ebpf");
    // The folder is watched, not the file: a missing file would make every build run this again.
    fs::create_dir_all(&folder)?;
    println!("cargo::rerun-if-changed={}", folder.display());
    match fs::read(folder.join("waggle.o")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}
