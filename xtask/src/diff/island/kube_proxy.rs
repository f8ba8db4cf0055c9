//! The island of upstream's kube-proxy.

use std::path::Path;

use anyhow::Result;
use xtask::{
    cluster::{ControlPlane, KubeProxy},
    topology::Apart,
};

use super::{Inhabited, Island, ground, pods};
use crate::{
    conntrack,
    diff::{
        places::{OTHER_NODE, OTHER_POD_CIDRS},
        setting::Setting,
    },
};

/// The name of the island.
pub(in crate::diff) const NAME: &str = "kube-proxy";

/// Wires pods by hand and starts kube-proxy, which follows the control plane; `programs` are
/// upstream's, and its configuration is below `folder`.
pub(in crate::diff) fn inhabit<'a>(
    apart: &'a Apart,
    plane: &ControlPlane<'_>,
    programs: &Path,
    folder: &Path,
    setting: Setting,
) -> Result<impl Island + use<'a>> {
    let node = apart.node();
    ground::populate(apart)?;
    let routes = OTHER_POD_CIDRS.iter().zip(OTHER_NODE.both());
    let routes: Vec<_> =
        routes.map(|(pods, node)| format!("route add {pods} via {node}")).collect();
    node.netns().ip(&routes)?;
    let pods = pods::by_hand(node)?;
    let proxy = KubeProxy::start(node, plane, programs, folder, &setting.fields())?;
    let netns = node.netns().clone();
    let forget = Box::new(move || Ok(netns.run(conntrack::flush)??));
    Inhabited::new(NAME, apart, &pods, forget, proxy)
}
