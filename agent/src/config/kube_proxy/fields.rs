//! The fields of a `KubeProxyConfiguration`, and what becomes of each here.

/// One field, or a section of which nothing matters here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    /// Its name with those of the sections around it, dots between.
    pub(super) path: &'static str,
    /// What it holds.
    pub(super) kind: Kind,
    /// What is as if nothing was said, beside what is empty.
    pub(super) usual: &'static [&'static str],
    /// Why it has no effect here, if it has none.
    pub(super) idle: Option<&'static str>,
}

/// What a field holds. Nothing at all will always do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// True or false.
    Flag,
    /// A whole number; 0 is as if nothing was said.
    Number,
    /// A whole number of which 0 is one like the others.
    OptionalNumber,
    /// A number.
    Fraction,
    /// A text.
    Text,
    /// A span of time.
    Period,
    /// Texts in order.
    Texts,
    /// Anything by name.
    Section,
    /// Whatever.
    Any,
}

impl Kind {
    /// What would be right.
    pub(super) const fn hint(self) -> &'static str {
        match self {
            Self::Flag => "write true or false",
            Self::Number | Self::OptionalNumber => "write a whole number",
            Self::Fraction => "write a number",
            Self::Text => "write a text",
            Self::Period => "write a span of time such as 30s",
            Self::Texts => "write a list of texts",
            Self::Section | Self::Any => "write the fields of the section",
        }
    }
}

const IPVS: &str = "no IPVS here";
const JSON: &str = "JSON is spoken";
const LOG: &str = "see logLevel and RUST_LOG";
const MARK: &str = "packets are not marked";
const WATCHES: &str = "changes are watched";
const WINDOWS: &str = "Windows";

/// What has an effect here.
const fn live(path: &'static str, kind: Kind) -> Field {
    Field { path, kind, usual: &[], idle: None }
}

/// What has none, because of `why`.
const fn idle(
    path: &'static str,
    kind: Kind,
    usual: &'static [&'static str],
    why: &'static str,
) -> Field {
    Field { path, kind, usual, idle: Some(why) }
}

/// Every field of `kubeproxy.config.k8s.io/v1alpha1` as of Kubernetes 1.36, with its default.
pub(super) const FIELDS: &[Field] = &[
    live("apiVersion", Kind::Text),
    live("kind", Kind::Text),
    idle("bindAddress", Kind::Text, &["0.0.0.0", "::"], "the Node object tells addresses"),
    live("bindAddressHardFail", Kind::Flag),
    idle("clientConnection.acceptContentTypes", Kind::Text, &[], JSON),
    idle("clientConnection.burst", Kind::Number, &["10"], WATCHES),
    idle(
        "clientConnection.contentType",
        Kind::Text,
        &["application/vnd.kubernetes.protobuf", "application/json"],
        JSON,
    ),
    live("clientConnection.kubeconfig", Kind::Text),
    idle("clientConnection.qps", Kind::Fraction, &["5"], WATCHES),
    live("clusterCIDR", Kind::Text),
    idle("configSyncPeriod", Kind::Period, &["15m"], WATCHES),
    live("conntrack.maxPerCore", Kind::OptionalNumber),
    live("conntrack.min", Kind::OptionalNumber),
    live("conntrack.tcpBeLiberal", Kind::Flag),
    live("conntrack.tcpCloseWaitTimeout", Kind::Period),
    live("conntrack.tcpEstablishedTimeout", Kind::Period),
    live("conntrack.udpStreamTimeout", Kind::Period),
    live("conntrack.udpTimeout", Kind::Period),
    live("detectLocal.bridgeInterface", Kind::Text),
    live("detectLocal.interfaceNamePrefix", Kind::Text),
    live("detectLocalMode", Kind::Text),
    idle("enableProfiling", Kind::Flag, &[], "no profiler here"),
    idle("featureGates", Kind::Section, &[], "no gates here"),
    live("healthzBindAddress", Kind::Text),
    live("hostnameOverride", Kind::Text),
    live("iptables.localhostNodePorts", Kind::Flag),
    live("iptables.masqueradeAll", Kind::Flag),
    idle("iptables.masqueradeBit", Kind::OptionalNumber, &["14"], MARK),
    live("iptables.minSyncPeriod", Kind::Period),
    live("iptables.syncPeriod", Kind::Period),
    idle("ipvs.excludeCIDRs", Kind::Texts, &[], IPVS),
    live("ipvs.minSyncPeriod", Kind::Period),
    idle("ipvs.scheduler", Kind::Text, &[], IPVS),
    idle("ipvs.strictARP", Kind::Flag, &[], IPVS),
    live("ipvs.syncPeriod", Kind::Period),
    idle("ipvs.tcpFinTimeout", Kind::Period, &[], IPVS),
    idle("ipvs.tcpTimeout", Kind::Period, &[], IPVS),
    idle("ipvs.udpTimeout", Kind::Period, &[], IPVS),
    idle("logging.flushFrequency", Kind::Any, &["5s"], LOG),
    idle("logging.format", Kind::Text, &["text"], LOG),
    idle("logging.options", Kind::Section, &[], LOG),
    idle("logging.verbosity", Kind::Number, &[], LOG),
    idle("logging.vmodule", Kind::Any, &[], LOG),
    live("metricsBindAddress", Kind::Text),
    live("mode", Kind::Text),
    live("nftables.masqueradeAll", Kind::Flag),
    idle("nftables.masqueradeBit", Kind::OptionalNumber, &["14"], MARK),
    live("nftables.minSyncPeriod", Kind::Period),
    live("nftables.syncPeriod", Kind::Period),
    live("nodePortAddresses", Kind::Texts),
    idle("oomScoreAdj", Kind::OptionalNumber, &["-999"], "left to who starts the agent"),
    idle("portRange", Kind::Text, &[], "kube-proxy does not use it either"),
    idle("showHiddenMetricsForVersion", Kind::Text, &[], "no metrics are hidden"),
    idle("windowsRunAsService", Kind::Flag, &[], WINDOWS),
    idle("winkernel", Kind::Section, &[], WINDOWS),
];

/// The field of this path.
pub(super) fn field(path: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.path == path)
}

/// Whether fields are known within the section of this path.
pub(super) fn is_section(path: &str) -> bool {
    let is_within =
        |field: &&Field| field.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    FIELDS.iter().any(|field| is_within(&field))
}
