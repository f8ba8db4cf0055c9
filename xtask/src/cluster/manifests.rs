//! The folder of YAML that the agents read.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::topology::{Node, NodeAddresses};

/// The Node objects of [`crate::topology::Network`].
const NODES: &str = include_str!("../../../manifests/demo/nodes.yaml");

/// Who answers for a Service.
#[derive(Clone, Debug)]
pub struct Endpoint<'a> {
    /// Name of the pod.
    pub pod: &'a str,
    /// Name of its node.
    pub node: &'a str,
    /// The pod's address, or its node's where it is on the host's network.
    pub v4: Ipv4Addr,
    /// The pod's address, or its node's where it is on the host's network.
    pub v6: Ipv6Addr,
}

/// The ports of a Service's endpoints, named as in its Service object.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// Port `http`, TCP.
    pub http: u16,
    /// Port `echo`, UDP.
    pub echo: u16,
}

/// The folder.
#[derive(Debug)]
pub struct Manifests {
    folder: PathBuf,
}

impl Manifests {
    /// Writes the Node objects and `services` into a folder.
    pub fn create(folder: &Path, services: &str) -> Result<Self> {
        let made = Self { folder: folder.to_owned() };
        made.write("nodes.yaml", NODES)?;
        made.write("services.yaml", services)?;
        Ok(made)
    }

    /// Says how nodes are addressed, where they are not as the Node objects at first say.
    pub fn set_nodes(&self, nodes: &[Node]) -> Result<()> {
        let objects: Vec<_> = (1..).zip(nodes).map(|(number, node)| object(number, node)).collect();
        self.write("nodes.yaml", &objects.join("---\n"))
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Says who answers for a Service, as the control plane would after each change.
    pub fn set_endpoints(
        &self,
        service: &str,
        ports: Ports,
        endpoints: &[Endpoint<'_>],
    ) -> Result<()> {
        let v4: Vec<_> = endpoints.iter().map(|endpoint| line(endpoint, endpoint.v4)).collect();
        let v6: Vec<_> = endpoints.iter().map(|endpoint| line(endpoint, endpoint.v6)).collect();
        let text =
            slice(service, "IPv4", ports, &v4) + "---\n" + &slice(service, "IPv6", ports, &v6);
        self.write(&format!("{service}-endpoints.yaml"), &text)
    }

    /// As editors do it: a reader finds the old file or the new one.
    fn write(&self, name: &str, text: &str) -> Result<()> {
        let (path, draft) = (self.folder.join(name), self.folder.join(format!(".{name}.draft")));
        fs::write(&draft, text)
            .and_then(|()| fs::rename(&draft, &path))
            .with_context(|| format!("writing {}", path.display()))
    }
}

/// The Node object of the node of a number.
fn object(number: u8, node: &Node) -> String {
    let (name, NodeAddresses { v4, v6 }) = (node.name(), node.addresses());
    format!(
        "apiVersion: v1\n\
         kind: Node\n\
         metadata:\n\
         \x20 name: {name}\n\
         spec:\n\
         \x20 podCIDRs: [10.244.{number}.0/24, \"fd00:10:244:{number}::/64\"]\n\
         status:\n\
         \x20 addresses:\n\
         \x20   - {{type: InternalIP, address: {v4}}}\n\
         \x20   - {{type: InternalIP, address: \"{v6}\"}}\n"
    )
}

/// One `EndpointSlice`.
fn slice(service: &str, family: &str, ports: Ports, endpoints: &[String]) -> String {
    let Ports { http, echo } = ports;
    let mut text = format!(
        "apiVersion: discovery.k8s.io/v1\n\
         kind: EndpointSlice\n\
         metadata:\n\
         \x20 name: {service}-{}\n\
         \x20 namespace: default\n\
         \x20 labels:\n\
         \x20   kubernetes.io/service-name: {service}\n\
         addressType: {family}\n\
         ports:\n\
         \x20 - {{name: http, protocol: TCP, port: {http}}}\n\
         \x20 - {{name: echo, protocol: UDP, port: {echo}}}\n",
        family.to_lowercase()
    );
    text += if endpoints.is_empty() { "endpoints: []\n" } else { "endpoints:\n" };
    text + &endpoints.concat()
}

/// One entry of a slice.
fn line(endpoint: &Endpoint<'_>, address: impl Into<IpAddr>) -> String {
    let Endpoint { pod, node, v4: _, v6: _ } = endpoint;
    format!(
        "\x20 - addresses: [\"{}\"]\n\
         \x20   conditions: {{ready: true, serving: true, terminating: false}}\n\
         \x20   nodeName: {node}\n\
         \x20   targetRef: {{kind: Pod, namespace: default, name: {pod}}}\n",
        address.into()
    )
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, Manifests, Ports};

    #[test]
    fn endpoints_are_written_as_one_slice_for_each_family() {
        let folder = tempfile::tempdir().unwrap();
        let manifests = Manifests::create(folder.path(), "").unwrap();
        let pod = Endpoint {
            pod: "web-1",
            node: "node-a",
            v4: "10.244.1.2".parse().unwrap(),
            v6: "fd00:10:244:1::2".parse().unwrap(),
        };
        manifests.set_endpoints("web", Ports { http: 8080, echo: 53 }, &[pod]).unwrap();
        manifests.set_endpoints("none", Ports { http: 8080, echo: 53 }, &[]).unwrap();
        let read = |name| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(
            read("web-endpoints.yaml").split("---\n").nth(1).unwrap(),
            "apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: web-ipv6
  namespace: default
  labels:
    kubernetes.io/service-name: web
addressType: IPv6
ports:
  - {name: http, protocol: TCP, port: 8080}
  - {name: echo, protocol: UDP, port: 53}
endpoints:
  - addresses: [\"fd00:10:244:1::2\"]
    conditions: {ready: true, serving: true, terminating: false}
    nodeName: node-a
    targetRef: {kind: Pod, namespace: default, name: web-1}
"
        );
        assert!(read("none-endpoints.yaml").ends_with("endpoints: []\n"));
    }
}
