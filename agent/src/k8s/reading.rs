//! What comes of reading an object: perhaps a spec, perhaps problems, perhaps both.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::IpNetwork;

use crate::model::Protocol;
use crate::problem::Problem;

/// The label by which a Service asks every service proxy of the default kind to leave it alone. Of
/// slices it says nothing, as for kube-proxy 1.36.
pub(crate) const ANOTHERS: &str = "service.kubernetes.io/service-proxy-name";

/// The label by which endpoints are those of a Service without an address, so that no proxy needs
/// them. Of Services it says nothing, as for kube-proxy since 1.35.
pub(crate) const HEADLESS: &str = "service.kubernetes.io/headless";

/// What came of reading an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading<T> {
    /// What can matter; none where nothing does, as if the object did not exist.
    pub spec: Option<T>,
    /// What is wrong. Object and place are filled in by [`super::Object::read`].
    pub problems: Vec<Problem>,
}

/// Problems found so far in one object.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Problem>);

impl<T> Reading<T> {
    /// Nothing that matters, and nothing wrong.
    #[must_use]
    pub fn ignored() -> Self {
        Self { spec: None, problems: Vec::new() }
    }

    /// The same reading of something wider.
    pub fn map<U>(self, widen: impl FnOnce(T) -> U) -> Reading<U> {
        Reading { spec: self.spec.map(widen), problems: self.problems }
    }
}

impl Findings {
    /// Something that is wrong.
    pub(super) fn error(&mut self, message: impl Into<String>) {
        self.0.push(Problem::error("", message));
    }

    /// The end of reading.
    pub(super) fn with<T>(self, spec: Option<T>) -> Reading<T> {
        Reading { spec, problems: self.0 }
    }

    /// An IP address, or a finding about `field`.
    pub(super) fn address(&mut self, field: &str, text: &str) -> Option<IpAddr> {
        let address = parse_ip(text);
        if address.is_none() {
            self.error(format!("has {field} \"{text}\", which is no IP address; correct it"));
        }
        address
    }

    /// A network by its first address, or a finding about `field`.
    pub(super) fn network(&mut self, field: &str, text: &str) -> Option<IpNetwork> {
        let network = parse_network(text.trim());
        if network.is_none() {
            self.error(format!(
                "has {field} \"{text}\", which is no network; write it as 192.0.2.0/24"
            ));
        }
        network
    }

    /// An address of one host among others, or a finding about `field`.
    pub(super) fn host_address(&mut self, field: &str, text: &str) -> Option<IpAddr> {
        let ip = self.address(field, text)?;
        self.unless(is_of_no_other_host(ip), field, ip)
    }

    /// One that is a host's beyond its own link too.
    pub(super) fn routed_address(&mut self, field: &str, text: &str) -> Option<IpAddr> {
        let ip = self.host_address(field, text)?;
        let is_link_local = match ip {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        self.unless(is_link_local, field, ip)
    }

    fn unless(&mut self, is_bad: bool, field: &str, ip: IpAddr) -> Option<IpAddr> {
        if is_bad {
            self.error(format!("has {field} {ip}, which cannot be used here; use another address"));
        }
        (!is_bad).then_some(ip)
    }

    /// Whether a traffic policy is Local.
    pub(super) fn is_local(&mut self, field: &str, policy: Option<&str>) -> bool {
        if let Some(other) = policy.filter(|it| !["", "Cluster", "Local"].contains(it)) {
            self.error(format!(
                "has {field} \"{other}\", which is taken as Cluster; use Cluster or Local"
            ));
        }
        policy == Some("Local")
    }

    /// A protocol, or a finding about `field`.
    pub(super) fn protocol(&mut self, field: &str, text: Option<&str>) -> Option<Protocol> {
        match text {
            None | Some("TCP") => return Some(Protocol::Tcp),
            Some("UDP") => return Some(Protocol::Udp),
            Some("SCTP") => return Some(Protocol::Sctp),
            Some(other) => {
                self.error(format!("has {field} of protocol \"{other}\"; use TCP, UDP or SCTP"));
            }
        }
        None
    }

    /// A port number from 1 to 65535, or a finding about `field`.
    pub(super) fn port(&mut self, field: &str, number: i32) -> Option<u16> {
        let port = u16::try_from(number).ok().filter(|port| *port != 0);
        if port.is_none() {
            self.error(format!("has {field} {number}; use a number from 1 to 65535"));
        }
        port
    }
}

/// Whether an object has a label, with whatever value.
pub(super) fn has_label(labels: Option<&BTreeMap<String, String>>, label: &str) -> bool {
    labels.is_some_and(|labels| labels.contains_key(label))
}

fn is_of_no_other_host(ip: IpAddr) -> bool {
    let is_broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || is_broadcast
}

/// An address as Kubernetes reads it: leading zeros of IPv4 parts are decimal (CVE-2021-29923).
fn parse_ip(text: &str) -> Option<IpAddr> {
    let plain = text.parse().ok().or_else(|| parse_padded_ipv4(text).map(IpAddr::V4));
    plain.as_ref().map(IpAddr::to_canonical)
}

fn parse_network(text: &str) -> Option<IpNetwork> {
    let (ip, bits) = text.split_once('/')?;
    let network = IpNetwork::new(parse_ip(ip)?, bits.parse().ok()?).ok()?;
    IpNetwork::new(network.network(), network.prefix()).ok()
}

fn parse_padded_ipv4(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u8> = text.split('.').map(parse_octet).collect::<Option<_>>()?;
    <[u8; 4]>::try_from(parts).ok().map(Ipv4Addr::from)
}

fn parse_octet(text: &str) -> Option<u8> {
    // `parse` would take a sign.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_kubernetes_reads_them() {
        for (text, expected) in [
            ("172.30.0.041", Some("172.30.0.41")),
            ("10.0.0.1", Some("10.0.0.1")),
            ("fd00::0001", Some("fd00::1")),
            ("::ffff:10.0.0.1", Some("10.0.0.1")),
            ("10.0.0", None),
            ("10.0.0.256", None),
            ("10.0.0.+1", None),
            ("", None),
            ("fe80::1%eth0", None),
        ] {
            let expected: Option<IpAddr> = expected.map(|text| text.parse().unwrap());
            assert_eq!(parse_ip(text), expected, "{text}");
        }
    }
}
