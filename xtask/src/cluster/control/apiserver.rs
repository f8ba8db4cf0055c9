//! The API server.

use std::path::Path;

use anyhow::Result;

use super::{
    PORT,
    certificates::{Authority, Pair},
    etcd,
};
use crate::topology::{INSIDE, Network, Process};

/// Where ClusterIPs are from: those of the demo's manifests among them.
const SERVICES: &str = "10.96.0.0/16,fd00:10:96::/112";

const ISSUER: &str = "https://kubernetes.default.svc";

/// Starts it; etcd may still be coming.
pub(super) fn start(network: &Network, programs: &Path, authority: &Authority) -> Result<Process> {
    let serving = authority.server(&[INSIDE.v4.into(), INSIDE.v6.into()])?;
    let accounts = authority.signer()?;
    let flag = |name: &str, path: &Path| format!("--{name}={}", path.display());
    let Pair { certificate, key } = &serving;
    let arguments = [
        format!("--etcd-servers={}", etcd::URL),
        format!("--advertise-address={}", INSIDE.v4),
        "--bind-address=::".to_owned(),
        format!("--secure-port={PORT}"),
        format!("--service-cluster-ip-range={SERVICES}"),
        "--authorization-mode=Node,RBAC".to_owned(),
        "--allow-privileged=true".to_owned(),
        flag("client-ca-file", authority.certificate()),
        flag("tls-cert-file", certificate),
        flag("tls-private-key-file", key),
        format!("--service-account-issuer={ISSUER}"),
        flag("service-account-key-file", &accounts.certificate),
        flag("service-account-signing-key-file", &accounts.key),
    ];
    network.start_beside(&programs.join("kube-apiserver"), &arguments, "kube-apiserver")
}
