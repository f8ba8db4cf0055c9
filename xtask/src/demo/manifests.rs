//! The folder of YAML that both agents read.

use std::{
    fmt::Write as _,
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use xtask::topology::Attachment;

/// What does not change while the demo runs.
const FIXED: [(&str, &str); 2] = [
    ("nodes.yaml", include_str!("../../../manifests/demo/nodes.yaml")),
    ("services.yaml", include_str!("../../../manifests/demo/services.yaml")),
];

/// A pod as an endpoint of a Service.
#[derive(Clone, Debug)]
pub(super) struct Endpoint<'a> {
    pub(super) pod: &'a str,
    pub(super) node: &'a str,
    pub(super) addresses: Attachment,
}

/// The folder.
#[derive(Debug)]
pub(super) struct Manifests {
    folder: PathBuf,
}

impl Manifests {
    /// Writes what is known before there are pods.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        let made = Self { folder: folder.to_owned() };
        for (name, text) in FIXED {
            made.write(name, text)?;
        }
        Ok(made)
    }

    /// Where it is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Says which pods answer a Service, as the control plane would after each change.
    pub(super) fn set_endpoints(&self, service: &str, endpoints: &[Endpoint<'_>]) -> Result<()> {
        let text: Vec<String> =
            ["IPv4", "IPv6"].iter().map(|family| slice(service, family, endpoints)).collect();
        self.write(&format!("{service}-endpoints.yaml"), &text.join("---\n"))
    }

    /// As editors do it: a reader finds the old file or the new one.
    fn write(&self, name: &str, text: &str) -> Result<()> {
        let (path, draft) = (self.folder.join(name), self.folder.join(format!(".{name}.draft")));
        fs::write(&draft, text)
            .and_then(|()| fs::rename(&draft, &path))
            .with_context(|| format!("writing {}", path.display()))
    }
}

/// One `EndpointSlice`.
fn slice(service: &str, family: &str, endpoints: &[Endpoint<'_>]) -> String {
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
         \x20 - {{name: http, protocol: TCP, port: 8080}}\n\
         \x20 - {{name: echo, protocol: UDP, port: 8080}}\n",
        family.to_lowercase()
    );
    text += if endpoints.is_empty() { "endpoints: []\n" } else { "endpoints:\n" };
    for Endpoint { pod, node, addresses } in endpoints {
        let address: IpAddr = match family {
            "IPv4" => addresses.v4.into(),
            _ => addresses.v6.into(),
        };
        let _ = write!(
            text,
            "\x20 - addresses: [\"{address}\"]\n\
             \x20   conditions: {{ready: true, serving: true, terminating: false}}\n\
             \x20   nodeName: {node}\n\
             \x20   targetRef: {{kind: Pod, namespace: default, name: {pod}}}\n"
        );
    }
    text
}
