//! Addresses to listen at.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize as _, Deserializer, de};

/// The port of health checks, where none is named.
pub(super) const HEALTHZ_PORT: u16 = 10_256;
/// The port of metrics, where none is named.
pub(super) const METRICS_PORT: u16 = 10_249;

/// An address to listen at, perhaps with a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BindAddress {
    ip: IpAddr,
    port: Option<u16>,
}

/// A text that is no address to listen at.
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is no address to listen at; write it as 0.0.0.0:10256 or [::]:10256")]
pub(crate) struct NoAddress(String);

impl BindAddress {
    /// With `port` where it has none of its own.
    pub(super) fn or_port(self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip, self.port.unwrap_or(port))
    }
}

impl FromStr for BindAddress {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(at) = text.parse::<SocketAddr>() {
            return Ok(Self { ip: at.ip(), port: Some(at.port()) });
        }
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        let ip = bare.parse().map_err(|_| NoAddress(text.to_owned()))?;
        Ok(Self { ip, port: None })
    }
}

/// Reads an address to tell the proxy's health at, which is told nowhere where the port is 0.
pub(crate) fn healthz_address(text: &str) -> Result<SocketAddr, NoAddress> {
    address(text, HEALTHZ_PORT)
}

/// Reads an address to tell metrics at, which are told nowhere where the port is 0.
pub(crate) fn metrics_address(text: &str) -> Result<SocketAddr, NoAddress> {
    address(text, METRICS_PORT)
}

/// Nothing at all is port 0.
fn address(text: &str, port: u16) -> Result<SocketAddr, NoAddress> {
    if text.trim().is_empty() {
        return Ok((Ipv4Addr::UNSPECIFIED, 0).into());
    }
    text.parse().map(|address: BindAddress| address.or_port(port))
}

pub(super) fn healthz<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    healthz_address(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

pub(super) fn metrics<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    metrics_address(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_port_0() {
        for (text, expected) in [("", 0), (" ", 0), ("0.0.0.0:0", 0), ("127.0.0.1", 10_249)] {
            assert_eq!(metrics_address(text).unwrap().port(), expected, "{text:?}");
        }
    }

    #[test]
    fn an_address_without_a_port_gets_one() {
        for (text, expected) in [
            ("0.0.0.0:10256", Some("0.0.0.0:10256")),
            ("[::]:1", Some("[::]:1")),
            ("127.0.0.1", Some("127.0.0.1:7")),
            ("::1", Some("[::1]:7")),
            ("[::1]", Some("[::1]:7")),
            ("localhost:80", None),
            ("0.0.0.0:", None),
            ("", None),
        ] {
            let expected = expected.map(|text| text.parse().unwrap());
            let address: Option<BindAddress> = text.parse().ok();
            assert_eq!(address.map(|address| address.or_port(7)), expected, "{text}");
        }
    }
}
