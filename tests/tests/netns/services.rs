//! The Services of the suite: one for each place where an answer can come from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use dataplane_common::abi::{HAIRPIN_V4, HAIRPIN_V6};
use xtask::{topology::Attachment, workload::Protocol};

/// Where servers listen.
pub(super) const PORT: u16 = 8080;

/// Where nobody listens.
pub(super) const CLOSED: u16 = 9;

/// Whom a pod sees that is its own client.
pub(super) const HAIRPIN: Attachment =
    Attachment { v4: Ipv4Addr::from_octets(HAIRPIN_V4), v6: Ipv6Addr::from_octets(HAIRPIN_V6) };

/// A Service with one cluster address of each family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) name: &'static str,
    /// Names of pods and nodes.
    pub(super) endpoints: &'static [&'static str],
    /// Where they are said to listen.
    pub(super) port: u16,
    /// Ends its addresses and its NodePort.
    number: u8,
    pub(super) kind: Kind,
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only the cluster.
    Inside,
    /// Everybody, under the policy Cluster.
    Open,
    /// Everybody, under the policy Local.
    OpenLocal,
    /// Everybody, and each client has one server.
    Sticky,
}

/// Where a Service is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frontend {
    ClusterIp,
    /// At a node of these addresses.
    NodePort(Attachment),
    /// At the address a load balancer would have given it.
    Virtual,
    /// At an address of the Service's `externalIPs`.
    External,
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

/// One Service for each kind of backend.
pub(super) const OPEN: [Service; 5] = [
    Service { kind: Kind::Open, ..service("open-near", &["near"], PORT, 21) },
    Service { kind: Kind::Open, ..service("open-far", &["far"], PORT, 22) },
    Service { kind: Kind::Open, ..service("open-host", &["node-a"], PORT, 23) },
    Service { kind: Kind::Open, ..service("open-other-host", &["node-b"], PORT, 24) },
    Service { kind: Kind::Open, ..service("open-itself", &["client"], PORT, 25) },
];

/// The same under the policy Local.
pub(super) const OPEN_LOCAL: [Service; 5] = [
    Service { kind: Kind::OpenLocal, ..service("local-near", &["near"], PORT, 31) },
    Service { kind: Kind::OpenLocal, ..service("local-far", &["far"], PORT, 32) },
    Service { kind: Kind::OpenLocal, ..service("local-host", &["node-a"], PORT, 33) },
    Service { kind: Kind::OpenLocal, ..service("local-other-host", &["node-b"], PORT, 34) },
    Service { kind: Kind::OpenLocal, ..service("local-itself", &["client"], PORT, 35) },
];

/// Where nobody answers.
pub(super) const OPEN_CLOSED: [Service; 4] = [
    Service { kind: Kind::Open, ..service("open-empty", &[], PORT, 41) },
    Service { kind: Kind::Open, ..service("open-near-closed", &["near"], CLOSED, 42) },
    Service { kind: Kind::Open, ..service("open-far-closed", &["far"], CLOSED, 43) },
    Service { kind: Kind::Open, ..service("open-host-closed", &["node-a"], CLOSED, 44) },
];

pub(super) const STICKY: Service =
    Service { kind: Kind::Sticky, ..service("sticky", &["near", "far"], PORT, 51) };

/// In the order in which they are written.
pub(super) fn all() -> Vec<Service> {
    let inside = [NEAR, FAR, ITSELF, HOST, OTHER_HOST, EMPTY, NEAR_CLOSED, FAR_CLOSED, STICKY];
    [&inside[..], &OPEN, &OPEN_LOCAL, &OPEN_CLOSED, &[BOTH]].concat()
}

const fn service(
    name: &'static str,
    endpoints: &'static [&'static str],
    port: u16,
    number: u8,
) -> Service {
    Service { name, endpoints, port, number, kind: Kind::Inside }
}

/// One way to ask for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) protocol: Protocol,
    pub(super) address: SocketAddr,
}

impl Service {
    /// Whether somebody listens where it says.
    pub(super) fn is_answered(&self) -> bool {
        !self.endpoints.is_empty() && self.port == PORT
    }

    /// Both protocols over both families to the cluster address.
    pub(super) fn ways(&self) -> [Way; 4] {
        self.ways_at(Frontend::ClusterIp)
    }

    /// Both protocols over both families.
    pub(super) fn ways_at(&self, frontend: Frontend) -> [Way; 4] {
        let number = self.number;
        let v6 = |prefix: [u16; 3], last: u16| {
            let [a, b, c] = prefix;
            Ipv6Addr::new(a, b, c, 0, 0, 0, 0, last)
        };
        let (v4, v6) = match frontend {
            Frontend::ClusterIp => {
                (Ipv4Addr::new(10, 96, 0, number), v6([0xfd00, 0x10, 0x96], number.into()))
            }
            Frontend::NodePort(Attachment { v4, v6 }) => {
                return ways(v4.into(), v6.into(), |_| self.node_port());
            }
            Frontend::Virtual => {
                (Ipv4Addr::new(198, 51, 100, number), v6([0xfdc6, 0, 0], number.into()))
            }
            Frontend::External => (
                Ipv4Addr::new(198, 51, 100, 100 + number),
                v6([0xfdc6, 0, 0], 0x100 + u16::from(number)),
            ),
        };
        ways(v4.into(), v6.into(), |protocol| match protocol {
            Protocol::Tcp => 80,
            Protocol::Udp => 53,
        })
    }

    /// Of both protocols.
    fn node_port(&self) -> u16 {
        30_000 + u16::from(self.number)
    }

    /// Its object.
    fn yaml(&self) -> String {
        let Self { name, number, kind, .. } = self;
        let inside = format!(
            "apiVersion: v1\n\
             kind: Service\n\
             metadata: {{name: {name}, namespace: default}}\n\
             spec:\n\
             \x20 ipFamilyPolicy: RequireDualStack\n\
             \x20 ipFamilies: [IPv4, IPv6]\n\
             \x20 clusterIP: 10.96.0.{number}\n\
             \x20 clusterIPs: [10.96.0.{number}, \"fd00:10:96::{number:x}\"]\n"
        );
        let node_port = match kind {
            Kind::Inside => String::new(),
            Kind::Open | Kind::OpenLocal | Kind::Sticky => {
                format!(", nodePort: {}", self.node_port())
            }
        };
        let ports = format!(
            "\x20 ports:\n\
             \x20   - {{name: http, protocol: TCP, port: 80{node_port}}}\n\
             \x20   - {{name: echo, protocol: UDP, port: 53{node_port}}}\n"
        );
        inside + &self.exposure() + &ports + &self.status() + "---\n"
    }

    /// What of its `spec` is for clients outside.
    fn exposure(&self) -> String {
        let choice = match self.kind {
            Kind::Inside => return String::new(),
            Kind::Open => "externalTrafficPolicy: Cluster",
            Kind::OpenLocal => "externalTrafficPolicy: Local",
            Kind::Sticky => "sessionAffinity: ClientIP",
        };
        let [v4, _, v6, _] = self.ways_at(Frontend::External).map(|way| way.address.ip());
        format!(
            "\x20 type: LoadBalancer\n\
             \x20 {choice}\n\
             \x20 externalIPs: [{v4}, \"{v6}\"]\n"
        )
    }

    /// What a load balancer would write.
    fn status(&self) -> String {
        match self.kind {
            Kind::Inside => String::new(),
            Kind::Open | Kind::OpenLocal | Kind::Sticky => {
                let [v4, _, v6, _] = self.ways_at(Frontend::Virtual).map(|way| way.address.ip());
                format!(
                    "status:\n\
                     \x20 loadBalancer: {{ingress: [{{ip: {v4}}}, {{ip: \"{v6}\"}}]}}\n"
                )
            }
        }
    }
}

/// Both protocols over both families.
pub(super) fn ways(v4: IpAddr, v6: IpAddr, port: impl Fn(Protocol) -> u16) -> [Way; 4] {
    let way = |protocol, ip| Way { protocol, address: SocketAddr::new(ip, port(protocol)) };
    [way(Protocol::Tcp, v4), way(Protocol::Udp, v4), way(Protocol::Tcp, v6), way(Protocol::Udp, v6)]
}

/// All Service objects.
pub(super) fn yaml() -> String {
    all().iter().map(Service::yaml).collect()
}
