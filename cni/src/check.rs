//! CHECK: compares what is there with what ADD made. Asked after each ADD by some runtimes, so it
//! asks for little.

use std::net::IpAddr;

use hostnet::{NetNs, Netlink, addr, link, route};
use serde_json::Value;

use crate::name;
use crate::plugin::Plugin;
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
    let expected = expected_ips(plugin, attachment)?;
    check_pod(attachment, namespace, &expected).await?;
    check_host(plugin, attachment, &expected).await
}

/// The addresses that the previous result promised to the interface.
fn expected_ips(plugin: &Plugin<'_>, attachment: &Attachment) -> Result<Vec<IpAddr>, Error> {
    let Some(previous) = &plugin.config.previous else {
        return Err(Error::new(Code::Config, "CHECK needs the result of ADD (prevResult)"));
    };
    let list = |key: &str| previous.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let interfaces = list("interfaces");
    let is_ours = |ip: &Value| match ip.get("interface").and_then(Value::as_u64) {
        None => true,
        Some(index) => usize::try_from(index)
            .ok()
            .and_then(|index| interfaces.get(index))
            .is_some_and(|it| it.get("name") == Some(&attachment.ifname.as_str().into())),
    };
    let address = |ip: &Value| ip.get("address")?.as_str()?.split('/').next()?.parse().ok();
    Ok(list("ips").iter().filter(|ip| is_ours(ip)).filter_map(address).collect())
}

async fn check_pod(
    attachment: &Attachment,
    namespace: &NetNs,
    expected: &[IpAddr],
) -> Result<(), Error> {
    let inside = Netlink::within(namespace)?;
    let ifname = &attachment.ifname;
    let Some(found) = link::find(&inside, ifname).await? else {
        return damaged(format!("{ifname} is missing in {namespace}"));
    };
    let present = addr::list(&inside).await?;
    for ip in expected {
        if !present.iter().any(|each| each.link == found.index && each.network.ip() == *ip) {
            return damaged(format!("{ifname} in {namespace} has lost its address {ip}"));
        }
    }
    let routes = route::list(&inside).await?;
    for ip in expected {
        let is_default = |route: &&route::Route| {
            route.destination.prefix() == 0 && route.destination.is_ipv4() == ip.is_ipv4()
        };
        if !routes.iter().any(|route| is_default(&route)) {
            return damaged(format!("the default route for {ip} is missing in {namespace}"));
        }
    }
    Ok(())
}

async fn check_host(
    plugin: &Plugin<'_>,
    attachment: &Attachment,
    expected: &[IpAddr],
) -> Result<(), Error> {
    let host_name = name::host_link(attachment);
    let Some(found) = link::find(&plugin.host, &host_name).await? else {
        return damaged(format!("link {host_name} is missing on the host"));
    };
    let behind = plugin.ips_behind(&found).await?;
    let table = plugin.store.read(&plugin.boot_id)?.unwrap_or_default();
    for ip in expected {
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
    if !plugin.datapath.is_attached(&plugin.host, &found).await? {
        return damaged(format!("the programs are not attached to {host_name}"));
    }
    Ok(())
}

fn damaged(details: String) -> Result<(), Error> {
    Err(Error::new(Code::Damaged, "the container's network is damaged").details(details))
}
