//! The Services as an nftables ruleset in the layout of kube-proxy's nftables mode.
//!
//! One table; a verdict map from frontends to a chain for each ServicePort, which chooses at random
//! among chains for each endpoint, which translate. Packets that must be masqueraded are marked on
//! the way and masqueraded after routing. Filter chains refuse new connections to nobody. The maps
//! for NodePorts, firewalls and Services without endpoints are looked up though nothing is in them.

use std::{
    fmt::Write as _,
    net::{Ipv4Addr, SocketAddrV4},
};

use super::catalog::{Catalog, Protocol, Service};

/// Everything that does not depend on the Services.
const FRAME: &str = include_str!("kube-proxy.nft");

/// A set of clients with affinity.
const CLIENTS: &str = "type ipv4_addr; flags dynamic,timeout; timeout 10800s;";

/// The whole ruleset, for `nft -f`.
pub(super) fn ruleset(catalog: &Catalog, node: Ipv4Addr) -> String {
    let mut text = FRAME.replace("NODE_ADDRESS", &node.to_string());
    text += "table ip kube-proxy {\n";
    for service in &catalog.0 {
        chains(&mut text, service);
    }
    let frontends: Vec<String> =
        catalog.0.iter().map(|service| service.frontend.ip().to_string()).collect();
    let verdicts: Vec<String> = catalog.0.iter().map(verdict).collect();
    text += "}\n";
    // Writing to a string cannot fail.
    let _ = writeln!(text, "add element ip kube-proxy cluster-ips {{ {} }}", frontends.join(", "));
    let _ = writeln!(text, "add element ip kube-proxy service-ips {{ {} }}", verdicts.join(", "));
    text
}

fn verdict(service: &Service) -> String {
    let (frontend, protocol) = (service.frontend, word(service.protocol));
    format!("{} . {protocol} . {} : goto {}", frontend.ip(), frontend.port(), chain(service))
}

/// The chain of a Service and those of its endpoints, which must be known before they are named;
/// a set for each endpoint has the clients that stay with it.
fn chains(text: &mut String, service: &Service) {
    let (frontend, protocol) = (service.frontend, word(service.protocol));
    let (mut choices, mut stays) = (Vec::new(), String::new());
    for (number, endpoint) in service.endpoints.iter().enumerate() {
        let name = endpoint_name(service, endpoint.address);
        let (ip, to) = (endpoint.address.ip(), endpoint.address);
        let mut hold = String::new();
        if service.is_sticky {
            let _ = writeln!(text, "  set affinity-{name} {{\n    {CLIENTS}\n  }}");
            hold = format!("    update @affinity-{name} {{ ip saddr }}\n");
            stays += &format!("    ip saddr @affinity-{name} goto endpoint-{name}\n");
        }
        let _ = writeln!(
            text,
            "  chain endpoint-{name} {{\n    ip saddr {ip} jump mark-for-masquerade\n{hold}    \
             meta l4proto {protocol} dnat to {to}\n  }}"
        );
        choices.push(format!("{number} : goto endpoint-{name}"));
    }
    let _ = writeln!(
        text,
        "  chain {} {{\n    ip daddr {} {protocol} dport {} ip saddr != 10.244.0.0/16 jump \
         mark-for-masquerade\n{stays}    numgen random mod {} vmap {{ {} }}\n  }}",
        chain(service),
        frontend.ip(),
        frontend.port(),
        choices.len(),
        choices.join(", ")
    );
}

fn chain(service: &Service) -> String {
    format!("service-{}/{}/main", service.name, word(service.protocol))
}

fn endpoint_name(service: &Service, address: SocketAddrV4) -> String {
    let protocol = word(service.protocol);
    format!("{}/{protocol}/main__{}/{}", service.name, address.ip(), address.port())
}

fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

#[cfg(test)]
mod tests {
    use super::ruleset;
    use crate::bench::catalog::Catalog;

    #[test]
    fn each_service_has_a_verdict_a_chain_and_a_chain_for_each_endpoint() {
        let catalog = Catalog::new(1000, "10.244.1.3".parse().unwrap());
        let text = ruleset(&catalog, "192.168.77.11".parse().unwrap());
        let endpoints: usize = catalog.0.iter().map(|service| service.endpoints.len()).sum();
        let count = |what: &str| text.matches(what).count();
        assert_eq!(count("  chain service-bench-"), 1000);
        assert_eq!(count("  chain endpoint-bench-"), endpoints);
        assert_eq!(count(". 80 : goto service-bench-"), 1000);
        assert!(text.contains(
            "  chain service-bench-00000/tcp/main {
    ip daddr 10.97.0.0 tcp dport 80 ip saddr != 10.244.0.0/16 jump mark-for-masquerade
    numgen random mod 1 vmap { 0 : goto endpoint-bench-00000/tcp/main__10.244.1.3/8080 }
  }
"
        ));
    }

    #[test]
    fn a_client_with_affinity_stays_in_the_set_of_its_endpoint() {
        let catalog = Catalog::new(4, "10.244.1.3".parse().unwrap());
        let text = ruleset(&catalog, "192.168.77.11".parse().unwrap());
        let sticky = "  set affinity-bench-00003/tcp/main__10.244.1.3/8080 {
    type ipv4_addr; flags dynamic,timeout; timeout 10800s;
  }
  chain endpoint-bench-00003/tcp/main__10.244.1.3/8080 {
    ip saddr 10.244.1.3 jump mark-for-masquerade
    update @affinity-bench-00003/tcp/main__10.244.1.3/8080 { ip saddr }
    meta l4proto tcp dnat to 10.244.1.3:8080
  }
  chain service-bench-00003/tcp/main {
    ip daddr 10.97.0.3 tcp dport 80 ip saddr != 10.244.0.0/16 jump mark-for-masquerade
    ip saddr @affinity-bench-00003/tcp/main__10.244.1.3/8080 goto endpoint-bench-00003/tcp/main__10.244.1.3/8080
    numgen random mod 1 vmap { 0 : goto endpoint-bench-00003/tcp/main__10.244.1.3/8080 }
  }
";
        assert!(text.contains(sticky), "{text}");
        assert_eq!(text.matches("  set affinity-").count(), 1);
    }
}
