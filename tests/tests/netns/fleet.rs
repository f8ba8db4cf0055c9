//! A thousand other nodes: known all at once, and one by one.

use std::fs;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use xtask::{cluster::Agent, topology::Netns};

use super::{
    cluster::{Ground, wait_until},
    land::{Land, as_they_are, said},
};

const MANY: usize = 1000;
/// What the kernel is told of a node behind the tunnel: an end and a route of each family, and a host.
const EACH: usize = 5;

/// What an agent has made and deleted so far, by its own words.
fn steps(agent: &Agent<'_>) -> Result<(usize, usize)> {
    let text = fs::read_to_string(agent.log())?;
    Ok((text.matches(" made item=").count(), text.matches(" deleted item=").count()))
}

/// Nodes behind the router, without those that are left out.
fn objects(count: usize, left_out: Option<usize>) -> String {
    let node = |index: usize| {
        let (high, low) = (index / 250, index % 250);
        format!(
            "apiVersion: v1\nkind: Node\nmetadata: {{name: far-{index}}}\nspec:\n\
             \x20 podCIDRs: [10.{}.{low}.0/24, \"fd00:{high:x}:{low:x}::/64\"]\nstatus:\n\
             \x20 addresses: [{{type: InternalIP, address: 172.20.{high}.{low}}}]\n---\n",
            high + 16
        )
    };
    (0..count).filter(|index| Some(*index) != left_out).map(node).collect()
}

/// Routes of ours through the tunnel.
fn routes(netns: &Netns) -> Result<usize> {
    let of =
        |family| said(netns, "ip", &[family, "route", "show", "dev", "waggle.1", "proto", "87"]);
    Ok(of("-4")?.lines().count() + of("-6")?.lines().count())
}

#[test]
fn a_thousand_nodes_are_known_and_one_more_costs_no_more_than_itself() -> Result<()> {
    let ground = Ground::with_nodes("fleet", 1, 0)?;
    let land = Land::start(&ground, "mode: vxlan\n", &as_they_are(&ground))?;
    let (agent, netns) = (&land.agents[0], ground.network.a().netns());
    let (file, draft) =
        (ground.folder.join("manifests/fleet.yaml"), ground.folder.join("manifests/.fleet"));
    for (name, count, left_out, made, deleted) in [
        ("a thousand come", MANY, None, MANY * EACH, 0),
        ("one more comes", MANY + 1, None, EACH, 0),
        ("one goes", MANY + 1, Some(500), 0, EACH),
        ("it comes back", MANY + 1, None, EACH, 0),
    ] {
        let ((made_before, deleted_before), began) = (steps(agent)?, Instant::now());
        fs::write(&draft, objects(count, left_out))?;
        fs::rename(&draft, &file)?;
        let expected = (made_before + made, deleted_before + deleted);
        wait_until(|| Ok(steps(agent)? == expected)).with_context(|| {
            format!("{name}: {:?}, not {expected:?}\n{}", steps(agent), land.logs())
        })?;
        println!("{name}: within {:?}", began.elapsed());
        let present = count - usize::from(left_out.is_some());
        ensure!(routes(netns)? == 2 * present, "{name}: {} routes", routes(netns)?);
    }
    Ok(())
}
