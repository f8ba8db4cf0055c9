//! Waggle's kernel programs: the shell around the decisions of `dataplane-common`.
//!
//! ```text
//! programs -> skb::hook -> packet::parse -> flow::{arrive,leave} -> verdict
//!                               |                |                   |
//!                           skb::buffer     tables -> maps    skb::{rewrite,related,
//!                                           env -> config           redirect,answer}
//! ```
//!
//! Nothing here decides about a packet; nothing there calls the kernel.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]

mod config;
mod env;
mod family;
mod maps;
mod programs;
mod skb;
mod sock;
mod tables;
mod verdict;

/// The helpers for routes, redirects and checksums are for GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // No panic survives to here: the verifier refuses a program that could loop for ever.
    loop {}
}

#[cfg(not(target_arch = "bpf"))]
fn main() {}
