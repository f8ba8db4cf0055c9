//! The store: lost files, locks, full disks, and two processes that race.

use std::process::{Child, Command};
use std::thread;

use super::*;
use crate::ipam::pool::Pool;
use crate::ipam::range::RangeSet;
use crate::ipam::table::{Lease, Phase};
use crate::protocol::{Attachment, PodName};

const FOLDER: &str = "WAGGLE_RACE_FOLDER";
const RACER: &str = "ipam::store::tests::two_processes_never_give_one_address_twice";
const HOLDER: &str = "ipam::store::tests::the_lock_of_a_process_that_is_killed_is_free";
const EACH: usize = 100;

/// Runs one of these tests in a process of its own.
fn start(test: &str, folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test]).env(FOLDER, folder).spawn().unwrap()
}

fn lease(ips: Vec<IpAddr>) -> Lease {
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
    let ips = pool.allocate(&mut table, &[], 0).unwrap();
    table.leases.insert(Attachment { container, ifname: "eth0".into() }, lease(ips));
    locked.write(&table).unwrap();
}

fn race(folder: &Path) {
    let store = Store::new(folder, "waggle");
    let ranges = ["10.1.0.0/22".parse().unwrap(), "fd01::/64".parse().unwrap()];
    let pool = Pool::new(RangeSet::of_pod_cidrs(&ranges), BTreeSet::new());
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
    for mut child in [start(RACER, folder.path()), start(RACER, folder.path())] {
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
fn networks_never_give_one_address_twice() {
    let folder = tempfile::tempdir().unwrap();
    let leased = |name: &str, boot_id: &str| {
        Store::new(folder.path(), name).lock(LOCK_DEADLINE).unwrap().leased_elsewhere(boot_id)
    };
    assert_eq!(leased("one", "b"), Ok(BTreeSet::new()));
    let mut table = Table::new("b");
    let ips: Vec<IpAddr> = vec![[10, 1, 0, 2].into(), "fd01::2".parse().unwrap()];
    let attachment = Attachment { container: "a".into(), ifname: "eth0".into() };
    table.leases.insert(attachment, lease(ips.clone()));
    Store::new(folder.path(), "one").lock(LOCK_DEADLINE).unwrap().write(&table).unwrap();

    assert_eq!(leased("two", "b"), Ok(ips.into_iter().collect()));
    assert_eq!(leased("one", "b"), Ok(BTreeSet::new()), "its own");
    assert_eq!(leased("two", "c"), Ok(BTreeSet::new()), "of an earlier boot");
    let store = Store::new(folder.path(), "two");
    let held = store.lock(LOCK_DEADLINE).unwrap();
    let other = Store::new(folder.path(), "one");
    assert!(matches!(other.lock(Duration::ZERO), Err(StoreError::Busy { .. })), "one lock for all");
    drop(held);
}

#[test]
fn the_first_use_of_a_store_makes_its_folders() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(&folder.path().join("run/waggle"), "waggle");
    assert_eq!(store.read("b"), Ok(Err(Lost::Missing)));
    store.lock(LOCK_DEADLINE).unwrap().write(&Table::new("b")).unwrap();
    assert_eq!(store.read("b"), Ok(Ok(Table::new("b"))));
}

#[test]
fn the_lock_of_a_process_that_is_killed_is_free() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let _held = Store::new(Path::new(&folder), "waggle").lock(LOCK_DEADLINE).unwrap();
        fs::write(Path::new(&folder).join("held"), "").unwrap();
        loop {
            thread::park();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), "waggle");
    let mut holder = start(HOLDER, folder.path());
    while !folder.path().join("held").exists() {
        thread::sleep(Duration::from_millis(2));
    }
    assert!(matches!(store.lock(Duration::ZERO), Err(StoreError::Busy { .. })));
    holder.kill().unwrap();
    holder.wait().unwrap();
    store.lock(Duration::ZERO).unwrap();
}

#[test]
fn a_lock_that_is_held_is_waited_for_until_the_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), "waggle");
    let held = store.lock(LOCK_DEADLINE).unwrap();
    let error = store.lock(Duration::from_millis(20)).unwrap_err();
    assert_eq!(error, StoreError::Busy { path: folder.path().join("ipam/lock") });
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
fn everybody_who_waits_for_the_lock_gets_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), "waggle");
    thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                let held = store.lock(LOCK_DEADLINE).unwrap();
                thread::sleep(Duration::from_millis(2));
                drop(held);
            });
        }
    });
    store.lock(Duration::ZERO).unwrap();
}

#[test]
fn a_full_disk_is_known_by_its_number() {
    for (errno, expected) in [(28, true), (30, true), (122, true), (1, false)] {
        let error = fail::<()>("write", Path::new("x"), io::Error::from_raw_os_error(errno));
        assert_eq!(error.unwrap_err().is_out_of_room(), expected, "{errno}");
    }
}
