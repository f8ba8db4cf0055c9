//! At which addresses of a node its NodePorts are served.

use std::str::FromStr;

use ipnetwork::IpNetwork;
use serde::Deserialize;

/// Some of a node's addresses: an entry of `nodePortAddresses`, whose entries add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum NodePortAddress {
    /// The first address of each family that its Node object has.
    Primary,
    /// Every address it has or comes to have, but those of loopback.
    All,
    /// 127.0.0.0/8 and `::1`, for its own processes.
    Localhost,
    /// Those within a network, whenever they come; 0.0.0.0/0 and `::/0` are all of their family but
    /// those of loopback.
    Within(IpNetwork),
}

/// An entry that says nothing.
#[derive(Debug, thiserror::Error)]
#[error(
    "\"{0}\" names no addresses of a node; use primary, all, localhost or a network such as \
     192.0.2.0/24"
)]
pub struct UnknownAddresses(String);

impl FromStr for NodePortAddress {
    type Err = UnknownAddresses;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // An address alone would be read as a network of one.
        let network = || text.contains('/').then(|| text.parse().ok()).flatten();
        match text {
            "primary" => Ok(Self::Primary),
            "all" => Ok(Self::All),
            "localhost" => Ok(Self::Localhost),
            _ => network().map(Self::Within).ok_or_else(|| UnknownAddresses(text.to_owned())),
        }
    }
}

impl TryFrom<String> for NodePortAddress {
    type Error = UnknownAddresses;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_and_networks_are_taken() {
        for (text, expected) in [
            ("primary", Some(NodePortAddress::Primary)),
            ("all", Some(NodePortAddress::All)),
            ("localhost", Some(NodePortAddress::Localhost)),
            ("10.0.0.0/8", Some(NodePortAddress::Within("10.0.0.0/8".parse().unwrap()))),
            ("::/0", Some(NodePortAddress::Within("::/0".parse().unwrap()))),
            ("192.0.2.1", None),
            ("192.0.2.0/33", None),
            ("Primary", None),
            ("", None),
        ] {
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }
}
