//! Debian packages: those of a compiler, and those of the programs that fetch archives, or that demo,
//! bench and privileged suites start.

use super::{Scope, machine::Machine};

/// The packages of rustc-web and of its core library for the BPF target.
pub(super) const RUSTC_WEB: &[&str] =
    &["rustc-web", "libstd-rust-web-dev", "libstd-rust-web-dev-bpf"];

/// A Debian package, recognised by a program of it so that other systems are recognised too.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: &'static str,
    /// A program of it.
    program: &'static str,
}

const RUN: &[Package] = &[
    Package { name: "iproute2", program: "ip" },
    Package { name: "nftables", program: "nft" },
    Package { name: "util-linux", program: "nsenter" },
    Package { name: "util-linux", program: "unshare" },
];

const FETCH: &[Package] =
    &[Package { name: "curl", program: "curl" }, Package { name: "unzip", program: "unzip" }];

const IPTABLES: &[Package] = &[
    Package { name: "iptables", program: "iptables" },
    Package { name: "iptables", program: "ip6tables-restore" },
    Package { name: "iptables", program: "iptables-legacy" },
];

const CNI: &[Package] = &[
    Package { name: "strace", program: "strace" },
    Package { name: "containernetworking-plugins", program: "bandwidth" },
    Package { name: "containernetworking-plugins", program: "loopback" },
    Package { name: "containernetworking-plugins", program: "portmap" },
    Package { name: "containernetworking-plugins", program: "tuning" },
];

/// The last one is where plugins are, by Debian's choice.
const FOLDERS: &[&str] =
    &["usr/bin", "usr/sbin", "bin", "sbin", "usr/local/bin", "usr/local/sbin", "usr/lib/cni"];

/// The packages that the scope needs and that are not there.
pub(crate) fn missing(machine: &Machine, scope: Scope) -> Vec<Package> {
    let needed: &[Package] = match scope {
        Scope::Compile => &[],
        Scope::Run => RUN,
        Scope::Fetch => FETCH,
        Scope::Iptables => IPTABLES,
        Scope::Cni => CNI,
    };
    needed
        .iter()
        .filter(|package| !is_there(machine, package.program))
        .map(|Package { name, program }| Package { name, program })
        .collect()
}

/// What is missing and the command that mends it.
pub(crate) fn remedy(missing: &[Package]) -> String {
    let programs: Vec<&str> = missing.iter().map(|package| package.program).collect();
    let mut names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    names.dedup();
    format!(
        "missing: {}; install it, on Debian and Ubuntu with `sudo apt-get install {}`",
        programs.join(", "),
        names.join(" ")
    )
}

fn is_there(machine: &Machine, program: &str) -> bool {
    FOLDERS.iter().any(|folder| machine.path(folder).join(program).exists())
}
