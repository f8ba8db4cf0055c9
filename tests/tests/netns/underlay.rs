//! The network itself, without Waggle.

use anyhow::Result;
use xtask::workload::ask;

use super::{
    cluster::{ANSWER, Ground},
    services::{PORT, ways},
};

#[test]
fn nodes_reach_each_other_in_both_families() -> Result<()> {
    let ground = Ground::new("underlay")?;
    let (a, b) = (ground.network.a(), ground.network.b());
    let _server = b.as_pod().serve(PORT)?;
    for way in ways(b.addresses().v4.into(), b.addresses().v6.into(), |_| PORT) {
        let answer = a.netns().run(|| ask(way.protocol, way.address, ANSWER))??;
        assert_eq!(answer.server, "node-b", "{way:?}");
    }
    Ok(())
}

#[test]
fn a_node_has_a_name_files_devices_and_a_cgroup_tree_of_its_own() -> Result<()> {
    let ground = Ground::new("node")?;
    let script = "hostname; ls /run; ls /sys/class/net; grep -o '^0:.*' /proc/self/cgroup; \
                  cd /proc/sys/net/ipv4/conf; cat {all,eth0}/rp_filter {all,eth0}/accept_local";
    let output = ground.network.a().command("bash")?.args(["-c", script]).output()?;
    let seen: Vec<_> = std::str::from_utf8(&output.stdout)?.lines().collect();
    let expected = ["node-a", "netns", "eth0", "lo", "0::/", "0", "1", "0", "0"];
    assert_eq!(seen, expected, "{output:?}");
    Ok(())
}
