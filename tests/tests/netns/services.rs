//! The Services of the suite: one for each place where an answer can come from.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use xtask::workload::Protocol;

/// Where servers listen.
pub(super) const PORT: u16 = 8080;

/// Where nobody listens.
pub(super) const CLOSED: u16 = 9;

/// A Service with one cluster address of each family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) name: &'static str,
    /// Names of pods and nodes.
    pub(super) endpoints: &'static [&'static str],
    /// Where they are said to listen.
    pub(super) port: u16,
    /// Ends both addresses.
    number: u8,
}

pub(super) const NEAR: Service = service("near", &["near"], PORT, 1);
pub(super) const FAR: Service = service("far", &["far"], PORT, 2);
pub(super) const ITSELF: Service = service("itself", &["client"], PORT, 3);
pub(super) const HOST: Service = service("host", &["node-a"], PORT, 4);
pub(super) const OTHER_HOST: Service = service("other-host", &["node-b"], PORT, 5);
pub(super) const BOTH: Service = service("both", &["near", "far"], PORT, 6);
pub(super) const EMPTY: Service = service("empty", &[], PORT, 7);
pub(super) const NEAR_CLOSED: Service = service("near-closed", &["near"], CLOSED, 8);
pub(super) const FAR_CLOSED: Service = service("far-closed", &["far"], CLOSED, 9);

/// Not one of [`ALL`]: its own YAML is [`STICKY_YAML`].
pub(super) const STICKY: Service = service("sticky", &["near", "far"], PORT, 10);

/// A Service with session affinity and NodePorts.
pub(super) const STICKY_YAML: &str = r#"apiVersion: v1
kind: Service
metadata: {name: sticky, namespace: default}
spec:
  type: NodePort
  sessionAffinity: ClientIP
  ipFamilyPolicy: RequireDualStack
  ipFamilies: [IPv4, IPv6]
  clusterIP: 10.96.0.10
  clusterIPs: [10.96.0.10, "fd00:10:96::a"]
  ports:
    - {name: http, protocol: TCP, port: 80, nodePort: 30080}
    - {name: echo, protocol: UDP, port: 53, nodePort: 30053}
"#;

pub(super) const ALL: [Service; 9] =
    [NEAR, FAR, ITSELF, HOST, OTHER_HOST, BOTH, EMPTY, NEAR_CLOSED, FAR_CLOSED];

const fn service(
    name: &'static str,
    endpoints: &'static [&'static str],
    port: u16,
    number: u8,
) -> Service {
    Service { name, endpoints, port, number }
}

/// One way to ask for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) protocol: Protocol,
    pub(super) address: SocketAddr,
}

impl Service {
    /// Both protocols over both families.
    pub(super) fn ways(&self) -> [Way; 4] {
        let v4 = Ipv4Addr::new(10, 96, 0, self.number);
        let v6 = Ipv6Addr::new(0xfd00, 0x10, 0x96, 0, 0, 0, 0, self.number.into());
        ways(v4.into(), v6.into(), |protocol| match protocol {
            Protocol::Tcp => 80,
            Protocol::Udp => 53,
        })
    }
}

/// Both protocols over both families.
pub(super) fn ways(v4: IpAddr, v6: IpAddr, port: impl Fn(Protocol) -> u16) -> [Way; 4] {
    let way = |protocol, ip| Way { protocol, address: SocketAddr::new(ip, port(protocol)) };
    [way(Protocol::Tcp, v4), way(Protocol::Udp, v4), way(Protocol::Tcp, v6), way(Protocol::Udp, v6)]
}

/// All Service objects.
pub(super) fn yaml() -> String {
    let mut text = String::new();
    for Service { name, number, .. } in ALL {
        let _ = write!(
            text,
            "apiVersion: v1\n\
             kind: Service\n\
             metadata: {{name: {name}, namespace: default}}\n\
             spec:\n\
             \x20 ipFamilyPolicy: RequireDualStack\n\
             \x20 ipFamilies: [IPv4, IPv6]\n\
             \x20 clusterIP: 10.96.0.{number}\n\
             \x20 clusterIPs: [10.96.0.{number}, \"fd00:10:96::{number:x}\"]\n\
             \x20 ports:\n\
             \x20   - {{name: http, protocol: TCP, port: 80}}\n\
             \x20   - {{name: echo, protocol: UDP, port: 53}}\n\
             ---\n"
        );
    }
    text
}
