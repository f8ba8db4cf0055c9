//! The golden matrix on nodes: who sends to what of a Service with which traffic policy, under which
//! settings. Cluster IPs are not routed to the node from outside, so those three cases are left to
//! the other tiers.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use anyhow::{Context as _, Result};
use xtask::{
    topology::{Attachment, OUTSIDE},
    workload::{Answer, Protocol, ask},
};

use super::cluster::{ANSWER, Cluster, DELIVERIES, Ground, wait_until};

const MATRIX: &str = include_str!("../../../dataplane-common/src/flow/matrix.txt");

/// The settings of the matrix's columns.
const SETTINGS: [&str; 4] = [
    "",
    "detectLocal: none\n",
    "masqueradeAll: true\n",
    "detectLocal: none\nmasqueradeAll: true\n",
];

/// The policies by their names, each with the number of its Service.
const POLICIES: [(&str, &str, u8); 3] = [
    ("cluster", "", 61),
    ("external-local", "  externalTrafficPolicy: Local\n", 62),
    ("internal-local", "  internalTrafficPolicy: Local\n", 63),
];

/// How often a flow is begun to meet two endpoints: all alike by chance once in 10⁹ times.
const MOST: u32 = 31;
/// How often where there is but one.
const FEW: u32 = 6;

fn objects(near: Attachment, far: Attachment) -> String {
    let slice = |number: u8, family: &str, [near, far]: [IpAddr; 2]| {
        format!(
            "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
             metadata: {{name: m{number}-{}, namespace: default, \
             labels: {{kubernetes.io/service-name: m{number}}}}}\naddressType: {family}\n\
             ports: [{{name: http, port: 8080}}]\nendpoints: \
             [{{addresses: ['{near}'], nodeName: node-a}}, {{addresses: ['{far}'], nodeName: node-b}}]\n",
            family.to_lowercase()
        )
    };
    let service = |(_, policy, number): (&str, &str, u8)| {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: m{number}, namespace: default}}\n\
             spec:\n  type: LoadBalancer\n  clusterIPs: [10.96.0.{number}, 'fd00:10:96::{number}']\n{policy}\
             \x20 ports: [{{name: http, port: 80, nodePort: {}}}]\n\
             status: {{loadBalancer: {{ingress: [{{ip: 198.51.100.{number}}}, {{ip: 'fdc6::{number}'}}]}}}}\n{}{}",
            30_000 + u16::from(number),
            slice(number, "IPv4", [near.v4.into(), far.v4.into()]),
            slice(number, "IPv6", [near.v6.into(), far.v6.into()])
        )
    };
    POLICIES.map(service).concat()
}

/// A case of one family.
struct Case<'a> {
    text: &'a str,
    who: &'a str,
    to: SocketAddr,
    servers: BTreeSet<String>,
    seen: IpAddr,
}

impl<'a> Case<'a> {
    fn of(cluster: &Cluster<'_>, text: &'a str, cell: &str, is_v4: bool) -> Result<Option<Self>> {
        let [who, frontend, policy] = *text.split_whitespace().collect::<Vec<_>>() else {
            anyhow::bail!("no case: {text}")
        };
        if (who, frontend) == ("outside", "cluster-ip") {
            return Ok(None);
        }
        let of = |Attachment { v4, v6 }: Attachment| -> IpAddr {
            if is_v4 { v4.into() } else { v6.into() }
        };
        let node = of(cluster.addresses("node-a")?);
        let policy = POLICIES.iter().find(|(name, ..)| *name == policy);
        let (.., number) = policy.context("a policy without a Service")?;
        let to = |v4: &str, v6: &str| -> Result<SocketAddr> {
            let prefix = if is_v4 { v4 } else { v6 };
            Ok(SocketAddr::new(format!("{prefix}{number}").parse()?, 80))
        };
        let to = match frontend {
            "cluster-ip" => to("10.96.0.", "fd00:10:96::")?,
            "load-balancer" => to("198.51.100.", "fdc6::")?,
            _ => SocketAddr::new(node, 30_000 + u16::from(*number)),
        };
        let own = match who {
            "pod" => of(cluster.addresses("client")?),
            "outside" => of(OUTSIDE),
            _ => node,
        };
        let seen = if cell.ends_with("hidden") { node } else { own };
        let servers = if cell.starts_with("both") { &["near", "far"][..] } else { &["near"] };
        let servers = servers.iter().map(|name| (*name).to_owned()).collect();
        Ok(Some(Self { text, who, to, servers, seen }))
    }

    fn ask(&self, cluster: &Cluster<'_>) -> Result<Option<Answer>> {
        let answer = match self.who {
            "pod" => cluster.netns("client")?.run(|| ask(Protocol::Tcp, self.to, ANSWER))?,
            "outside" => cluster.outside()?.run(|| ask(Protocol::Tcp, self.to, ANSWER))?,
            _ => cluster.pod("node-a")?.ask(Protocol::Tcp, self.to, ANSWER)?,
        };
        Ok(answer.ok())
    }

    /// What is wrong with it.
    fn check(&self, cluster: &Cluster<'_>) -> Result<Option<String>> {
        let most = if self.servers.len() > 1 { MOST } else { FEW };
        let mut servers = BTreeSet::new();
        for asked in 0..most {
            let answer = self.ask(cluster)?;
            let is_seen = answer.as_ref().is_some_and(|answer| answer.client.ip() == self.seen);
            servers.extend(answer.as_ref().map(|answer| answer.server.clone()));
            if !is_seen || !servers.is_subset(&self.servers) {
                let Self { text, to, seen, .. } = self;
                return Ok(Some(format!("{text} ({to}) from {seen}, time {asked}: {answer:?}")));
            }
            if servers.len() > 1 {
                return Ok(None);
            }
        }
        let is_whole = servers == self.servers;
        Ok((!is_whole).then(|| format!("{} ({}): only {servers:?}", self.text, self.to)))
    }
}

#[test]
fn flows_of_the_golden_matrix_go_where_kube_proxy_sends_them() -> Result<()> {
    let ground = Ground::new("matrix")?;
    let mut cluster = Cluster::start(&ground, DELIVERIES[0])?;
    cluster.add_objects(
        "matrix.yaml",
        &objects(cluster.addresses("near")?, cluster.addresses("far")?),
    )?;
    let (mut wrong, mut cases) = (Vec::new(), 0);
    for (setting, lines) in SETTINGS.into_iter().enumerate() {
        cluster.configure(lines)?;
        for line in MATRIX.lines().filter(|line| !line.starts_with('#')) {
            let mut cells = line.split('|').map(str::trim);
            let (text, cell) = (cells.next().unwrap_or_default(), cells.nth(setting));
            for is_v4 in [true, false] {
                let cell = cell.context("a line has a cell for each setting")?;
                let Some(case) = Case::of(&cluster, text, cell, is_v4)? else { continue };
                wait_until(|| Ok(case.ask(&cluster)?.is_some()))
                    .with_context(|| case.text.to_owned())?;
                wrong.extend(case.check(&cluster)?.map(|found| format!("'{lines}' {found}")));
                cases += 1;
            }
        }
    }
    assert_eq!((wrong, cases), (Vec::<String>::new(), 24 * 4 * 2));
    Ok(())
}
