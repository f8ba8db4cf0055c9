//! Results of ADD, in the shape of the version that was asked for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use hostnet::Mac;
use ipnetwork::IpNetwork;
use serde_json::{Map, Value, json};

use super::config::NetConf;
use super::error::Error;
use super::version::Version;
use crate::border;

/// A pod's network, as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PodNetwork {
    /// Name of the host's end of the link.
    pub(crate) host_name: String,
    /// Hardware address of the host's end.
    pub(crate) host_mac: Mac,
    /// Name of the pod's end.
    pub(crate) pod_name: String,
    /// Hardware address of the pod's end.
    pub(crate) pod_mac: Mac,
    /// The pod's network namespace.
    pub(crate) sandbox: PathBuf,
    /// MTU of both ends.
    pub(crate) mtu: u32,
    /// The pod's addresses, one of each set of ranges.
    pub(crate) addresses: Vec<PodAddress>,
}

/// An address of a pod, and the next hop of its interface for the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PodAddress {
    /// The address.
    pub(crate) ip: IpAddr,
    /// The next hop.
    pub(crate) gateway: IpAddr,
    /// Whether everything of its family goes that way: the pod has no other way out.
    pub(crate) is_way_out: bool,
}

impl PodAddress {
    /// The address as the one member of a network.
    #[must_use]
    pub(crate) fn network(&self) -> IpNetwork {
        self.ip.into()
    }

    /// The network of every address of the same family.
    #[must_use]
    pub(crate) fn everywhere(&self) -> IpNetwork {
        let unspecified: IpAddr = match self.ip {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        IpNetwork::new(unspecified, 0).expect("a prefix of no bits suits either family")
    }
}

impl PodNetwork {
    /// The result of ADD: what earlier plugins made, and this network beside it.
    ///
    /// # Errors
    /// When an address cannot be encoded.
    pub(crate) fn to_json(&self, config: &NetConf) -> Result<Value, Error> {
        let mut result = config.previous.clone().unwrap_or_default();
        result.insert("cniVersion".into(), config.version.as_str().into());
        let first = append(&mut result, "interfaces", self.interfaces(config.version));
        append(&mut result, "ips", self.ips(config.version, first + 1)?);
        append(&mut result, "routes", self.routes()?);
        if let Some(dns) = &config.dns {
            result.insert("dns".into(), dns.clone());
        }
        Ok(result.into())
    }

    fn interfaces(&self, version: Version) -> Vec<Value> {
        let mut host = json!({ "name": self.host_name, "mac": self.host_mac.to_string() });
        let mut pod = json!({
            "name": self.pod_name,
            "mac": self.pod_mac.to_string(),
            "sandbox": self.sandbox,
        });
        if version >= Version::V1_1_0 {
            host["mtu"] = self.mtu.into();
            pod["mtu"] = self.mtu.into();
        }
        vec![host, pod]
    }

    fn ips(&self, version: Version, interface: usize) -> Result<Vec<Value>, Error> {
        let each = |address: &PodAddress| {
            let mut ip = border::ip(address.network(), address.gateway, interface)?;
            if version < Version::V1_0_0 {
                ip["version"] = if address.ip.is_ipv4() { "4" } else { "6" }.into();
            }
            Ok(ip)
        };
        self.addresses.iter().map(each).collect()
    }

    fn routes(&self) -> Result<Vec<Value>, Error> {
        let ways_out = self.addresses.iter().filter(|each| each.is_way_out);
        ways_out.map(|each| border::route(each.everywhere(), each.gateway)).collect()
    }
}

/// Appends to a list of the result and returns the index of the first appended element.
fn append(result: &mut Map<String, Value>, key: &str, elements: Vec<Value>) -> usize {
    let mut list = match result.remove(key) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    let first = list.len();
    list.extend(elements);
    result.insert(key.into(), list.into());
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> PodNetwork {
        PodNetwork {
            host_name: "wag0".into(),
            host_mac: Mac([2, 0, 0, 0, 0, 1]),
            pod_name: "eth0".into(),
            pod_mac: Mac([2, 0, 0, 0, 0, 0xab]),
            sandbox: "/run/netns/a".into(),
            mtu: 1450,
            addresses: vec![
                PodAddress {
                    ip: [10, 1, 1, 2].into(),
                    gateway: [169, 254, 1, 1].into(),
                    is_way_out: true,
                },
                PodAddress {
                    ip: "fd01::2".parse().unwrap(),
                    gateway: "fe80::1".parse().unwrap(),
                    is_way_out: true,
                },
            ],
        }
    }

    fn result(version: &str, extra: &str) -> Value {
        let input = format!(r#"{{"cniVersion":"{version}","name":"waggle"{extra}}}"#);
        network().to_json(&NetConf::parse(input.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn each_version_has_its_shape() {
        let whole = json!({
            "cniVersion": "1.1.0",
            "interfaces": [
                { "name": "wag0", "mac": "02:00:00:00:00:01", "mtu": 1450 },
                { "name": "eth0", "mac": "02:00:00:00:00:ab", "mtu": 1450, "sandbox": "/run/netns/a" },
            ],
            "ips": [
                { "address": "10.1.1.2/32", "gateway": "169.254.1.1", "interface": 1 },
                { "address": "fd01::2/128", "gateway": "fe80::1", "interface": 1 },
            ],
            "routes": [
                { "dst": "0.0.0.0/0", "gw": "169.254.1.1" },
                { "dst": "::/0", "gw": "fe80::1" },
            ],
        });
        for version in Version::ALL {
            let mut expected = whole.clone();
            expected["cniVersion"] = version.as_str().into();
            for interface in expected["interfaces"].as_array_mut().unwrap() {
                if version < Version::V1_1_0 {
                    interface.as_object_mut().unwrap().remove("mtu");
                }
            }
            if version < Version::V1_0_0 {
                expected["ips"][0]["version"] = "4".into();
                expected["ips"][1]["version"] = "6".into();
            }
            assert_eq!(result(version.as_str(), ""), expected, "{version:?}");
        }
    }

    #[test]
    fn what_earlier_plugins_said_survives() {
        let extra = r#","dns":{"search":["a"]},"prevResult":{
            "interfaces":[{"name":"x","socketPath":"/s"}],
            "ips":[{"address":"192.0.2.9/24","interface":0,"odd":1}],
            "routes":[{"dst":"198.51.100.0/24","priority":7}],
            "dns":{"nameservers":["192.0.2.53"]},
            "odd":7}"#;
        let earlier = json!({
            "interface": { "name": "x", "socketPath": "/s" },
            "ip": { "address": "192.0.2.9/24", "interface": 0, "odd": 1 },
            "route": { "dst": "198.51.100.0/24", "priority": 7 },
        });
        for (extra, dns) in [
            (extra.to_owned(), json!({ "search": ["a"] })),
            (extra.replace("search", "later"), json!({ "later": ["a"] })),
            (extra.replace(r#"["a"]"#, "null"), json!({ "nameservers": ["192.0.2.53"] })),
        ] {
            let result = result("1.1.0", &extra);
            assert_eq!(result["odd"], 7);
            assert_eq!(result["interfaces"][0], earlier["interface"]);
            assert_eq!(result["ips"][0], earlier["ip"]);
            assert_eq!(result["routes"][0], earlier["route"]);
            assert_eq!(result["ips"][1]["interface"], 2);
            assert_eq!(result["interfaces"].as_array().map(Vec::len), Some(3));
            assert_eq!(result["dns"], dns);
        }
    }

    #[test]
    fn a_previous_result_of_another_shape_is_built_upon() {
        for previous in ["{}", r#"{"interfaces":null,"ips":7}"#, r#""garbage""#, "null"] {
            let found = result("1.0.0", &format!(r#","prevResult":{previous}"#));
            assert_eq!(found, result("1.0.0", ""), "{previous}");
        }
    }

    #[test]
    fn only_ways_out_are_told() {
        let mut network = network();
        network.addresses[1].is_way_out = false;
        let input = br#"{"cniVersion":"1.0.0","name":"waggle"}"#;
        let result = network.to_json(&NetConf::parse(input).unwrap()).unwrap();
        assert_eq!(result["ips"].as_array().map(Vec::len), Some(2));
        assert_eq!(result["routes"], json!([{ "dst": "0.0.0.0/0", "gw": "169.254.1.1" }]));
    }
}
