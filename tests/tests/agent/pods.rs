//! What the host has for a pod comes back when it was lost.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use serde_json::json;

use super::host::Host;

/// Longest wait for an agent to hear of a device.
const PATIENCE: Duration = Duration::from_secs(60);
const ROUTES: [(&str, &str, &str); 2] = [
    ("-4", "10.1.1.7", "10.1.1.7 scope link src 192.0.2.1 \n"),
    ("-6", "fd01:1::7", "fd01:1::7 src fd00::1 metric 1024 pref medium\n"),
];

/// The host's end of a pod's link with what the plugin makes for it, but for programs and entries.
fn wire_pod(host: &Host) -> Result<()> {
    ip(host, "link add wag0 address 02:00:00:00:00:01 type veth peer name pod0")?;
    ip(host, "link set wag0 up")?;
    ip(host, "link set pod0 up")?;
    for (family, address, _) in ROUTES {
        let own = if family == "-4" { "192.0.2.1" } else { "fd00::1" };
        ip(host, &format!("neigh add {address} dev wag0 lladdr 02:00:00:00:00:02 nud stale"))?;
        ip(host, &format!("{family} route add {address} dev wag0 proto 87 src {own}"))?;
    }
    Ok(())
}

fn ip(host: &Host, line: &str) -> Result<String> {
    let answer = host.run("ip", &line.split(' ').collect::<Vec<_>>())?;
    if !answer.is_success {
        bail!("ip {line}: {answer:?}");
    }
    Ok(answer.stdout)
}

fn wait_for_routes(host: &Host) -> Result<()> {
    let started = Instant::now();
    for (family, _, expected) in ROUTES {
        loop {
            let routes = ip(host, &format!("{family} route show dev wag0 proto 87"))?;
            if routes == expected {
                break;
            }
            if started.elapsed() > PATIENCE {
                bail!("waited in vain: {routes:?}\n{}", host.log()?);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

#[test]
fn routes_to_pods_come_back_with_the_nodes_address_and_with_the_pods_link() -> Result<()> {
    let host = Host::start()?;
    wire_pod(&host)?;
    let _agent = host.agent("{}")?;
    wait_for_routes(&host)?;
    for [go, come] in [
        ["address delete 192.0.2.1/24 dev eth0", "address add 192.0.2.1/24 dev eth0"],
        ["link set wag0 down", "link set wag0 up"],
    ] {
        ip(&host, go)?;
        let left = ip(&host, "-4 route show dev wag0 proto 87")?;
        assert!(!left.contains("src"), "{go}: {left}");
        ip(&host, come)?;
        wait_for_routes(&host)?;
    }
    Ok(())
}

#[test]
fn pods_that_a_cleanup_left_get_their_programs_and_entries_back() -> Result<()> {
    for (attach, by) in [("auto", "tcx"), ("clsact", "clsact")] {
        let host = Host::start()?;
        wire_pod(&host)?;
        for _ in ["first", "after a cleanup"] {
            let agent = host.agent(&format!("attach: {attach}"))?;
            let status = host.status()?;
            let hooks: Vec<_> = status["hooks"].as_array().into_iter().flatten().collect();
            let told = |device, direction, program| {
                hooks.iter().any(|hook| {
                    json!([hook["device"], hook["direction"], hook["program"], hook["by"]])
                        == json!([device, direction, program, by])
                })
            };
            assert!(told("wag0", "in", "from_pod") && told("wag0", "out", "to_pod"), "{hooks:?}");
            // Both ends of the two pairs, in both directions.
            assert_eq!((hooks.len(), &status["healthy"]), (8, &json!(true)), "{status:#}");
            let pods = status["maps"].as_array().into_iter().flatten();
            let pods: Vec<_> = pods.filter(|map| map["name"] == "pods").collect();
            assert_eq!(pods[0]["used"], 2, "{}", host.log()?);
            agent.kill()?;
            assert!(host.waggle("cleanup")?.is_success);
        }
    }
    Ok(())
}
