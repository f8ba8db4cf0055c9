//! The configuration of a kube-proxy, and of whoever is to decide as it does.

use std::path::Path;

use serde_json::{Value, json};

use crate::topology::Node;

/// A `KubeProxyConfiguration` of a node: in nftables mode, with a cluster CIDR, and quick to follow.
/// `settings` is of the same form: what it says goes before that, field by field.
#[must_use]
pub fn configuration(node: &Node, kubeconfig: &Path, settings: &Value) -> Value {
    let mut configuration = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "hostnameOverride": node.name(),
        "clientConnection": {"kubeconfig": kubeconfig},
        "clusterCIDR": "10.244.0.0/16,fd00:10:244::/48",
        // The size of the connection table is not a node's to write in a namespace.
        "conntrack": {"maxPerCore": 0, "min": 0},
        "nftables": {"minSyncPeriod": "100ms"},
        "iptables": {"minSyncPeriod": "100ms"},
    });
    lay_over(&mut configuration, settings);
    configuration
}

fn lay_over(below: &mut Value, above: &Value) {
    let Value::Object(fields) = above else {
        *below = above.clone();
        return;
    };
    if !below.is_object() {
        *below = json!({});
    }
    for (name, field) in fields {
        lay_over(&mut below[name], field);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::lay_over;

    #[test]
    fn fields_are_laid_over_fields_and_all_else_is_replaced() {
        let mut below = json!({"a": {"b": 1, "c": 2}, "d": [1, 2], "e": "f"});
        lay_over(&mut below, &json!({"a": {"c": 3, "g": {"h": 4}}, "d": [5], "i": {"j": 6}}));
        let expected =
            json!({"a": {"b": 1, "c": 3, "g": {"h": 4}}, "d": [5], "e": "f", "i": {"j": 6}});
        assert_eq!(below, expected);
    }
}
