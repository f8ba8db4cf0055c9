//! Ports of the node that lead to the pod: `runtimeConfig.portMappings`.

use std::fmt;
use std::net::IpAddr;

use dataplane_common::abi::{Port, Proto};
use serde_json::{Map, Value};

use super::error::{Code, Error};
use super::wishes::{field, is_unset, wrong};

const KEY: &str = "portMappings";

/// A port of the node that leads to one of the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PortMapping {
    /// The node's port.
    pub(crate) host: Port,
    /// The pod's port.
    pub(crate) container: Port,
    /// The transport protocol.
    pub(crate) proto: Proto,
    /// The one address of the node that it is at; an unspecified one stands for all of its family,
    /// none for all of both.
    pub(crate) at: Option<IpAddr>,
}

impl PortMapping {
    /// Reads the list out of the configuration; each mapping is in it once.
    ///
    /// # Errors
    /// When one is not what it must be.
    pub(crate) fn list(config: &Map<String, Value>) -> Result<Vec<Self>, Error> {
        let list = config.get("runtimeConfig").and_then(|it| it.as_object()?.get(KEY));
        let Some(list) = list.filter(|list| !is_unset(list)) else { return Ok(Vec::new()) };
        let list = list.as_array().ok_or_else(|| not_one(list))?;
        let mut mappings = list.iter().map(Self::parse).collect::<Result<Vec<_>, _>>()?;
        mappings.sort_unstable();
        mappings.dedup();
        Ok(mappings)
    }

    fn parse(value: &Value) -> Result<Self, Error> {
        let object = value.as_object().ok_or_else(|| not_one(value))?;
        let port = |key, name| {
            let number = field(object, key).unwrap_or(&Value::Null);
            let port = number.as_u64().and_then(|number| u16::try_from(number).ok());
            port.filter(|port| *port != 0).map(Port::new).ok_or_else(|| {
                let number = if number.is_null() { &Value::from(0) } else { number };
                Error::new(Code::Config, format!("Invalid {name} port number: {number}"))
            })
        };
        let at = match field(object, "hostIP") {
            None => None,
            Some(text) => {
                let ip = text.as_str().and_then(|text| text.parse::<IpAddr>().ok());
                Some(ip.ok_or_else(|| not_one(value))?.to_canonical())
            }
        };
        let proto = field(object, "protocol").map_or(Some(Proto::TCP), protocol);
        let mapping = Self {
            host: port("hostPort", "host")?,
            container: port("containerPort", "container")?,
            proto: proto.ok_or_else(|| not_one(value))?,
            at,
        };
        mapping.refuse_untranslatable()
    }

    fn refuse_untranslatable(self) -> Result<Self, Error> {
        if !self.proto.keeps_ports() || self.host == self.container {
            return Ok(self);
        }
        let message = format!("host port {self} does not lead to port {}", self.container.number());
        let details = "ports of SCTP cannot be translated: make both the same";
        Err(Error::new(Code::Config, message).details(details))
    }
}

fn protocol(value: &Value) -> Option<Proto> {
    match value.as_str()?.to_ascii_lowercase().as_str() {
        "tcp" => Some(Proto::TCP),
        "udp" => Some(Proto::UDP),
        "sctp" => Some(Proto::SCTP),
        _ => None,
    }
}

fn not_one(value: &Value) -> Error {
    wrong("runtimeConfig", KEY, value)
}

impl fmt::Display for PortMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.host.number();
        match self.at {
            Some(IpAddr::V6(ip)) => write!(f, "[{ip}]:{port}")?,
            Some(ip) => write!(f, "{ip}:{port}")?,
            None => write!(f, "{port}")?,
        }
        f.write_str(match self.proto {
            Proto::UDP => "/udp",
            Proto::SCTP => "/sctp",
            _ => "/tcp",
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn list(mappings: &Value) -> Result<Vec<PortMapping>, (String, String)> {
        let config = json!({ "runtimeConfig": { "portMappings": mappings } });
        let list = PortMapping::list(config.as_object().unwrap());
        list.map_err(|error| (error.message, error.details))
    }

    fn mapping(host: u16, container: u16, proto: Proto, at: Option<&str>) -> PortMapping {
        let at = at.map(|ip| ip.parse().unwrap());
        PortMapping { host: Port::new(host), container: Port::new(container), proto, at }
    }

    #[test]
    fn mappings_are_read_as_runtimes_write_them() {
        for (written, expected) in [
            (json!(null), vec![]),
            (json!([]), vec![]),
            (
                json!([{ "hostPort": 80, "containerPort": 8080, "protocol": "tcp", "hostIP": "" }]),
                vec![mapping(80, 8080, Proto::TCP, None)],
            ),
            (
                json!([
                    { "HostPort": 53, "ContainerPort": 5353, "Protocol": "UDP", "HostIP": "::" },
                    { "hostPort": 53, "containerPort": 53, "hostIP": "::ffff:192.0.2.1" },
                    { "hostPort": 53, "containerPort": 53, "protocol": "TCP", "hostIP": "192.0.2.1" },
                    { "hostPort": 99, "containerPort": 99, "protocol": "sctp" },
                ]),
                vec![
                    mapping(53, 53, Proto::TCP, Some("192.0.2.1")),
                    mapping(53, 5353, Proto::UDP, Some("::")),
                    mapping(99, 99, Proto::SCTP, None),
                ],
            ),
        ] {
            assert_eq!(list(&written), Ok(expected), "{written}");
        }
        assert_eq!(PortMapping::list(&Map::new()), Ok(vec![]));
    }

    #[test]
    fn what_is_no_mapping_is_refused_by_name() {
        let invalid = "invalid runtimeConfig.portMappings";
        for (written, message) in [
            (json!({}), invalid),
            (json!([80]), invalid),
            (json!([{ "hostPort": 80, "containerPort": 80, "hostIP": "here" }]), invalid),
            (json!([{ "hostPort": 80, "containerPort": 80, "protocol": "dccp" }]), invalid),
            (json!([{ "hostPort": 0, "containerPort": 80 }]), "Invalid host port number: 0"),
            (json!([{ "hostPort": -1, "containerPort": 80 }]), "Invalid host port number: -1"),
            (json!([{ "hostPort": 80 }]), "Invalid container port number: 0"),
            (
                json!([{ "hostPort": 70000, "containerPort": 80 }]),
                "Invalid host port number: 70000",
            ),
            (
                json!([{ "hostPort": 80, "containerPort": 81, "protocol": "sctp" }]),
                "host port 80/sctp does not lead to port 81",
            ),
        ] {
            assert_eq!(list(&written).map_err(|(message, _)| message), Err(message.to_owned()));
        }
    }

    #[test]
    fn a_mapping_is_named_by_address_port_and_protocol() {
        for (at, expected) in
            [(None, "53/udp"), (Some("192.0.2.1"), "192.0.2.1:53/udp"), (Some("::"), "[::]:53/udp")]
        {
            assert_eq!(mapping(53, 1, Proto::UDP, at).to_string(), expected);
        }
    }
}
