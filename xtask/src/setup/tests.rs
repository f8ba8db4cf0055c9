//! Setup's detection on machines made of fake files and compilers.

use std::{fs, os::unix::fs::symlink, path::Path};

use tempfile::TempDir;

use super::{
    Scope, install_toolchain, linker, look,
    machine::Machine,
    package,
    refusal::Refusal,
    toolchain::{self, Kind, Toolchain},
};
use crate::pins;

const NIGHTLY: &str = "rustup/toolchains/nightly-2026-05-20-x86_64-unknown-linux-gnu";
const BPF_CORE: &str = "usr/lib/rustlib/bpfel-unknown-none/lib/libcore.rlib";

/// A machine in a folder, with nothing on it.
struct Fake {
    folder: TempDir,
    is_superuser: bool,
}

impl Fake {
    fn bare() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), is_superuser: true }
    }

    fn unprivileged(self) -> Self {
        Self { is_superuser: false, ..self }
    }

    fn debian(self) -> Self {
        self.file("root/usr/bin/apt-get", "")
    }

    fn file(self, path: &str, text: &str) -> Self {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// A link, since a program just written may still be open in a process being forked.
    fn rustc(self, path: &str, release: &str, llvm: &str) -> Self {
        let answer = format!("rustc {release}\nrelease: {release}\nLLVM version: {llvm}\n");
        let this = self.file(&format!("{path}.answer"), &answer);
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/setup/fake-rustc");
        symlink(program, this.path(path)).unwrap();
        this
    }

    fn nightly(self, llvm: &str) -> Self {
        let manifest = format!("manifest-version = \"2\"\ndate = \"{}\"\n", pins::NIGHTLY);
        self.file(&format!("{NIGHTLY}/lib/rustlib/multirust-channel-manifest.toml"), &manifest)
            .rustc(&format!("{NIGHTLY}/bin/rustc"), "1.97.0-nightly", llvm)
    }

    fn rust_src(self) -> Self {
        self.file(&format!("{NIGHTLY}/lib/rustlib/src/rust/library/core/Cargo.toml"), "")
    }

    fn rustc_web(self, release: &str) -> Self {
        self.rustc("root/usr/bin/rustc", release, "22.1.8")
    }

    fn bpf_core(self) -> Self {
        self.file(&format!("root/{BPF_CORE}"), "")
    }

    fn machine(&self) -> Machine {
        Machine {
            root: self.path("root"),
            rustup_home: self.path("rustup"),
            cache: self.path("cache"),
            llvm_prefix: None,
            is_superuser: self.is_superuser,
        }
    }

    fn path(&self, below: &str) -> std::path::PathBuf {
        self.folder.path().join(below)
    }

    fn refusals(&self) -> Vec<Refusal> {
        toolchain::find(&self.machine()).unwrap_err().reasons().to_vec()
    }

    fn no_nightly(&self) -> Refusal {
        Refusal::NoNightly { folder: self.path("rustup/toolchains") }
    }

    fn no_rustc_web(&self) -> Refusal {
        Refusal::NoRustcWeb { rustc: self.path("root/usr/bin/rustc") }
    }
}

fn found(kind: Kind, rustc: &Path) -> Toolchain {
    Toolchain { kind, rustc: rustc.to_path_buf(), libraries: None }
}

// === compilers ===

#[test]
fn a_machine_without_any_compiler_is_told_both_ways_out() {
    let fake = Fake::bare();
    assert_eq!(fake.refusals(), [fake.no_nightly(), fake.no_rustc_web()]);
    let text = toolchain::find(&fake.machine()).unwrap_err().to_string();
    assert!(text.contains("`rustup toolchain install nightly-2026-05-20 --component rust-src`"));
    assert!(text.contains("`sudo apt-get install rustc-web "), "{text}");
}

#[test]
fn the_pinned_nightly_with_its_source_is_taken_first() {
    let fake = Fake::bare().nightly("22.1.4").rust_src().rustc_web("1.96.0").bpf_core();
    let rustc = fake.path(NIGHTLY).join("bin/rustc");
    assert_eq!(toolchain::find(&fake.machine()).unwrap(), found(Kind::Nightly, &rustc));
}

#[test]
fn a_nightly_without_rust_src_is_refused_by_name() {
    let fake = Fake::bare().nightly("22.1.4");
    let name = NIGHTLY.rsplit('/').next().unwrap().to_owned();
    assert_eq!(fake.refusals(), [Refusal::NoRustSrc { name }, fake.no_rustc_web()]);
}

#[test]
fn a_nightly_of_another_llvm_is_refused() {
    let fake = Fake::bare().nightly("23.0.1").rust_src();
    let rustc = fake.path(NIGHTLY).join("bin/rustc");
    assert_eq!(fake.refusals(), [Refusal::OtherLlvm { rustc, found: 23 }, fake.no_rustc_web()]);
}

#[test]
fn a_nightly_of_another_date_is_not_seen() {
    let manifest = format!("{NIGHTLY}/lib/rustlib/multirust-channel-manifest.toml");
    let fake = Fake::bare().nightly("22.1.4").rust_src().file(&manifest, "date = \"2026-06-01\"\n");
    assert_eq!(fake.refusals(), [fake.no_nightly(), fake.no_rustc_web()]);
}

#[test]
fn rustc_web_is_taken_when_no_nightly_will_do() {
    let fake = Fake::bare().nightly("22.1.4").rustc_web("1.96.0").bpf_core();
    let rustc = fake.path("root/usr/bin/rustc");
    assert_eq!(toolchain::find(&fake.machine()).unwrap(), found(Kind::RustcWeb, &rustc));
}

#[test]
fn an_old_rustc_is_refused_with_its_version() {
    let fake = Fake::bare().rustc_web("1.63.0").bpf_core();
    let rustc = fake.path("root/usr/bin/rustc");
    assert_eq!(fake.refusals(), [fake.no_nightly(), Refusal::TooOld { rustc, found: (1, 63) }]);
}

#[test]
fn rustc_web_without_the_bpf_core_is_refused() {
    let fake = Fake::bare().rustc_web("1.96.0");
    let folder = fake.path("root").join(BPF_CORE).parent().unwrap().to_path_buf();
    assert_eq!(fake.refusals(), [fake.no_nightly(), Refusal::NoBpfCore { folder }]);
}

#[test]
fn a_compiler_that_does_not_answer_is_refused() {
    let fake = Fake::bare().file("root/usr/bin/rustc", "not a program");
    let refusals = fake.refusals();
    assert!(matches!(&refusals[1], Refusal::Silent { .. }), "{refusals:?}");
}

#[test]
fn an_unpacked_rustc_web_is_found_with_its_libraries() {
    let tree = "cache/rustc-web-1.96.0";
    let fake = Fake::bare()
        .rustc_web("1.63.0")
        .rustc(&format!("{tree}/usr/bin/rustc"), "1.96.0", "22.1.8")
        .file(&format!("{tree}/{BPF_CORE}"), "");
    let toolchain = toolchain::find(&fake.machine()).unwrap();
    let libraries = format!("{tree}/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let expected = Toolchain {
        kind: Kind::RustcWeb,
        rustc: fake.path(tree).join("usr/bin/rustc"),
        libraries: Some(fake.path(&libraries)),
    };
    assert_eq!(toolchain, expected);
}

// === installing ===

#[test]
fn packages_that_rustc_web_would_replace_are_seen() {
    let status = "Package: rustc\nStatus: install ok installed\nVersion: 1.63\n\n\
                  Package: rustup\nStatus: deinstall ok config-files\n\n\
                  Package: rustc-dbg\nStatus: install ok installed\n";
    let fake = Fake::bare().debian().file("root/var/lib/dpkg/status", status);
    assert_eq!(fake.machine().conflicts(), ["rustc"]);
}

#[test]
fn nothing_is_installed_where_it_cannot_be() {
    let rows = [
        ("not Debian", Fake::bare(), "on Debian and Ubuntu only"),
        ("not root", Fake::bare().debian().unprivileged(), "when run as root"),
    ];
    for (name, fake, expected) in rows {
        let machine = fake.machine();
        let refusals = toolchain::find(&machine).unwrap_err();
        let text = install_toolchain(&machine, refusals).unwrap_err().to_string();
        assert!(text.contains(expected), "{name}: {text}");
        assert!(text.contains("rust-src"), "{name}: {text}");
    }
}

#[test]
fn missing_programs_are_listed_with_one_command() {
    let fake = Fake::bare().file("root/usr/bin/nsenter", "");
    let missing = package::missing(&fake.machine(), Scope::Run);
    assert_eq!(
        package::remedy(&missing),
        "missing: ip, nft, unshare; install it, on Debian and Ubuntu with \
         `sudo apt-get install iproute2 nftables util-linux`"
    );
    let missing = package::missing(&fake.machine(), Scope::Fetch);
    assert!(package::remedy(&missing).ends_with("`sudo apt-get install curl unzip`"));
    let fake = fake.file("root/usr/bin/strace", "").file("root/usr/lib/cni/portmap", "");
    let missing = package::missing(&fake.machine(), Scope::Cni);
    assert_eq!(
        package::remedy(&missing),
        "missing: bandwidth, loopback, tuning; install it, on Debian and Ubuntu with \
         `sudo apt-get install containernetworking-plugins`"
    );
    assert!(package::missing(&fake.machine(), Scope::Compile).is_empty());
}

// === the linker ===

#[test]
fn a_linker_counts_only_with_the_llvm_it_was_built_with() {
    let home = format!("cache/bpf-linker-{}-llvm-{}", pins::BPF_LINKER, pins::LLVM);
    let fake = Fake::bare().file(&format!("{home}/bin/bpf-linker"), "");
    assert_eq!(linker::find(&fake.machine()), None);
    let fake = fake.file(&format!("{home}/lib/libLLVM.so"), "");
    assert_eq!(linker::find(&fake.machine()), Some(fake.path(&home).join("bin/bpf-linker")));
}

#[test]
fn a_complete_machine_is_ready_without_a_change() {
    let home = format!("cache/bpf-linker-{}-llvm-{}", pins::BPF_LINKER, pins::LLVM);
    let fake = Fake::bare()
        .rustc_web("1.96.0")
        .bpf_core()
        .file(&format!("{home}/bin/bpf-linker"), "")
        .file(&format!("{home}/lib/libLLVM.so"), "");
    assert!(look(&fake.machine(), Scope::Compile).is_some());
    assert!(look(&fake.machine(), Scope::Run).is_none());
}
