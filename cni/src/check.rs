//! CHECK: compares what is there with what ADD made. Asked after each ADD by some runtimes, so it
//! asks for little.

use hostnet::link::Link;
use hostnet::{Mac, NetNs, Netlink, addr, link, route};

use crate::host_ports;
use crate::name;
use crate::plugin::Plugin;
use crate::promise::Promise;
use crate::protocol::{Attachment, Code, Error};

/// Checks a container's network.
///
/// # Errors
/// What is not as it was made, the first thing found.
pub(crate) async fn run(
    plugin: &Plugin<'_>,
    attachment: &Attachment,
    namespace: &NetNs,
) -> Result<(), Error> {
    let Some(previous) = &plugin.config.previous else {
        return Err(Error::new(Code::Config, "CHECK needs the result of ADD (prevResult)"));
    };
    let host_name = name::host_link(attachment);
    let promise = Promise::parse(previous, &attachment.ifname, &host_name)?;
    check_pod(attachment, namespace, &promise).await?;
    let Some(found) = link::find(&plugin.host, &host_name).await? else {
        return damaged(format!("link {host_name} is missing on the host"));
    };
    check_mac(&found, promise.host_mac)?;
    check_host(plugin, attachment, &found, &promise).await
}

async fn check_pod(
    attachment: &Attachment,
    namespace: &NetNs,
    promise: &Promise,
) -> Result<(), Error> {
    let inside = Netlink::within(namespace)?;
    let ifname = &attachment.ifname;
    let Some(found) = link::find(&inside, ifname).await? else {
        return damaged(format!("{ifname} is missing in {namespace}"));
    };
    check_mac(&found, promise.mac)?;
    let present = addr::list(&inside).await?;
    for ip in &promise.ips {
        if !present.iter().any(|each| each.link == found.index && each.network.ip() == *ip) {
            return damaged(format!("{ifname} in {namespace} has lost its address {ip}"));
        }
    }
    let routes = route::list(&inside).await?;
    for ip in &promise.ips {
        let is_default = |route: &route::Route| {
            route.destination.prefix() == 0 && route.destination.is_ipv4() == ip.is_ipv4()
        };
        let is_promised = promise.has_default[usize::from(ip.is_ipv6())];
        if is_promised && !routes.iter().any(is_default) {
            return damaged(format!("the default route for {ip} is missing in {namespace}"));
        }
    }
    Ok(())
}

fn check_mac(found: &Link, promised: Option<Mac>) -> Result<(), Error> {
    match (found.mac, promised) {
        (Some(mac), Some(promised)) if mac != promised => {
            damaged(format!("{} has the hardware address {mac}, not {promised}", found.name))
        }
        _ => Ok(()),
    }
}

async fn check_host(
    plugin: &Plugin<'_>,
    attachment: &Attachment,
    found: &Link,
    promise: &Promise,
) -> Result<(), Error> {
    let behind = plugin.ips_behind(found).await?;
    let table = plugin.store.read(&plugin.boot_id)?.unwrap_or_default();
    for ip in &promise.ips {
        if !behind.contains(ip) {
            return damaged(format!("the route to {ip} is missing on the host"));
        }
        if !table.leases.get(attachment).is_some_and(|lease| lease.ips.contains(ip)) {
            return damaged(format!("{ip} is not leased to this container"));
        }
        if plugin.datapath.registered(*ip)?.is_none_or(|pod| pod.ifindex != found.index) {
            return damaged(format!("the programs do not know {ip}"));
        }
    }
    let mappings = plugin.config.port_mappings()?;
    for (key, to) in host_ports::wanted(&mappings, &promise.ips, found.index)? {
        if plugin.datapath.host_port(&key)? != Some(to) {
            return damaged(format!("host port {} does not lead here", host_ports::text(&key)));
        }
    }
    if !plugin.datapath.is_attached(&plugin.host, found).await? {
        return damaged(format!("the programs are not attached to {}", found.name));
    }
    Ok(())
}

fn damaged(details: String) -> Result<(), Error> {
    Err(Error::new(Code::Damaged, "the container's network is damaged").details(details))
}
