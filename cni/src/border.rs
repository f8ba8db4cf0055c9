//! The border to `cni-plugin`: the types of it that a result is made of.
//!
//! Only its addresses and routes are taken. Its interfaces cannot lack a sandbox, its hardware
//! addresses are in upper case, its configuration refuses what runtimes send, and its replies end
//! the process, so all of that is ours.

use std::net::IpAddr;

use cni_plugin::reply::{Ip, Route};
use ipnetwork::IpNetwork;
use serde_json::Value;

use crate::protocol::{Code, Error};

/// An element of a result's `ips`.
///
/// # Errors
/// When the crate's own type of networks cannot hold ours.
pub(crate) fn ip(address: IpNetwork, gateway: IpAddr, interface: usize) -> Result<Value, Error> {
    let address = foreign(address)?;
    encode(&Ip { address, gateway: Some(gateway), interface: Some(interface) })
}

/// An element of a result's `routes`.
///
/// # Errors
/// When the crate's own type of networks cannot hold ours.
pub(crate) fn route(destination: IpNetwork, gateway: IpAddr) -> Result<Value, Error> {
    encode(&Route { dst: foreign(destination)?, gw: Some(gateway) })
}

/// A network in the type of another release of the same crate, which only its text can be turned
/// into.
fn foreign<T: std::str::FromStr>(network: IpNetwork) -> Result<T, Error> {
    network.to_string().parse().map_err(|_| failed(network.to_string()))
}

fn encode<T: serde::Serialize>(value: &T) -> Result<Value, Error> {
    serde_json::to_value(value).map_err(|error| failed(error.to_string()))
}

fn failed(details: String) -> Error {
    Error::new(Code::Io, "failed to encode the result").details(details)
}
