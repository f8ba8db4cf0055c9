//! Ways to configure a kube-proxy that change what it decides.

use std::fmt;

use clap::{ValueEnum, builder::PossibleValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::setup::Scope;

/// A way, in which both islands are configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Setting {
    /// Pods are who has an address of the cluster's pods.
    ClusterCidr,
    /// Pods are who has an address of the node's pods.
    #[default]
    NodeCidr,
    /// Pods are who comes in by the uplink, as if it were a bridge of pods.
    Bridge,
    /// Pods are who comes in by a device that is named as pods' links are.
    Prefix,
    /// Everybody counts as a pod.
    NoDetection,
    /// Whoever asks a cluster IP is masqueraded.
    MasqueradeAll,
    /// NodePorts are at all addresses of the node.
    AllAddresses,
    /// NodePorts are at IPv4 addresses of one network, and at whatever that says of IPv6.
    OneNetwork,
    /// kube-proxy writes rules of iptables: NodePorts are at all addresses, and ports that a Service
    /// has not are nobody's.
    Iptables,
    /// Likewise, with NodePorts at IPv4's loopback addresses alone, and wherever that leaves IPv6's.
    IptablesLocalhost,
}

/// What the command line takes for settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Each of them, the default one first.
    #[default]
    All,
    /// This one.
    One(Setting),
}

impl Choice {
    /// The settings that some choices come to, each once.
    pub(super) fn settings(choices: &[Self]) -> Vec<Setting> {
        let default = [Setting::default()];
        let all = || default.iter().chain(Setting::value_variants()).copied().collect();
        let named = choices.iter().flat_map(|choice| match choice {
            Self::All => all(),
            Self::One(setting) => vec![*setting],
        });
        let mut settings = Vec::new();
        for setting in named {
            if !settings.contains(&setting) {
                settings.push(setting);
            }
        }
        settings
    }
}

impl ValueEnum for Choice {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self::All,
            Self::One(Setting::ClusterCidr),
            Self::One(Setting::NodeCidr),
            Self::One(Setting::Bridge),
            Self::One(Setting::Prefix),
            Self::One(Setting::NoDetection),
            Self::One(Setting::MasqueradeAll),
            Self::One(Setting::AllAddresses),
            Self::One(Setting::OneNetwork),
            Self::One(Setting::Iptables),
            Self::One(Setting::IptablesLocalhost),
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::All => Some(PossibleValue::new("all").help("Each of those below")),
            Self::One(setting) => setting.to_possible_value(),
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", PossibleValue::get_name))
    }
}

impl Setting {
    /// Whether kube-proxy writes rules of iptables.
    pub(super) fn is_iptables(self) -> bool {
        matches!(self, Self::Iptables | Self::IptablesLocalhost)
    }

    /// What kube-proxy starts that it would not start otherwise.
    pub(super) fn scope(self) -> Option<Scope> {
        self.is_iptables().then_some(Scope::Iptables)
    }

    /// Its fields of a `KubeProxyConfiguration`.
    pub(super) fn fields(self) -> Value {
        match self {
            Self::ClusterCidr => json!({}),
            Self::NodeCidr => json!({"detectLocalMode": "NodeCIDR"}),
            Self::Bridge => json!({
                "detectLocalMode": "BridgeInterface",
                "detectLocal": {"bridgeInterface": "eth0"},
            }),
            Self::Prefix => json!({
                "detectLocalMode": "InterfaceNamePrefix",
                "detectLocal": {"interfaceNamePrefix": POD_PREFIX},
            }),
            // Where no mode is said Waggle knows its own pods.
            Self::NoDetection => json!({"detectLocalMode": "ClusterCIDR", "clusterCIDR": ""}),
            Self::MasqueradeAll => json!({"nftables": {"masqueradeAll": true}}),
            Self::AllAddresses => json!({"nodePortAddresses": ["0.0.0.0/0", "::/0"]}),
            Self::OneNetwork => json!({"nodePortAddresses": ["192.168.89.0/24"]}),
            Self::Iptables => json!({"mode": "iptables"}),
            Self::IptablesLocalhost => {
                json!({"mode": "iptables", "nodePortAddresses": ["127.0.0.0/8"]})
            }
        }
    }
}

/// Begins the names of links to pods, whoever wired them.
pub(super) const POD_PREFIX: &str = "wag";

#[cfg(test)]
mod tests {
    use super::{Choice, Setting, ValueEnum as _};

    #[test]
    fn every_setting_can_be_chosen_and_all_are_each_once_with_the_default_one_first() {
        let ones: Vec<Choice> =
            Setting::value_variants().iter().map(|it| Choice::One(*it)).collect();
        assert_eq!(Choice::value_variants(), [&[Choice::All][..], &ones].concat());
        let all = Choice::settings(&[Choice::All, ones[0]]);
        assert_eq!((all[0], all.len()), (Setting::default(), ones.len()));
        assert_eq!(Choice::settings(&ones[2..4]), [Setting::Bridge, Setting::Prefix]);
    }
}
