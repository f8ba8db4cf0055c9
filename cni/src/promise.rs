//! What the result of ADD promised to an interface, read back for CHECK. Plugins after this one may
//! have changed the result along with the interface, so it counts more than our own record.

use std::net::IpAddr;

use hostnet::Mac;
use ipnetwork::IpNetwork;
use serde_json::{Map, Value};

use crate::protocol::{Code, Error};

/// The promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Promise {
    /// The interface's addresses.
    pub(crate) ips: Vec<IpAddr>,
    /// Its hardware address, where one is told.
    pub(crate) mac: Option<Mac>,
    /// The hardware address of the host's end, where one is told.
    pub(crate) host_mac: Option<Mac>,
    /// Of which of the families, IPv4 and IPv6, a default route is there.
    pub(crate) has_default: [bool; 2],
}

impl Promise {
    /// Reads the promise to an interface of the pod, whose other end on the host has a name too.
    ///
    /// # Errors
    /// When the result contradicts itself, or promises nothing.
    pub(crate) fn parse(
        result: &Map<String, Value>,
        ifname: &str,
        host_name: &str,
    ) -> Result<Self, Error> {
        let interfaces = list(result, "interfaces");
        let mac = |wanted: &dyn Fn(&Value) -> bool| {
            interfaces.iter().find(|each| wanted(each))?.get("mac")?.as_str()?.parse().ok()
        };
        let mut ips = Vec::new();
        for ip in list(result, "ips") {
            if is_of(ip, interfaces, ifname)? {
                ips.push(address(ip)?);
            }
        }
        if ips.is_empty() {
            return Err(invalid(format!("it has no address of {ifname}")));
        }
        Ok(Self {
            ips,
            mac: mac(&|each| is_in_pod(each) && each["name"] == ifname),
            host_mac: mac(&|each| !is_in_pod(each) && each["name"] == host_name),
            has_default: [false, true].map(|is_ipv6| has_default(result, is_ipv6)),
        })
    }
}

/// Whether an address is the interface's: without an index, every address is.
fn is_of(ip: &Value, interfaces: &[Value], ifname: &str) -> Result<bool, Error> {
    let Some(index) = ip.get("interface").filter(|index| !index.is_null()) else { return Ok(true) };
    let place = index.as_u64().and_then(|index| usize::try_from(index).ok());
    let Some(interface) = place.and_then(|place| interfaces.get(place)) else {
        let count = interfaces.len();
        return Err(invalid(format!("an address is of interface {index} of {count}")));
    };
    if !is_in_pod(interface) {
        return Err(invalid(format!(
            "an address is of {}, which is the host's",
            interface["name"]
        )));
    }
    Ok(interface["name"] == ifname)
}

fn address(ip: &Value) -> Result<IpAddr, Error> {
    let text = &ip["address"];
    let network = text.as_str().and_then(|text| text.parse::<IpNetwork>().ok());
    network.map(|network| network.ip()).ok_or_else(|| invalid(format!("{text} is no address")))
}

fn has_default(result: &Map<String, Value>, is_ipv6: bool) -> bool {
    let destination = |route: &Value| route["dst"].as_str()?.parse::<IpNetwork>().ok();
    let mut destinations = list(result, "routes").iter().filter_map(destination);
    destinations.any(|it| it.prefix() == 0 && it.is_ipv6() == is_ipv6)
}

fn is_in_pod(interface: &Value) -> bool {
    interface["sandbox"].as_str().is_some_and(|sandbox| !sandbox.is_empty())
}

fn list<'a>(result: &'a Map<String, Value>, key: &str) -> &'a [Value] {
    result.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn invalid(details: String) -> Error {
    Error::new(Code::Config, "invalid prevResult").details(details)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn result() -> Value {
        json!({
            "interfaces": [
                { "name": "wag0", "mac": "02:00:00:00:00:01" },
                { "name": "eth0", "mac": "02:00:00:00:00:AB", "sandbox": "/run/netns/a" },
                { "name": "net1", "mac": "02:00:00:00:00:03", "sandbox": "/run/netns/a" },
            ],
            "ips": [
                { "address": "10.1.1.2/32", "interface": 1 },
                { "address": "fd01::2/128" },
                { "address": "192.0.2.9/24", "interface": 2 },
            ],
            "routes": [{ "dst": "0.0.0.0/0" }],
        })
    }

    fn parse(result: &Value) -> Result<Promise, Error> {
        Promise::parse(result.as_object().unwrap(), "eth0", "wag0")
    }

    #[test]
    fn each_interface_has_its_own() {
        let expected = Promise {
            ips: vec![[10, 1, 1, 2].into(), "fd01::2".parse().unwrap()],
            mac: Some(Mac([2, 0, 0, 0, 0, 0xab])),
            host_mac: Some(Mac([2, 0, 0, 0, 0, 1])),
            has_default: [true, false],
        };
        assert_eq!(parse(&result()), Ok(expected.clone()));

        let mut shorter = result();
        shorter["routes"] = json!([]);
        shorter["interfaces"][0]["mac"] = json!(null);
        shorter["interfaces"][1]["mac"] = json!("");
        let expected = Promise { mac: None, host_mac: None, has_default: [false; 2], ..expected };
        assert_eq!(parse(&shorter), Ok(expected));
    }

    #[test]
    fn a_result_that_contradicts_itself_is_refused() {
        for (index, details) in [
            (json!(3), "an address is of interface 3 of 3"),
            (json!(-1), "an address is of interface -1 of 3"),
            (json!(1.5), "an address is of interface 1.5 of 3"),
            (json!("1"), "an address is of interface \"1\" of 3"),
            (json!(u64::MAX), "an address is of interface 18446744073709551615 of 3"),
            (json!(0), "an address is of \"wag0\", which is the host's"),
        ] {
            let mut result = result();
            result["ips"][0]["interface"] = index;
            let error = parse(&result).unwrap_err();
            assert_eq!((error.code, error.details.as_str()), (Code::Config, details));
        }
    }

    #[test]
    fn a_result_without_addresses_promises_nothing() {
        for ips in [json!([]), json!(null), json!([{ "address": "192.0.2.9/24", "interface": 2 }])]
        {
            let mut result = result();
            result["ips"] = ips;
            assert_eq!(parse(&result).unwrap_err().details, "it has no address of eth0");
        }
        let mut result = result();
        result["ips"][0]["address"] = json!("nowhere");
        assert_eq!(parse(&result).unwrap_err().details, "\"nowhere\" is no address");
    }
}
