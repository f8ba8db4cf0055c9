//! The record of the node's ports that lead to pods, from which the programs' table of them is made
//! anew when that was lost: a file that its reader and writers lock, read by the agent and written
//! by the CNI plugin.
//!
//! ```text
//! waggle-host-ports 1 0ae5…              version, boot: links of another one are others
//! 0 192.0.2.1 53 17 10.1.1.7 53 12       how the address is to be read (the key's kind), it, port,
//!                                        protocol; the pod's address and port, its link's index
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use dataplane_common::abi::{Addr, FrontendKey, HostPort, Port, Proto};
use rustix::fs::{FlockOperation, flock};

use crate::error::{During as _, Result};

const NAME: &str = "host-ports";
const VERSION: &str = "waggle-host-ports 1";

/// What each port leads to.
pub type HostPorts = BTreeMap<FrontendKey, HostPort>;

/// The right to read and write the record, and the table that it is of, until it is dropped.
#[derive(Debug)]
pub struct Record {
    path: PathBuf,
    boot_id: String,
    _lock: File,
}

impl Record {
    /// Whether there is one in a run directory.
    #[must_use]
    pub fn is_at(run_dir: &Path) -> bool {
        run_dir.join(NAME).exists()
    }

    /// Takes the lock of the record in a run directory. None where another process has it, unless
    /// that `wait`s for it to be given up.
    ///
    /// # Errors
    /// When its file cannot be made or locked.
    pub fn lock(run_dir: &Path, boot_id: &str, wait: bool) -> Result<Option<Self>> {
        let path = run_dir.join(NAME);
        let lock = path.with_extension("lock");
        let object = lock.display();
        fs::create_dir_all(run_dir).during("make", run_dir.display())?;
        let file = File::options().create(true).truncate(false).write(true).open(&lock);
        let file = file.during("open", &object)?;
        let operation = match wait {
            true => FlockOperation::LockExclusive,
            false => FlockOperation::NonBlockingLockExclusive,
        };
        match flock(&file, operation) {
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            other => {
                other.map_err(std::io::Error::from).during("lock", &object)?;
                Ok(Some(Self { path, boot_id: boot_id.to_owned(), _lock: file }))
            }
        }
    }

    /// What was written in this boot; nothing, where the file is lost or damaged.
    #[must_use]
    pub fn read(&self) -> HostPorts {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        parse(&text, &self.boot_id).unwrap_or_default()
    }

    /// Puts ports in the place of those that were written before.
    ///
    /// # Errors
    /// When the file cannot be written; the one before is whole then.
    pub fn write(&self, ports: &HostPorts) -> Result<()> {
        let fresh = self.path.with_extension("new");
        let text = to_text(ports, &self.boot_id);
        let written = fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, &self.path));
        if written.is_err() {
            // It is of no use to anyone, and may be what fills the disk.
            let _: std::io::Result<()> = fs::remove_file(&fresh);
        }
        written.during("write", self.path.display())
    }
}

fn to_text(ports: &HostPorts, boot_id: &str) -> String {
    let mut text = format!("{VERSION} {boot_id}\n");
    for (FrontendKey { addr, port, proto, kind }, to) in ports {
        let (at, port, proto) = (addr.to_ip(), port.number(), proto.0);
        let (pod, inside, link) = (to.addr.to_ip(), to.port.number(), to.ifindex);
        // Writing to a text never fails.
        let _: std::fmt::Result =
            writeln!(text, "{kind} {at} {port} {proto} {pod} {inside} {link}");
    }
    text
}

fn parse(text: &str, boot_id: &str) -> Option<HostPorts> {
    let (header, body) = text.split_once('\n')?;
    (header == format!("{VERSION} {boot_id}")).then_some(())?;
    body.lines().map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<(FrontendKey, HostPort)> {
    let fields: Vec<_> = line.split(' ').collect();
    let [kind, at, port, proto, pod, inside, link] = fields.as_slice() else { return None };
    let addr = |text: &str| text.parse::<IpAddr>().ok().map(Addr::from);
    let number = |text: &str| text.parse().ok().map(Port::new);
    let (proto, kind) = (Proto(proto.parse().ok()?), kind.parse().ok()?);
    let key = FrontendKey { addr: addr(at)?, port: number(port)?, proto, kind };
    let (addr, port, ifindex) = (addr(pod)?, number(inside)?, link.parse().ok()?);
    Some((key, HostPort { addr, port, reserved: [0; 2], ifindex }))
}

#[cfg(test)]
mod tests {
    use dataplane_common::abi::FrontendKind;

    use super::*;

    fn ports() -> HostPorts {
        let row = |at: &str, kind: FrontendKind, proto, pod: &str, ifindex| {
            let [addr, to] = [at, pod].map(|text| Addr::from(text.parse::<IpAddr>().unwrap()));
            let key = FrontendKey { addr, port: Port::new(53), proto, kind: kind.number() };
            (key, HostPort { addr: to, port: Port::new(5353), reserved: [0; 2], ifindex })
        };
        [
            row("192.0.2.1", FrontendKind::Exact, Proto::UDP, "10.1.1.7", 7),
            row("0.0.0.0", FrontendKind::AnyNode, Proto::TCP, "10.1.1.7", 7),
            row("::", FrontendKind::AnyNode, Proto::TCP, "fd01::7", u32::MAX),
        ]
        .into()
    }

    #[test]
    fn what_was_written_in_this_boot_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let lock = |boot| Record::lock(folder.path(), boot, true).unwrap().unwrap();
        assert_eq!(lock("a").read(), HostPorts::new());
        lock("a").write(&ports()).unwrap();
        assert_eq!(lock("a").read(), ports());
        assert_eq!(lock("b").read(), HostPorts::new());
        let path = folder.path().join("host-ports");
        let whole = fs::read_to_string(&path).unwrap();
        for damaged in ["", "waggle-host-ports 1 a", &whole[..whole.len() - 40], "x\n0 1 2"] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(lock("a").read(), HostPorts::new(), "{damaged:?}");
        }
    }

    #[test]
    fn one_at_a_time_has_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let first = Record::lock(folder.path(), "a", false).unwrap();
        assert!(first.is_some());
        assert!(Record::lock(folder.path(), "a", false).unwrap().is_none());
        drop(first);
        assert!(Record::lock(folder.path(), "a", false).unwrap().is_some());
    }
}
