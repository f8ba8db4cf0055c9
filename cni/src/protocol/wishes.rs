//! What ADD is asked for instead of choosing it: a hardware address, addresses, ranges, and whether
//! the pod may send from any address.
//!
//! ```text
//! CNI_ARGS       MAC=…  IP=…,…                 weakest
//! args.cni       mac    ips
//! runtimeConfig  mac    ips    ipRanges        strongest; portMappings and annotations are here alone
//! ```
//! The strongest hardware address counts; addresses add up, as host-local has it.

use std::net::IpAddr;

use hostnet::Mac;
use ipnetwork::IpNetwork;
use serde_json::{Map, Value};

use super::args;
use super::error::{Code, Error};
use super::port_mapping::PortMapping;

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// The hardware address of the pod's end.
    pub(crate) mac: Option<Mac>,
    /// Addresses, each once.
    pub(crate) ips: Vec<IpAddr>,
    /// Sets of ranges in the place of the node's podCIDRs; a pod gets an address of each set.
    pub(crate) ranges: Option<Vec<Vec<IpRange>>>,
    /// Whether the pod may send from any address.
    pub(crate) unguarded: bool,
    /// Ports of the node that lead to the pod.
    pub(crate) ports: Vec<PortMapping>,
}

/// What runtimes hand on a pod's annotations under, where the network has this capability.
const ANNOTATIONS: &str = "io.kubernetes.cri.pod-annotations";
/// The annotation that lets a pod send from any address (`off`), as virtual machines and keepalived
/// want it.
const GUARD: &str = "waggle.dev/source-guard";

/// A range as it was written, not yet looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IpRange {
    /// The network it is in.
    pub(crate) subnet: IpNetwork,
    /// Its first address; else the network's first.
    pub(crate) start: Option<IpAddr>,
    /// Its last address; else the network's last.
    pub(crate) end: Option<IpAddr>,
    /// An address that is not to be given; else the network's first.
    pub(crate) gateway: Option<IpAddr>,
}

impl Wishes {
    /// Reads the wishes out of `CNI_ARGS` and the configuration.
    ///
    /// # Errors
    /// When one is not what its key says; the key is named.
    pub(crate) fn parse(arguments: &str, config: &Map<String, Value>) -> Result<Self, Error> {
        let object = |keys: &[&str]| {
            keys.iter().try_fold(config, |object, key| object.get(*key)?.as_object())
        };
        let mut wishes = Self::of_arguments(arguments)?;
        for (path, keys) in
            [("args.cni", ["args", "cni"].as_slice()), ("runtimeConfig", &["runtimeConfig"])]
        {
            if let Some(object) = object(keys) {
                wishes.add(path, object)?;
            }
        }
        let ranges = object(&["runtimeConfig"]).and_then(|it| it.get("ipRanges"));
        wishes.ranges = ranges.map(parse_ranges).transpose()?.filter(|sets| !sets.is_empty());
        let annotations = object(&["runtimeConfig", ANNOTATIONS]);
        wishes.unguarded = match annotations.and_then(|it| it.get(GUARD)) {
            None => false,
            Some(value) => parse_switch(value).ok_or_else(|| wrong(ANNOTATIONS, GUARD, value))?,
        };
        wishes.ports = PortMapping::list(config)?;
        Ok(wishes)
    }

    fn of_arguments(arguments: &str) -> Result<Self, Error> {
        let value = |key| args::value(arguments, key).filter(|text| !text.is_empty());
        let wrong = |key, text: &str| refused(Code::Environment, &format!("CNI_ARGS {key}"), text);
        let mut wishes = Self::default();
        if let Some(text) = value("MAC") {
            wishes.mac = Some(parse_mac(text).ok_or_else(|| wrong("MAC", text))?);
        }
        for text in value("IP").into_iter().flat_map(|text| text.split(',')) {
            wishes.add_ip(parse_ip(text).ok_or_else(|| wrong("IP", text))?);
        }
        Ok(wishes)
    }

    fn add(&mut self, path: &str, object: &Map<String, Value>) -> Result<(), Error> {
        let present = |key| object.get(key).filter(|value| !is_unset(value));
        if let Some(value) = present("mac") {
            let mac = value.as_str().and_then(parse_mac);
            self.mac = Some(mac.ok_or_else(|| wrong(path, "mac", value))?);
        }
        let Some(list) = present("ips") else { return Ok(()) };
        for value in list.as_array().ok_or_else(|| wrong(path, "ips", list))? {
            let ip = value.as_str().and_then(parse_ip);
            self.add_ip(ip.ok_or_else(|| wrong(path, "ips", value))?);
        }
        Ok(())
    }

    fn add_ip(&mut self, ip: IpAddr) {
        if !self.ips.contains(&ip) {
            self.ips.push(ip);
        }
    }
}

fn parse_ranges(value: &Value) -> Result<Vec<Vec<IpRange>>, Error> {
    if is_unset(value) {
        return Ok(Vec::new());
    }
    let wrong = |value: &Value| wrong("runtimeConfig", "ipRanges", value);
    let list = |value: &Value| value.as_array().cloned().ok_or_else(|| wrong(value));
    let set = |value: &Value| {
        let ranges = list(value)?;
        ranges.iter().map(|range| IpRange::parse(range).ok_or_else(|| wrong(range))).collect()
    };
    list(value)?.iter().map(set).collect()
}

impl IpRange {
    fn parse(value: &Value) -> Option<Self> {
        let object = value.as_object()?;
        let field = |key: &str| field(object, key);
        let ip = |key: &str| match field(key) {
            None => Some(None),
            Some(value) => value.as_str()?.parse().ok().map(Some),
        };
        Some(Self {
            subnet: field("subnet")?.as_str()?.parse().ok()?,
            start: ip("rangeStart")?,
            end: ip("rangeEnd")?,
            gateway: ip("gateway")?,
        })
    }
}

/// A value that is set. Go's decoder, for which these are written, takes keys in any case.
pub(super) fn field<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    let found = object.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
    found.map(|(_, value)| value).filter(|value| !is_unset(value))
}

/// Go writes an empty text or null for what is not set.
pub(super) fn is_unset(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

/// Whether a guard is switched off.
fn parse_switch(value: &Value) -> Option<bool> {
    match value.as_str()? {
        "off" => Some(true),
        "on" => Some(false),
        _ => None,
    }
}

fn parse_mac(text: &str) -> Option<Mac> {
    let mac: Mac = text.parse().ok()?;
    let is_of_one_station = mac.0[0] & 1 == 0 && mac.0 != [0; 6];
    is_of_one_station.then_some(mac)
}

/// An address, with or without the length of a prefix, of which the pod has none.
fn parse_ip(text: &str) -> Option<IpAddr> {
    text.trim().parse::<IpNetwork>().ok().map(|network| network.ip())
}

pub(super) fn wrong(path: &str, key: &str, value: &Value) -> Error {
    refused(Code::Config, &format!("{path}.{key}"), &value.to_string())
}

fn refused(code: Code, key: &str, text: &str) -> Error {
    Error::new(code, format!("invalid {key}")).details(format!("{text} is not what it must be"))
}

#[cfg(test)]
#[path = "wishes_tests.rs"]
mod tests;
