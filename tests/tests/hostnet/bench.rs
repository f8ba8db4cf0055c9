//! A namespace with a device and pinned programs to attach to it.

use std::{fs, future::Future, path::Path, process::Command, thread};

use anyhow::{Context as _, Result, ensure};
use aya::{EbpfLoader, programs::SchedClassifier};
use dataplane_common::abi::names;
use hostnet::{
    Mac, NetNs, Netlink, Pins,
    hook::{self, Attachment, Choice, Direction, Hook, Mechanism},
    link::{self, Link, VethPair},
};
use rustix::{
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    thread::{UnshareFlags, unshare_unsafe},
};
use tempfile::TempDir;

/// The device, with a dot as VLANs have.
pub(super) const DEVICE: &str = "dev0.7";
const OBJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/ebpf/waggle.o");

/// Runs a test in namespaces of its own, with a folder that is a BPF file system.
pub(super) fn on_bench(test: fn(&Path) -> Result<()>) -> Result<()> {
    let folder = TempDir::new()?;
    let inside = || {
        // SAFETY: no file descriptors are unshared, which is what could break others.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET | UnshareFlags::NEWNS) }
            .context("leaving namespaces; are you root?")?;
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        mount("bpf", folder.path(), "bpf", MountFlags::empty(), None).context("mounting bpffs")?;
        test(folder.path())
    };
    match thread::scope(|scope| scope.spawn(inside).join()) {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Makes the device, and another at its other end.
pub(super) fn make_device() -> Result<Link> {
    let pair = VethPair {
        host_name: DEVICE,
        host_mac: Mac([2, 0, 0, 0, 0, 1]),
        alias: "bench",
        pod_name: "peer",
        pod_mac: Mac([2, 0, 0, 0, 0, 2]),
        namespace: &NetNs::current()?,
        mtu: 1500,
    };
    block_on(async {
        let netlink = Netlink::here()?;
        let link = pair.create(&netlink).await?;
        link::set_up(&netlink, link.index).await?;
        Ok(link)
    })
}

/// Runs `ip` with a line of arguments.
pub(super) fn ip(line: &str) -> Result<()> {
    let status = Command::new("ip").args(line.split(' ')).status()?;
    ensure!(status.success(), "ip {line}");
    Ok(())
}

pub(super) fn delete_device() -> Result<()> {
    block_on(async { Ok(link::delete(&Netlink::here()?, DEVICE).await.map(drop)?) })
}

/// Pins two different programs; returns the pins.
pub(super) fn pin_programs(bpf: &Path) -> Result<Pins> {
    let pins = Pins::new(bpf);
    pins.create()?;
    let object = fs::read(OBJECT).context("run this suite by `cargo xtask test netns`")?;
    let mut object = EbpfLoader::new().load(&object)?;
    for name in [names::FROM_POD, names::TO_POD] {
        let program = object.program_mut(name).with_context(|| format!("no program {name}"))?;
        let program: &mut SchedClassifier = program.try_into()?;
        program.load()?;
        program.pin(pins.program(name))?;
    }
    Ok(pins)
}

/// Attaches a pinned program to the device's ingress.
pub(super) fn attach(pins: &Pins, program: &str, choice: Choice) -> hostnet::Result<Mechanism> {
    hook::attach_pinned(&pins.program(program), ingress(pins), choice)
}

pub(super) fn detach(pins: &Pins) -> hostnet::Result<bool> {
    hook::detach(ingress(pins))
}

fn ingress(pins: &Pins) -> Hook<'_> {
    let found = block_on(async { Ok(link::find(&Netlink::here()?, DEVICE).await?) });
    let index = found.expect("links can be asked for").map_or(0, |link| link.index);
    Hook { device: DEVICE, index, direction: Direction::Ingress, pins }
}

/// Everything that is attached, by name of the program; without an index where the device is gone.
pub(super) fn attached(pins: &Pins) -> Result<Vec<(Mechanism, Option<u32>, &'static str)>> {
    let mut all = hook::pinned(pins)?;
    all.extend(block_on(async {
        let netlink = Netlink::here()?;
        let mut all = Vec::new();
        for link in link::list(&netlink).await? {
            all.extend(hook::filters(&netlink, &link).await?);
        }
        Ok(all)
    })?);
    let name = |program| {
        [names::FROM_POD, names::TO_POD].into_iter().find(|name| {
            let found = SchedClassifier::from_pin(pins.program(name));
            found.is_ok_and(|found| found.info().is_ok_and(|info| info.id() == program))
        })
    };
    let named = |attachment: Attachment| {
        let Attachment { index, device, direction, mechanism, program } = attachment;
        assert_eq!(direction, Direction::Ingress);
        (mechanism, device.map(|_| index), name(program).unwrap_or("an unknown program"))
    };
    Ok(all.into_iter().map(named).collect())
}

pub(super) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(work)
}
