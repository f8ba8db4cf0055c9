//! What a start finds pinned, and what it makes of it.

use std::fs;

use anyhow::Result;
use aya::maps::{HashMap, Map, MapData};
use dataplane_common::abi::{Addr, Pod};
use serde_json::{Value, json};

use super::host::Host;

/// What the kernel has, by its identifiers.
fn kernel(status: &Value) -> [Value; 3] {
    ["kernel", "hooks", "maps"].map(|part| status[part].clone())
}

#[test]
fn an_agent_that_is_killed_and_started_again_changes_nothing() -> Result<()> {
    for config in ["attach: auto", "attach: clsact"] {
        let host = Host::start()?;
        let agent = host.agent(config)?;
        let before = host.status()?;
        agent.kill()?;
        let without = host.status()?;
        let _agent = host.agent(config)?;
        let after = host.status()?;
        assert_eq!([kernel(&without), kernel(&after)], [kernel(&before), kernel(&before)]);
        assert_eq!([&without["healthy"], &after["healthy"]], [false, true], "{after:#}");
        assert_eq!(after["agent"]["writes"], 0, "{}", host.log()?);
    }
    Ok(())
}

#[test]
fn another_configuration_replaces_programs_in_place_and_keeps_the_tables() -> Result<()> {
    for attach in ["auto", "clsact"] {
        let host = Host::start()?;
        host.agent(&format!("attach: {attach}\ndelivery: bypass\n"))?.kill()?;
        let before = host.status()?;
        let _agent = host.agent(&format!("attach: {attach}\ndelivery: stack\n"))?;
        let after = host.status()?;
        assert_eq!(after["maps"], before["maps"]);
        assert_eq!(after["kernel"]["delivery"], "stack");
        assert_ne!(after["kernel"]["build"], before["kernel"]["build"]);
        let program = |status: &Value| status["hooks"][0]["programId"].clone();
        assert_ne!(program(&after), program(&before));
        assert_eq!(program(&after), after["kernel"]["programs"]["from_netdev"]);
        assert_eq!(after["problems"], json!([]), "{after:#}");
    }
    Ok(())
}

#[test]
fn a_replacement_that_was_interrupted_is_not_taken_for_the_build_before() -> Result<()> {
    let host = Host::start()?;
    host.agent("delivery: bypass")?.kill()?;
    // A folder in the way stops the next build after it took the place of some programs.
    let obstacle = host.pinned("programs/to_pod-last").display().to_string();
    host.run("mkdir", &[&obstacle])?;
    let config = host.path("stack.yaml");
    fs::write(&config, "delivery: stack")?;
    let (config, manifests) = (config.display(), host.path("manifests"));
    let manifests = manifests.display();
    let interrupted =
        host.waggle(&format!("agent --node-name a --manifests {manifests} --config {config}"))?;
    assert!(!interrupted.is_success && interrupted.stderr.contains("to_pod-last"));
    host.run("rmdir", &[&obstacle])?;
    let _agent = host.agent("delivery: bypass")?;
    assert!(host.log()?.contains("loaded programs"), "{}", host.log()?);
    assert_eq!(host.status()?["healthy"], true);
    Ok(())
}

#[test]
fn hooks_follow_the_configured_way_and_none_runs_twice() -> Result<()> {
    let host = Host::start()?;
    for (attach, by) in [("auto", "tcx"), ("clsact", "clsact"), ("auto", "tcx")] {
        host.agent(&format!("attach: {attach}"))?.kill()?;
        let hooks = host.status()?["hooks"].clone();
        let told: Vec<_> = hooks.as_array().into_iter().flatten().map(|it| &it["by"]).collect();
        assert_eq!(told, [by; 4], "{attach}");
    }
    Ok(())
}

#[test]
fn a_pod_whose_device_is_gone_is_forgotten_and_the_others_stay() -> Result<()> {
    let host = Host::start()?;
    host.agent("{}")?.kill()?;
    let path = host.pinned("maps/pods");
    // The loopback device is there on any host, and no device has this index.
    let pods = [("10.1.1.7", 1), ("10.1.1.8", 424_242)].map(|(ip, ifindex)| {
        let ip: std::net::IpAddr = ip.parse().expect("an address");
        (Addr::from(ip), Pod { ifindex, ..Pod::default() })
    });
    let open = || HashMap::<_, Addr, Pod>::try_from(Map::HashMap(MapData::from_pin(&path)?));
    host.inside(|| {
        let mut map = open()?;
        Ok(pods.iter().try_for_each(|(addr, pod)| map.insert(addr, pod, 0))?)
    })?;
    let _agent = host.agent("{}")?;
    let left = host.inside(|| Ok(open()?.iter().collect::<Result<Vec<_>, _>>()?))?;
    assert_eq!(left, pods[..1]);
    Ok(())
}

#[test]
fn a_stopped_agent_ends_well_and_leaves_everything_attached() -> Result<()> {
    let host = Host::start()?;
    let agent = host.agent("{}")?;
    let before = host.status()?;
    assert!(agent.stop()?);
    assert_eq!(kernel(&host.status()?), kernel(&before));
    Ok(())
}
