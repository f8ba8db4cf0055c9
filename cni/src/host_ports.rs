//! Ports of the node that lead to pods, from ADD on until the pod is gone.
//!
//! A port belongs to the pod that had it first. Where that pod is dead (its link or its entry is
//! gone) the next one takes the port over. Who writes a map or the record holds the record's lock,
//! and writes the record first: it is what the agent makes the maps anew from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dataplane_common::abi::{Addr, FrontendKey, FrontendKind, HostPort};
use hostnet::host_ports::{HostPorts, Record};
use hostnet::link;

use crate::datapath::leading_to;
use crate::ipam::LOCK_DEADLINE;
use crate::plugin::Plugin;
use crate::protocol::{Code, Error, PortMapping};
use crate::watchdog;

/// What the mappings of a pod with these addresses come to: a port leads to the pod's first address
/// of a family, where it has one.
///
/// # Errors
/// When two of them want one port to lead to different ones.
pub(crate) fn wanted(
    mappings: &[PortMapping],
    ips: &[IpAddr],
    ifindex: u32,
) -> Result<HostPorts, Error> {
    let mut wanted = HostPorts::new();
    for mapping in mappings {
        for any in [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()] {
            let at = mapping.at.unwrap_or(any);
            let ip = ips.iter().find(|ip| ip.is_ipv4() == at.is_ipv4());
            let Some(ip) = ip.filter(|_| at.is_ipv4() == any.is_ipv4()) else { continue };
            let to = HostPort {
                addr: Addr::from(*ip),
                port: mapping.container,
                reserved: [0; 2],
                ifindex,
            };
            if wanted.insert(key(mapping, at), to).is_some_and(|other| other != to) {
                let message = format!("host port {mapping} is asked for twice");
                return Err(Error::new(Code::Config, message));
            }
        }
    }
    Ok(wanted)
}

fn key(mapping: &PortMapping, at: IpAddr) -> FrontendKey {
    let kind = if at.is_unspecified() { FrontendKind::AnyNode } else { FrontendKind::Exact };
    let PortMapping { host: port, proto, .. } = *mapping;
    FrontendKey { addr: at.into(), port, proto, kind: kind.number() }
}

/// Makes ports lead to a pod, which must be known to the programs.
///
/// # Errors
/// When one leads to another pod that lives, or something refuses. What was done stays.
pub(crate) async fn publish(plugin: &Plugin<'_>, wanted: &HostPorts) -> Result<(), Error> {
    if wanted.is_empty() {
        return Ok(());
    }
    let record = lock(plugin)?;
    let present = plugin.datapath.host_ports()?;
    for (key, to) in wanted {
        let other = present.get(key).filter(|there| there.ifindex != to.ifindex);
        if let Some(owner) = living(plugin, other).await? {
            return Err(taken(key, &owner));
        }
    }
    for (key, other) in overlaps(wanted, &present) {
        crate::log(&format!(
            "host port {} and {} overlap: the exact one counts",
            text(&key),
            text(&other)
        ));
    }
    let mut ports = record.read();
    ports.extend(wanted);
    record.write(&ports)?;
    plugin.datapath.publish(wanted)
}

/// Makes all ports that lead to addresses lead nowhere.
///
/// # Errors
/// When a map refuses. A record that cannot be written names a link that will never be again, and
/// does no harm.
pub(crate) fn withdraw(plugin: &Plugin<'_>, ips: &[IpAddr]) -> Result<(), Error> {
    let is_none = |ports: &HostPorts| leading_to(ports, ips).is_empty();
    if is_none(&plugin.datapath.host_ports()?) {
        return Ok(());
    }
    let record = lock(plugin)?;
    let gone = leading_to(&plugin.datapath.host_ports()?, ips);
    let mut ports = record.read();
    ports.retain(|key, to| gone.get(key) != Some(to));
    if let Err(error) = record.write(&ports) {
        crate::log(&error.to_string());
    }
    plugin.datapath.withdraw(&gone)
}

/// The alias of the link of a port's pod, if that lives.
async fn living(plugin: &Plugin<'_>, port: Option<&HostPort>) -> Result<Option<String>, Error> {
    let Some(HostPort { addr, ifindex, .. }) = port else { return Ok(None) };
    let pod = plugin.datapath.registered(addr.to_ip())?;
    if pod.is_none_or(|pod| pod.ifindex != *ifindex) {
        return Ok(None);
    }
    let found = link::list(&plugin.host).await?.into_iter().find(|link| link.index == *ifindex);
    Ok(found.map(|link| link.alias.unwrap_or(link.name)))
}

fn taken(key: &FrontendKey, owner: &str) -> Error {
    // network/namespace/pod/container/interface
    let pod: Vec<_> = owner.split('/').skip(1).take(2).collect();
    let message = format!("host port {} leads to pod {}", text(key), pod.join("/"));
    Error::new(Code::PortTaken, message)
        .details(format!("its link is {owner:?}; delete that pod, or ask for another port"))
}

/// The ports that one of `wanted` shares with one of another kind: at an address of the node, and at
/// all of them.
fn overlaps(wanted: &HostPorts, present: &HostPorts) -> Vec<(FrontendKey, FrontendKey)> {
    let is_overlap = |a: &FrontendKey, b: &FrontendKey| {
        let is_same = (a.port, a.proto, a.addr.family()) == (b.port, b.proto, b.addr.family());
        is_same && a.kind != b.kind
    };
    let pairs = wanted.keys().flat_map(|key| present.keys().map(move |other| (*key, *other)));
    pairs.filter(|(key, other)| is_overlap(key, other)).collect()
}

/// A port as it is spoken of.
pub(crate) fn text(key: &FrontendKey) -> String {
    let at = Some(key.addr.to_ip());
    let FrontendKey { port, proto, .. } = *key;
    PortMapping { host: port, container: port, proto, at }.to_string()
}

fn lock(plugin: &Plugin<'_>) -> Result<Record, Error> {
    let (run_dir, boot_id) = (plugin.config.run_dir.clone(), plugin.boot_id.clone());
    let take = move || Record::lock(&run_dir, &boot_id, true);
    let busy = || {
        let seconds = LOCK_DEADLINE.as_secs();
        let message = "the record of host ports is locked by another process";
        Error::new(Code::TryAgain, message).details(format!("since {seconds} s: end it"))
    };
    watchdog::within(LOCK_DEADLINE, take).ok_or_else(busy)??.ok_or_else(busy)
}

#[cfg(test)]
mod tests {
    use dataplane_common::abi::{Port, Proto};

    use super::*;

    fn mapping(at: Option<&str>, host: u16, container: u16) -> PortMapping {
        let at = at.map(|ip| ip.parse().unwrap());
        PortMapping {
            host: Port::new(host),
            container: Port::new(container),
            proto: Proto::TCP,
            at,
        }
    }

    /// What ports lead to, as text.
    fn listed(mappings: &[PortMapping], ips: &[&str]) -> Result<Vec<String>, String> {
        let ips: Vec<IpAddr> = ips.iter().map(|ip| ip.parse().unwrap()).collect();
        let wanted = wanted(mappings, &ips, 7).map_err(|error| error.message)?;
        let line = |(key, to): (&FrontendKey, &HostPort)| {
            format!("{} {} {} {}", text(key), key.kind, to.addr.to_ip(), to.port.number())
        };
        Ok(wanted.iter().map(line).collect())
    }

    #[test]
    fn families_do_not_cross_and_no_address_is_any_of_both() {
        let (v4, v6) = ("0.0.0.0:80/tcp 2 10.1.1.7 8080", "[::]:80/tcp 2 fd01::7 8080");
        let exact = "192.0.2.1:80/tcp 0 10.1.1.7 8080";
        let both = ["10.1.1.7", "fd01::7"];
        for (at, ips, expected) in [
            (None, both.as_slice(), vec![v6, v4]),
            (Some("0.0.0.0"), &both, vec![v4]),
            (Some("::"), &both, vec![v6]),
            (Some("192.0.2.1"), &both, vec![exact]),
            (Some("2001:db8::1"), &both[..1], vec![]),
            (None, &both[..1], vec![v4]),
        ] {
            let expected = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(listed(&[mapping(at, 80, 8080)], ips), Ok(expected), "{at:?} {ips:?}");
        }
    }

    #[test]
    fn two_ports_lead_to_one_and_one_does_not_lead_to_two() {
        let two = [mapping(None, 80, 8080), mapping(None, 81, 8080)];
        assert_eq!(listed(&two, &["10.1.1.7"]).map(|ports| ports.len()), Ok(2));
        let same = [mapping(None, 80, 8080), mapping(Some("0.0.0.0"), 80, 8080)];
        assert_eq!(listed(&same, &["10.1.1.7"]).map(|ports| ports.len()), Ok(1));
        let split = [mapping(None, 80, 8080), mapping(Some("0.0.0.0"), 80, 8081)];
        let told = "host port 0.0.0.0:80/tcp is asked for twice".to_owned();
        assert_eq!(listed(&split, &["10.1.1.7"]), Err(told));
        let many: Vec<_> = (1..=40).map(|port| mapping(None, port, port)).collect();
        assert_eq!(listed(&many, &["10.1.1.7", "fd01::7"]).map(|ports| ports.len()), Ok(80));
    }

    #[test]
    fn one_address_and_all_of_its_family_overlap() {
        let of = |at| wanted(&[mapping(Some(at), 80, 8080)], &[[10, 1, 1, 7].into()], 7).unwrap();
        let six = wanted(&[mapping(Some("::"), 80, 8080)], &["fd01::7".parse().unwrap()], 7);
        assert_eq!(overlaps(&of("192.0.2.1"), &of("0.0.0.0")).len(), 1);
        assert_eq!(overlaps(&of("192.0.2.1"), &of("192.0.2.2")), []);
        assert_eq!(overlaps(&of("192.0.2.1"), &six.unwrap()), []);
    }

    #[test]
    fn a_conflict_names_the_pod_that_has_the_port() {
        let key = key(&mapping(None, 80, 8080), Ipv4Addr::UNSPECIFIED.into());
        let error = taken(&key, "waggle/shop/web-0/0123/eth0");
        assert_eq!(error.message, "host port 0.0.0.0:80/tcp leads to pod shop/web-0");
        assert_eq!(error.code, Code::PortTaken);
    }
}
