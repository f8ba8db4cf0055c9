//! What a pod may do to its own interface and live.

use std::time::{Duration, Instant};

use anyhow::Result;
use hostnet::{Netlink, addr, link};

use super::host::{Host, Pod, block_on, ips};

const BOTH: [&str; 2] = ["10.1.1.0/24", "fd01:1::/64"];
/// How long the kernel may need to learn a pod's new hardware address.
const PATIENCE: Duration = Duration::from_secs(15);

#[test]
fn addresses_survive_when_the_interface_goes_down() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let pod = Pod::new("down")?;
    let result = host.add(&pod)?;
    pod.inside.ip("link set eth0 down")?;
    pod.inside.ip("link set eth0 up")?;
    let present = pod.inside.run(|| {
        block_on(async {
            let netlink = Netlink::here()?;
            let index = link::require(&netlink, "eth0").await?.index;
            let all = addr::list(&netlink).await?.into_iter();
            Ok(all
                .filter(|each| each.link == index)
                .map(|each| each.network.ip())
                .collect::<Vec<_>>())
        })
    })??;
    assert!(ips(&result).iter().all(|ip| present.contains(ip)), "{present:?}");
    Ok(())
}

#[test]
fn a_pod_that_forgets_its_neighbours_is_served() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let pod = Pod::new("forgets")?;
    for ip in ips(&host.add(&pod)?) {
        pod.inside.ip("neigh flush all")?;
        host.reaches(&pod, ip)?;
    }
    Ok(())
}

#[test]
fn a_pod_that_changes_its_hardware_address_is_reached_again() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let pod = Pod::new("moves")?;
    let addresses = ips(&host.add(&pod)?);
    for ip in &addresses {
        host.reaches(&pod, *ip)?;
    }
    pod.inside.ip("link set eth0 address 02:00:00:00:00:77")?;
    let change = Instant::now();
    for ip in addresses {
        while let Err(error) = host.reaches(&pod, ip) {
            assert!(change.elapsed() < PATIENCE, "{error:#}");
        }
    }
    Ok(())
}
