//! Frontends in words. Their form is the map's own key.

use std::net::SocketAddr;

use dataplane_common::abi::{FrontendKey, Proto};

/// `10.96.0.1:443/TCP`, `[fd00::1]:53/UDP`.
#[must_use]
pub fn frontend_text(key: &FrontendKey) -> String {
    let at = SocketAddr::new(key.addr.to_ip(), key.port.number());
    match key.proto {
        Proto::TCP => format!("{at}/TCP"),
        Proto::UDP => format!("{at}/UDP"),
        Proto(number) => format!("{at}/{number}"),
    }
}
