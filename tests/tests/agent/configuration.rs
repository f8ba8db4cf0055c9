//! The configuration of a kube-proxy, and the sysctls that it asks for.

use anyhow::Result;
use aya::maps::{Array, Map, MapData};
use dataplane_common::abi::{LIVES, Phase};

use super::host::Host;

/// As kube-proxy takes it: settings of connection tracking, and some that mean nothing here.
const CONFIG: &str = "
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
conntrack:
  maxPerCore: 1
  min: 2
  tcpEstablishedTimeout: 2h
  tcpCloseWaitTimeout: 0s
  tcpBeLiberal: true
  udpTimeout: 11s
ipvs: {strictARP: true}
oomScoreAdj: -998
";

/// The first is written in the host's own network namespace alone.
const KEYS: [&str; 6] = [
    "max",
    "tcp_timeout_established",
    "tcp_timeout_close_wait",
    "tcp_be_liberal",
    "udp_timeout",
    "udp_timeout_stream",
];

fn sysctls(host: &Host) -> Result<Vec<String>> {
    let files = KEYS.map(|key| format!("/proc/sys/net/netfilter/nf_conntrack_{key}"));
    let answer = host.run("cat", &files.each_ref().map(String::as_str))?;
    assert!(answer.is_success, "{answer:?}");
    Ok(answer.stdout.lines().map(str::to_owned).collect())
}

#[test]
fn sysctls_are_set_as_a_kube_proxys_configuration_says_and_the_rest_is_named_once() -> Result<()> {
    let host = Host::start()?;
    let before = sysctls(&host)?;
    let agent = host.agent(CONFIG)?;
    let wanted = [&before[0], "7200", &before[2], "1", "11", &before[5]];
    host.wait_until(|_| sysctls(&host).is_ok_and(|found| found == wanted))?;
    let named = format!(
        "configuration {} is taken without ipvs.strictARP (no IPVS here), oomScoreAdj (left to who \
         starts the agent)",
        host.path("config.yaml").display()
    );
    let log = host.log()?;
    assert_eq!(log.matches(&named).count(), 1, "{log}");
    let status = host.waggle("status")?;
    assert!(status.stdout.contains("is taken without ipvs.strictARP"), "{status:?}");
    drop(agent);
    let _agent = host.agent("conntrack: {maxPerCore: 0, tcpEstablishedTimeout: 0s}")?;
    let wanted = [&before[0], "7200", "3600", "1", "11", &before[5]];
    host.wait_until(|_| sysctls(&host).is_ok_and(|found| found == wanted))?;
    Ok(())
}

/// Seconds by phase, as the kernel programs read them.
fn timeouts(host: &Host) -> Result<Vec<u32>> {
    let path = host.pinned("maps/timeouts");
    let first = |phase: &Phase| (0..LIVES).find(|life| Phase::of(*life) == *phase);
    host.inside(|| {
        let timeouts: Array<_, u32> = Map::Array(MapData::from_pin(&path)?).try_into()?;
        Phase::ALL.iter().filter_map(first).map(|life| Ok(timeouts.get(&life, 0)?)).collect()
    })
}

#[test]
fn flows_last_as_the_configuration_says_and_then_as_the_kernels_do() -> Result<()> {
    let host = Host::start()?;
    let _agent = host.agent("conntrack: {udpTimeout: 11s}")?;
    for stream in [120, 77] {
        let file = "/proc/sys/net/netfilter/nf_conntrack_udp_timeout_stream";
        let line = format!("echo {stream} > {file}");
        let answer = host.run("sh", &["-c", &line])?;
        anyhow::ensure!(answer.is_success, "{line}: {answer:?}");
        let expected = [11, stream, 120, 86_400, 120, 3600, 120, 10, 30, 210, 10];
        host.wait_until(|_| timeouts(&host).is_ok_and(|found| found == expected))?;
    }
    Ok(())
}
