//! Addresses to listen at.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize as _, Deserializer, de};

/// The port of health checks, where none is named.
pub(super) const HEALTHZ_PORT: u16 = 10_256;
/// The port of metrics, where none is named.
pub(super) const METRICS_PORT: u16 = 10_249;

/// A text that is no address to listen at.
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is no address to listen at; write it as 0.0.0.0:10256 or [::]:10256")]
pub(super) struct NoAddress(String);

/// Reads an address with a port, or one without, which gets `port`.
pub(super) fn parse(text: &str, port: u16) -> Result<SocketAddr, NoAddress> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let without_port = || bare.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, port));
    text.parse().or_else(|_| without_port()).map_err(|_| NoAddress(text.to_owned()))
}

pub(super) fn healthz<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    parse(&String::deserialize(deserializer)?, HEALTHZ_PORT).map_err(de::Error::custom)
}

pub(super) fn metrics<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    parse(&String::deserialize(deserializer)?, METRICS_PORT).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(parse(text, 7).ok(), expected, "{text}");
        }
    }
}
