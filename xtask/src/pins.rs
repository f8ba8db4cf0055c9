//! The versions of every tool that is not in a lock file. Nothing else names one.

/// Date of the rustup nightly that may compile the kernel programs.
pub(crate) const NIGHTLY: &str = "2026-05-20";

/// Oldest rustc-web (Debian) that may compile them: the first with the BPF core and LLVM 22.
pub(crate) const RUSTC_WEB: (u32, u32) = (1, 96);

/// LLVM major of the compiler and of the linker: bitcode of one is not read by another.
pub(crate) const LLVM: u32 = 22;

/// Version of bpf-linker; its LLVM is chosen by the feature `llvm-<LLVM>`.
pub(crate) const BPF_LINKER: &str = "0.13.0";

/// Version of cargo-deny, used by `cargo xtask lint` only.
pub(crate) const CARGO_DENY: &str = "0.20.2";

/// Version of Go, which compiles what `cargo xtask upstream` builds.
pub(crate) const GO: &str = "1.26.8";

/// What Rust and Go call an architecture, and the SHA-256 of Go's archive for it.
pub(crate) const GO_ARCHIVES: &[(&str, &str, &str)] = &[
    ("x86_64", "amd64", "30c2b1bf7dcc88d3eb0a1364e47ddd9128edb3110a30e8a0ef61cd5856b31de7"),
    ("aarch64", "arm64", "02b36b6787b3ac767668f630e2998df45a3b1f9ffee08d1bf3ef6487cd658d99"),
];
