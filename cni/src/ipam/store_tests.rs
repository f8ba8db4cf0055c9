//! The store: lost files, locks, full disks, and two processes that race.

use std::collections::BTreeSet;
use std::process::Command;

use super::*;
use crate::ipam::pool::Pool;
use crate::ipam::table::{Lease, Phase};
use crate::protocol::{Attachment, PodName};

const FOLDER: &str = "WAGGLE_RACE_FOLDER";
const RACER: &str = "ipam::store::tests::two_processes_never_give_one_address_twice";
const EACH: usize = 100;

fn lease(ips: Vec<std::net::IpAddr>) -> Lease {
    Lease {
        ips,
        phase: Phase::Reserved,
        created: 0,
        namespace: None,
        path: String::new(),
        pod: PodName::default(),
    }
}

fn allocate(store: &Store, pool: &Pool, container: String) {
    let locked = store.lock(LOCK_DEADLINE).unwrap();
    let mut table = store.read("b").unwrap().unwrap_or_else(|_| Table::new("b"));
    let ips = pool.allocate(&mut table, 0).unwrap();
    table.leases.insert(Attachment { container, ifname: "eth0".into() }, lease(ips));
    locked.write(&table).unwrap();
}

fn race(folder: &Path) {
    let store = Store::new(folder, "waggle");
    let ranges = vec!["10.1.0.0/22".parse().unwrap(), "fd01::/64".parse().unwrap()];
    let pool = Pool::new(ranges, Vec::new());
    for turn in 0..EACH {
        allocate(&store, &pool, format!("{}-{turn}", std::process::id()));
    }
}

#[test]
fn two_processes_never_give_one_address_twice() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return race(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", RACER]).env(FOLDER, folder.path()).spawn().unwrap()
    };
    for mut child in [start(), start()] {
        assert!(child.wait().unwrap().success());
    }
    let table = Store::new(folder.path(), "waggle").read("b").unwrap().unwrap();
    let ips: Vec<_> = table.leases.values().flat_map(|lease| lease.ips.clone()).collect();
    let distinct: BTreeSet<_> = ips.iter().collect();
    assert_eq!((table.leases.len(), ips.len(), distinct.len()), (2 * EACH, 4 * EACH, 4 * EACH));
}

#[test]
fn a_table_that_cannot_be_trusted_is_lost_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), "waggle");
    assert_eq!(store.read("b"), Ok(Err(Lost::Missing)));

    let table = Table::new("b");
    store.lock(LOCK_DEADLINE).unwrap().write(&table).unwrap();
    assert_eq!(store.read("b"), Ok(Ok(table)));
    assert_eq!(store.read("c"), Ok(Err(Lost::OtherBoot)));

    let path = store.path("table");
    let whole = fs::read(&path).unwrap();
    for torn in [&whole[..whole.len() / 2], b"", b"\xff\xfe"] {
        fs::write(&path, torn).unwrap();
        assert_eq!(store.read("b"), Ok(Err(Lost::Damaged)));
    }
}

#[test]
fn networks_have_tables_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), "one");
    store.lock(LOCK_DEADLINE).unwrap().write(&Table::new("b")).unwrap();
    assert_eq!(Store::new(folder.path(), "two").read("b"), Ok(Err(Lost::Missing)));
}

#[test]
fn a_lock_that_is_held_is_waited_for_until_the_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), "waggle");
    let held = store.lock(LOCK_DEADLINE).unwrap();
    let error = store.lock(Duration::from_millis(20)).unwrap_err();
    assert_eq!(error, StoreError::Busy { path: store.path("lock") });
    assert_eq!(Error::from(error).code, Code::TryAgain);
    drop(held);
    store.lock(Duration::ZERO).unwrap();
}

#[test]
fn what_a_writer_left_that_was_killed_goes_with_the_next_lock() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), "waggle");
    store.lock(LOCK_DEADLINE).unwrap().write(&Table::new("b")).unwrap();
    fs::write(store.path("table.new"), "half").unwrap();
    drop(store.lock(LOCK_DEADLINE).unwrap());
    assert!(!store.path("table.new").exists());
    assert_eq!(store.read("b"), Ok(Ok(Table::new("b"))));
}

#[test]
fn a_write_that_fails_leaves_the_table_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), "waggle");
    let locked = store.lock(LOCK_DEADLINE).unwrap();
    locked.write(&Table::new("b")).unwrap();
    fs::create_dir(store.path("table.new")).unwrap();
    let error = locked.write(&Table::new("c")).unwrap_err();
    assert!(!error.is_out_of_room());
    assert_eq!(Error::from(error).code, Code::Io);
    assert_eq!(store.read("b"), Ok(Ok(Table::new("b"))));
}

#[test]
fn a_full_disk_is_known_by_its_number() {
    for (errno, expected) in [(28, true), (30, true), (122, true), (1, false)] {
        let error = fail::<()>("write", Path::new("x"), io::Error::from_raw_os_error(errno));
        assert_eq!(error.unwrap_err().is_out_of_room(), expected, "{errno}");
    }
}
