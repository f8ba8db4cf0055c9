//! The island of our own agent.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use dataplane_common::abi::{FlowEntry, FlowKey, FragmentKey, Fragmented, names};
use serde_json::Value;
use xtask::{
    cluster::{Agent, CNI_CONFIG, ControlPlane, WAGGLE, configuration},
    topology::{Apart, Node, Runtime},
};

use super::{Inhabited, Island, ground, pods};
use crate::{
    bench::bpf,
    conntrack,
    diff::{prober::Forget, setting::Setting},
    workspace::Artifacts,
};

/// The name of the island.
pub(in crate::diff) const NAME: &str = "waggle";

/// What the agent's service account may do.
const ROLES: &str = include_str!("../../../../manifests/rbac.yaml");

/// Starts the agent, which follows the control plane, and has the CNI plugin wire pods; its
/// configuration is below `folder`.
pub(in crate::diff) fn inhabit<'a>(
    apart: &'a Apart,
    plane: &ControlPlane<'_>,
    artifacts: &Artifacts,
    folder: &Path,
    setting: Setting,
) -> Result<impl Island + use<'a>> {
    let node = apart.node();
    ground::populate(apart)?;
    let (config, kubeconfig) = (folder.join("waggle.json"), plane.kubeconfig(WAGGLE)?);
    let document = configuration(node, &kubeconfig, &setting.fields());
    fs::write(&config, document.to_string())
        .with_context(|| format!("writing {}", config.display()))?;
    let agent = Agent::follow(node, &artifacts.waggle, &kubeconfig, &config)?;
    let pods = pods::by_runtime(node, &Runtime::new(&artifacts.waggle_cni, CNI_CONFIG))?;
    Inhabited::new(NAME, apart, &pods, forget(node), agent)
}

/// Flows that the programs translate are in tables of their own, with the ports that masqueraded
/// ones leave by, and so are datagrams in pieces; what they pass is netfilter's.
fn forget(node: &Node) -> Forget {
    let pin = |name| node.path(&format!("/sys/fs/bpf/waggle/abi-{}/maps/{name}", names::ABI));
    let tables = [
        (pin(names::FLOWS4), [size_of::<FlowKey<[u8; 4]>>(), size_of::<FlowEntry<[u8; 4]>>()]),
        (pin(names::FLOWS6), [size_of::<FlowKey<[u8; 16]>>(), size_of::<FlowEntry<[u8; 16]>>()]),
        (pin(names::FRAGMENTS), [size_of::<FragmentKey>(), size_of::<Fragmented>()]),
    ];
    let netns = node.netns().clone();
    Box::new(move || {
        netns.run(conntrack::flush)??;
        tables.iter().try_for_each(|(pin, sizes)| bpf::empty(pin, *sizes))
    })
}

/// Gives the agent's user its roles, by the manifest that users apply.
pub(in crate::diff) fn allow(plane: &ControlPlane<'_>) -> Result<()> {
    let objects: Vec<Value> =
        serde_saphyr::from_multiple(ROLES).context("reading manifests/rbac.yaml")?;
    for object in objects {
        let collection = match object["kind"].as_str() {
            Some("ClusterRole") => "clusterroles",
            Some("ClusterRoleBinding") => "clusterrolebindings",
            // The account itself is a user with a certificate here.
            _ => continue,
        };
        plane.create(&format!("apis/rbac.authorization.k8s.io/v1/{collection}"), &object)?;
    }
    Ok(())
}
