//! What ADD refuses, and that it leaves nothing then.

use std::fs::File;

use anyhow::{Context as _, Result};
use hostnet::Mac;

use super::{
    host::{Host, Pod, Traces},
    plugin::{Call, Said},
};

const V4: [&str; 1] = ["10.1.1.0/24"];
/// Hardware addresses at the node's end and at the pod's.
const SOMEBODY: [Mac; 2] = [Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2])];

#[test]
fn a_node_that_is_not_ready_asks_to_try_again() -> Result<()> {
    let host = Host::bare()?;
    let pod = Pod::new("early")?;
    let refusal = || match host.make(host.call("ADD", &pod))? {
        Said::Failed { code: 11, text } => Ok(text),
        other => anyhow::bail!("{other:?}"),
    };
    let status = || host.make(Call::bare("STATUS").input(&host.config("1.1.0")));

    assert!(refusal()?.contains("node.json is not there: start the agent"));
    assert_eq!(status()?.code(), 50);
    host.write_node_file(&V4, "auto")?;
    assert!(refusal()?.contains("is not pinned: start the agent"));
    assert_eq!(status()?.code(), 50);
    assert_eq!(host.leases()?, (0, 0));
    host.load()?;
    assert_eq!(status()?, Said::Done(None));
    host.add(&pod).map(drop)
}

#[test]
fn a_store_that_others_work_with_is_ready() -> Result<()> {
    let host = Host::ready(&V4)?;
    host.add(&Pod::new("before")?)?;
    let held = File::open(host.table().with_file_name("lock"))?;
    held.lock()?;
    let status = Call::bare("STATUS").input(&host.config("1.1.0"));
    assert_eq!(host.make(status)?, Said::Done(None));
    Ok(())
}

#[test]
fn what_is_no_namespace_for_a_pod_is_refused() -> Result<()> {
    let host = Host::ready(&V4)?;
    let pod = Pod::new("nowhere")?;
    for path in ["/proc/thread-self/ns/net", "/proc/self/status", "/run/netns/never-was"] {
        let said = host.make(host.call("ADD", &pod).with("CNI_NETNS", path))?;
        assert_eq!(said.code(), 4, "{path}: {said:?}");
    }
    assert_eq!((host.traces()?, host.leases()?), (Traces::default(), (0, 0)));
    Ok(())
}

#[test]
fn an_interface_of_somebody_else_is_left_alone() -> Result<()> {
    let host = Host::ready(&V4)?;
    let pod = Pod::new("taken")?;
    host.make_pair(&pod, SOMEBODY, "other0", "somebody's")?;
    match host.make(host.call("ADD", &pod))? {
        Said::Failed { code: 102, text } => assert!(text.contains("eth0 already exists"), "{text}"),
        other => panic!("{other:?}"),
    }
    assert_eq!((host.traces()?, host.leases()?), (Traces::default(), (0, 0)));
    assert!(host.links()?.iter().any(|link| link.name == "other0"));
    Ok(())
}

#[test]
fn a_link_of_somebody_else_under_our_name_is_left_alone() -> Result<()> {
    let host = Host::ready(&V4)?;
    let (pod, other) = (Pod::new("collides")?, Pod::new("other")?);
    let result = host.add(&pod)?;
    let name = result["interfaces"][0]["name"].as_str().context("no name")?.to_owned();
    assert_eq!(host.del(&pod)?.code(), 0);

    host.make_pair(&other, SOMEBODY, &name, "somebody's")?;
    let said = host.make(host.call("ADD", &pod))?;
    assert_eq!(said.code(), 102, "{said:?}");
    assert_eq!(host.leases()?.0, 0, "what was reserved is released");
    assert_eq!(host.del(&pod)?, Said::Done(None));
    assert!(host.links()?.iter().any(|link| link.name == name));
    Ok(())
}

#[test]
fn a_link_of_somebody_else_under_a_dead_pods_name_is_not_collected() -> Result<()> {
    let host = Host::ready(&V4)?;
    let (pod, other) = (Pod::new("dead")?, Pod::new("other")?);
    let result = host.add(&pod)?;
    let name = result["interfaces"][0]["name"].as_str().context("no name")?.to_owned();
    drop(pod);
    host.wait_for_links(0)?;
    host.make_pair(&other, SOMEBODY, &name, "somebody's")?;
    let gc = Call::bare("GC").input(&host.config("1.1.0"));
    assert_eq!(host.make(gc)?, Said::Done(None));
    assert!(host.links()?.iter().any(|link| link.name == name));
    Ok(())
}
