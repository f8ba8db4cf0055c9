//! DEL succeeds whatever is missing, however often, and leaves nothing.

use std::{thread, time::Duration};

use anyhow::{Context as _, Result};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_remount, unmount};

use super::{
    host::{Host, Pod, Traces},
    plugin::{Call, Said},
};

const BOTH: [&str; 2] = ["10.1.1.0/24", "fd01:1::/64"];
const DONE: Said = Said::Done(None);

#[test]
fn del_may_be_repeated() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let pod = Pod::new("twice")?;
    assert_eq!(host.del(&pod)?, DONE, "never added");
    host.add(&pod)?;
    assert_eq!(host.del(&pod)?, DONE);
    assert_eq!(host.del(&pod)?, DONE);
    assert_eq!((host.traces()?, host.leases()?), (Traces::default(), (0, 2)));
    Ok(())
}

#[test]
fn del_needs_no_namespace() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    for netns in [None, Some(""), Some("/run/netns/never-was")] {
        let pod = Pod::new("gone")?;
        host.add(&pod)?;
        let call = host.call("DEL", &pod);
        let call = match netns {
            Some(path) => call.with("CNI_NETNS", path),
            None => call,
        };
        drop(pod);
        assert_eq!(host.make(call)?, DONE, "{netns:?}");
        assert_eq!((host.traces()?, host.leases()?.0), (Traces::default(), 0));
    }
    Ok(())
}

#[test]
fn del_needs_no_agent() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let pod = Pod::new("alone")?;
    host.add(&pod)?;
    std::fs::remove_file(host.run_dir().join("node.json"))?;
    let pins = host.pins();
    host.run(move || {
        std::fs::remove_dir_all(pins.maps())?;
        Ok(std::fs::remove_dir_all(pins.programs())?)
    })?;
    assert_eq!(host.del(&pod)?, DONE);
    assert!(host.links()?.iter().all(|link| !link.name.starts_with("wag")));
    Ok(())
}

#[test]
fn a_link_whose_add_was_killed_before_it_got_its_alias_is_ours() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let pod = Pod::new("killed")?;
    let result = host.add(&pod)?;
    let [host_side, pod_side] = [0, 1].map(|index| &result["interfaces"][index]);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let macs = [text(&host_side["mac"]).parse()?, text(&pod_side["mac"]).parse()?];
    for verb in ["ADD", "DEL"] {
        assert_eq!(host.del(&pod)?, DONE);
        host.make_pair(&pod, macs, &text(&host_side["name"]), "")?;
        assert_eq!(host.make(host.call(verb, &pod))?.code(), 0, "{verb}");
    }
    assert_eq!(host.traces()?, Traces::default());
    Ok(())
}

#[test]
fn an_add_that_is_killed_at_any_moment_leaves_nothing_after_del() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    for turn in 0..100 {
        let pod = Pod::new(&format!("killed-{turn}"))?;
        let (call, time) = (host.call("ADD", &pod), Duration::from_micros(250 * turn));
        let was_late = host.run(move || call.kill_after(time))?;
        if turn % 2 == 0 {
            host.add(&pod)?;
        }
        assert_eq!(host.del(&pod)?, DONE, "after {time:?}");
        assert_eq!((host.traces()?, host.leases()?.0), (Traces::default(), 0), "after {time:?}");
        if was_late {
            return Ok(());
        }
    }
    Ok(())
}

#[test]
fn a_del_beside_an_add_never_leaves_a_pod_without_a_lease() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    for turn in 0..60 {
        let pod = Pod::new(&format!("beside-{turn}"))?;
        let (add, del) = (host.call("ADD", &pod), host.call("DEL", &pod));
        let time = Duration::from_micros(500 * turn);
        let (added, deleted) = host.run(move || {
            thread::scope(|scope| {
                let adding = scope.spawn(|| add.make());
                thread::sleep(time);
                let deleted = del.make()?;
                Ok((adding.join().expect("no call panics")?, deleted))
            })
        })?;
        assert_eq!(deleted, DONE, "after {time:?}");
        let (links, leases) = (host.traces()?.links, host.leases()?.0);
        assert_eq!(links, leases, "after {time:?}: {added:?}");
        assert_eq!(host.del(&pod)?, DONE);
    }
    Ok(())
}

#[test]
fn dels_of_one_pod_at_once_all_succeed() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let pod = Pod::new("crowd")?;
    host.add(&pod)?;
    let call = host.call("DEL", &pod);
    let all = host.run(move || {
        thread::scope(|scope| {
            let threads: Vec<_> = (0..20).map(|_| scope.spawn(|| call.clone().make())).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no call panics"))
                .collect::<Result<Vec<_>>>()
        })
    })?;
    assert_eq!(all, vec![DONE; 20]);
    assert_eq!(host.traces()?, Traces::default());
    Ok(())
}

#[test]
fn a_disk_without_room_stops_add_and_not_del() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let (pod, late) = (Pod::new("first")?, Pod::new("late")?);
    host.add(&pod)?;
    let run_dir = host.run_dir();
    host.run(move || {
        // A mount of the folder upon itself, so that it alone can be made read-only.
        mount_bind(&run_dir, &run_dir)?;
        Ok(mount_remount(&run_dir, MountFlags::BIND | MountFlags::RDONLY, "")?)
    })?;
    assert_eq!(host.make(host.call("ADD", &late))?.code(), 5);
    assert_eq!(host.del(&pod)?, DONE);
    assert_eq!((host.traces()?, host.leases()?), (Traces::default(), (1, 0)), "the lease stays");

    let run_dir = host.run_dir();
    host.run(move || Ok(unmount(&run_dir, UnmountFlags::empty())?))?;
    host.add(&late)?;
    assert_eq!(host.make(gc(&host))?, DONE);
    assert_eq!(host.leases()?, (1, 2), "what was kept is released");
    Ok(())
}

#[test]
fn a_disk_that_is_full_stops_add_and_not_del() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let (pod, late) = (Pod::new("first")?, Pod::new("late")?);
    host.add(&pod)?;
    let (table, filling) = (host.table(), host.table().with_file_name("filling"));
    let leases = || {
        let table = table.clone();
        // The node alone sees what is mounted there.
        let text = host.run(move || Ok(std::fs::read_to_string(table)?))?;
        anyhow::Ok(text.lines().filter(|line| line.starts_with("lease\t")).count())
    };
    let (there, full) = (table.clone(), filling.clone());
    host.run(move || {
        let text = std::fs::read(&there)?;
        let folder = there.parent().context("a table is in a folder")?;
        let size = c"size=64k";
        mount("small", folder, "tmpfs", MountFlags::empty(), Some(size))?;
        std::fs::write(&there, text)?;
        // It is meant to fail half-way.
        drop(std::fs::write(&full, vec![0; 1 << 20]));
        Ok(())
    })?;
    assert_eq!(host.make(host.call("ADD", &late))?.code(), 5);
    assert_eq!(host.del(&pod)?, DONE);
    assert_eq!((host.traces()?, leases()?), (Traces::default(), 1), "the lease stays");

    host.run(move || Ok(std::fs::remove_file(&filling)?))?;
    host.add(&late)?;
    assert_eq!(host.make(gc(&host))?, DONE);
    assert_eq!(leases()?, 1, "what was kept is released");
    Ok(())
}

fn gc(host: &Host) -> Call {
    Call::bare("GC").input(&host.config("1.1.0"))
}
