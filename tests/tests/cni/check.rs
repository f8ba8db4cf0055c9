//! CHECK finds whatever is not as the result of ADD says, and ADD again mends it.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::host::{Host, Pod, ips};

const BOTH: [&str; 2] = ["10.1.1.0/24", "fd01:1::/64"];

/// How a pod's network can be damaged.
#[derive(Clone, Debug)]
enum Damage {
    /// By this in the pod.
    Pod(String),
    /// By this on the node.
    Node(String),
}

fn check(host: &Host, pod: &Pod, result: &Value) -> Result<u64> {
    let mut config = host.config("1.0.0");
    config["prevResult"] = result.clone();
    Ok(host.make(host.call("CHECK", pod).input(&config))?.code())
}

#[test]
fn each_damage_is_found_and_mended_by_another_add() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let pod = Pod::new("damaged")?;
    let result = host.add(&pod)?;
    let link = result["interfaces"][0]["name"].as_str().context("no name")?;
    let [v4, v6] = ips(&result)[..] else { anyhow::bail!("{result}") };
    for damage in [
        Damage::Pod(format!("addr del {v4}/32 dev eth0")),
        Damage::Pod(format!("addr del {v6}/128 dev eth0")),
        Damage::Pod("-4 route del default".into()),
        Damage::Pod("-6 route del default".into()),
        Damage::Pod("link set eth0 address 02:00:00:00:00:77".into()),
        Damage::Pod("link del eth0".into()),
        Damage::Node(format!("link del {link}")),
        Damage::Node(format!("route del {v4}/32 dev {link}")),
        Damage::Node(format!("-6 route del {v6}/128 dev {link}")),
        Damage::Node(format!("link set {link} address 02:00:00:00:00:78")),
    ] {
        assert_eq!(check(&host, &pod, &result)?, 0, "before {damage:?}");
        match &damage {
            Damage::Pod(line) => pod.inside.ip(line)?,
            Damage::Node(line) => host.ip(line)?,
        }
        assert_eq!(check(&host, &pod, &result)?, 101, "{damage:?}");
        assert_eq!(host.add(&pod)?, result, "{damage:?}");
    }
    assert_eq!(check(&host, &pod, &result)?, 0);
    Ok(())
}

#[test]
fn what_a_later_plugin_changed_and_told_is_no_damage() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let pod = Pod::new("tuned")?;
    let mut result = host.add(&pod)?;
    let link = result["interfaces"][0]["name"].as_str().context("no name")?.to_owned();
    pod.inside.ip("link set eth0 address 02:00:00:00:00:77")?;
    pod.inside.ip("link set eth0 mtu 1300")?;
    pod.inside.ip("-6 route del default")?;
    result["interfaces"][1]["mac"] = json!("02:00:00:00:00:77");
    let routes = result["routes"].as_array_mut().context("no routes")?;
    routes.retain(|route| route["dst"] != "::/0");
    assert_eq!(check(&host, &pod, &result)?, 0);
    assert_eq!(host.del(&pod)?.code(), 0);
    assert!(host.links()?.iter().all(|each| each.name != link));
    Ok(())
}

#[test]
fn a_result_that_contradicts_itself_is_refused_without_a_panic() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let pod = Pod::new("indexes")?;
    let result = host.add(&pod)?;
    for (index, code) in [
        (json!(2), 7),
        (json!(-1), 7),
        (json!(u64::MAX), 7),
        (json!(0), 7),
        (json!("1"), 7),
        (json!(1), 0),
        (json!(null), 0),
    ] {
        let mut changed = result.clone();
        changed["ips"][0]["interface"] = index.clone();
        assert_eq!(check(&host, &pod, &changed)?, code, "{index}");
    }
    Ok(())
}
