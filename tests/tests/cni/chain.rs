//! Other plugins in the same list, and beside it in the same namespace.

use std::{
    net::{IpAddr, SocketAddr, TcpStream},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{
    host::{Host, Pod, ips},
    plugin::Said,
    tool::{OTHERS, Tool},
};

const BOTH: [&str; 2] = ["10.1.1.0/24", "fd01:1::/64"];
const NODE: [u8; 4] = [192, 0, 2, 1];
/// The port that pods listen at.
const PORT: u16 = 8080;
const HOST_PORT: u16 = 9090;
/// What `tuning` gives a pod.
const TUNED: &str = "02:00:5e:10:00:07";

fn portmap() -> Value {
    json!({ "type": "portmap", "capabilities": { "portMappings": true }, "snat": true })
}

fn tuning(host: &Host) -> Value {
    json!({ "type": "tuning", "mac": TUNED, "dataDir": host.run_dir().join("tuning") })
}

fn bandwidth() -> Value {
    let (rate, burst) = (1_000_000_000, 100_000_000);
    json!({
        "type": "bandwidth",
        "ingressRate": rate, "ingressBurst": burst, "egressRate": rate, "egressBurst": burst,
    })
}

/// Connects to an address and a port of the node's, from the calling thread's namespace.
fn connect(to: SocketAddr, patience: Duration) -> Result<()> {
    TcpStream::connect_timeout(&to, patience).map(drop).with_context(|| format!("connecting {to}"))
}

fn rules(host: &Host) -> Result<String> {
    host.run(|| {
        let mut all = String::new();
        for program in ["iptables-save", "ip6tables-save"] {
            all += &String::from_utf8(Command::new(program).output()?.stdout)?;
        }
        Ok(all)
    })
}

#[test]
fn what_each_plugin_of_a_chain_says_survives_and_nothing_is_left() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let warm = Pod::new("warm")?;
    host.add(&warm)?;
    assert_eq!(host.del(&warm)?.code(), 0);
    for version in ["0.3.1", "0.4.0", "1.0.0"] {
        let before = host.links()?;
        let first = json!({ "type": "loopback" });
        let chain = [first, host.config(version), tuning(&host), portmap(), bandwidth()];
        let tool = Tool::new(&host, version, &chain)?.mapping(HOST_PORT, PORT);
        let pod = Pod::new("chained")?;
        let result = tool.add(&pod)?;
        let name = |index: usize| result["interfaces"][index]["name"].as_str().unwrap_or_default();
        assert!(name(0) == "lo" && name(1).starts_with("wag") && name(2) == "eth0", "{result}");
        assert!(name(3).starts_with("bwp"), "{result}");
        assert_eq!(result["interfaces"][2]["mac"], TUNED);
        let ours = |ip: &&Value| ip["interface"] == 2;
        let count = result["ips"].as_array().into_iter().flatten().filter(ours).count();
        assert_eq!(count, 2, "{result}");
        assert_eq!(result["routes"].as_array().map(Vec::len), Some(2), "{result}");

        // Debian's portmap looks for the rules of each family in the tables of both: its CHECK never
        // succeeds.
        let others = |plugin: &&Value| plugin["type"] != "portmap";
        let checked: Vec<Value> = chain.iter().filter(others).cloned().collect();
        if version != "0.3.1" {
            tool.list(version, &checked)?;
            tool.run("check", &pod)?;
            tool.list(version, &chain)?;
        }
        assert!(rules(&host)?.contains("CNI-DN-"), "portmap has rules for the pod");
        assert_eq!(tool.run("del", &pod)?, None);
        assert!(!rules(&host)?.contains("CNI-DN-"), "and then none");
        assert_eq!(host.links()?, before, "{version}");
        assert_eq!(host.traces()?, super::host::Traces::default(), "{version}");
        assert_eq!(host.leases()?.0, 0);
    }
    Ok(())
}

#[test]
fn a_port_that_portmap_maps_leads_to_the_pod() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let tool = Tool::new(&host, "1.0.0", &[host.config("1.0.0"), portmap()])?;
    let tool = tool.mapping(HOST_PORT, PORT);
    let (pod, client) = (Pod::new("server")?, Pod::new("client")?);
    host.add(&client)?;
    let address = ips(&tool.add(&pod)?)[0];
    let (to, patience) = (SocketAddr::from((NODE, HOST_PORT)), Duration::from_secs(2));

    let listener = pod.listen(address)?;
    host.run(move || connect(to, patience)).context("from the node")?;
    client.inside.run(move || connect(to, patience))?.context("from another pod")?;
    pod.inside.run(move || connect(to, patience))?.context("from the pod itself")?;
    drop(listener);
    assert_eq!(tool.run("del", &pod)?, None);
    assert!(host.run(move || connect(to, patience)).is_err(), "the port is closed again");
    Ok(())
}

#[test]
fn a_pod_whose_hardware_address_tuning_changes_is_reached_within_ten_seconds() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let tool = Tool::new(&host, "1.0.0", &[host.config("1.0.0"), tuning(&host)])?;
    let pod = Pod::new("tuned")?;
    let result = tool.add(&pod)?;
    let start = Instant::now();
    assert_eq!(result["interfaces"][1]["mac"], TUNED);
    let addresses = ips(&result);
    let listeners = addresses.iter().map(|ip| pod.listen(*ip)).collect::<Result<Vec<_>>>()?;
    // Both at once: each would use up the time of the other.
    let reached = host.run(move || {
        thread::scope(|scope| {
            let reach = |ip: IpAddr| scope.spawn(move || reached(ip, start));
            let threads: Vec<_> = addresses.into_iter().map(reach).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no thread panics"))
                .collect::<Result<Vec<_>>>()
        })
    })?;
    drop(listeners);
    println!("reached after {reached:?}");
    assert_eq!(reached.len(), 2);
    tool.run("check", &pod)?;
    assert_eq!(tool.run("del", &pod)?, None);
    Ok(())
}

/// How long after the start an address is reached.
fn reached(ip: IpAddr, start: Instant) -> Result<Duration> {
    let (limit, step) = (Duration::from_secs(10), Duration::from_millis(250));
    loop {
        let outcome = connect(SocketAddr::new(ip, PORT), step);
        let elapsed = start.elapsed();
        ensure!(elapsed < limit, "{ip} was not reached within {limit:?}: {outcome:?}");
        if outcome.is_ok() {
            return Ok(elapsed);
        }
        thread::sleep(step);
    }
}

#[test]
fn the_loopback_plugin_beside_add_a_hundred_times_disturbs_nobody() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let pod = Pod::new("looped")?;
    let config = json!({ "cniVersion": "0.3.1", "name": "lo", "type": "loopback" });
    let loopback = host.call("ADD", &pod).with("CNI_IFNAME", "lo").input(&config);
    let (add, del) = (host.call("ADD", &pod), host.call("DEL", &pod));
    host.run(move || {
        thread::scope(|scope| {
            let turning = scope.spawn(|| -> Result<()> {
                for _ in 0..100 {
                    let said = loopback.clone().make_of(&mut plugin("loopback"))?;
                    ensure!(said.code() == 0, "{said:?}");
                }
                Ok(())
            });
            while !turning.is_finished() {
                let said = add.clone().make()?;
                ensure!(said.code() == 0, "{said:?}");
                ensure!(del.clone().make()? == Said::Done(None));
            }
            turning.join().expect("no thread panics")
        })
    })?;
    for ip in ips(&host.add(&pod)?) {
        host.reaches(&pod, ip)?;
    }
    Ok(())
}

fn plugin(name: &str) -> Command {
    Command::new(format!("{OTHERS}/{name}"))
}
