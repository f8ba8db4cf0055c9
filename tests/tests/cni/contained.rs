//! The reconciler in a container: it sees neither the runtime's namespaces nor its processes.

use std::process::Command;

use anyhow::{Result, bail, ensure};

use super::{
    host::{Host, Pod, Traces},
    plugin::{Call, Said, program},
};

const DONE: Said = Said::Done(None);

/// A pod whose ADD was killed when it had addresses and no link.
fn reserved(host: &Host) -> Result<Pod> {
    let pod = Pod::new("reserved")?;
    let call = host.call("ADD", &pod);
    let instants = host.run(|| call.instants())?;
    ensure!(host.del(&pod)? == DONE);
    let rested = host.leases()?.1;
    for instant in instants {
        let call = host.call("ADD", &pod);
        host.run(move || call.kill_at(&instant))?;
        if host.leases()? == (1, rested - 1) && host.traces()?.links == 0 {
            return Ok(pod);
        }
    }
    bail!("no ADD was killed between lease and link")
}

#[test]
fn who_sees_no_namespace_releases_no_address_of_an_add_at_work() -> Result<()> {
    let host = Host::ready(&["10.1.1.0/30"])?;
    let pod = reserved(&host)?;
    let gc = Call::bare("GC").input(&host.config("1.1.0"));
    let contained = gc.clone();
    let said = host.run(move || {
        let mut container = Command::new("/usr/bin/unshare");
        container.args(["--mount", "--pid", "--fork", "--mount-proc", "--"]).arg(program()?);
        contained.make_of(&mut container)
    })?;
    ensure!(said == DONE, "{said:?}");
    assert_eq!(host.leases()?, (1, 0), "its path is not to be seen from there");
    assert_eq!(host.make(gc.clone())?, DONE);
    assert_eq!(host.leases()?, (1, 0), "its namespace lives");
    host.add(&pod)?;
    assert_eq!(host.traces()?, Traces { links: 1, routes: 1, hooks: 2, filters: 0, pods: 1 });

    host.del(&pod)?;
    drop(pod);
    drop(reserved(&host)?);
    assert_eq!(host.make(gc)?, DONE);
    assert_eq!(host.leases()?, (0, 1), "it is gone for who can tell");
    Ok(())
}
