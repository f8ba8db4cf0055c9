//! Files of our own form, and which form a file is of.

use super::*;

fn parse(text: &str) -> Result<Taken, ConfigError> {
    Config::parse(Path::new("c.yaml"), text)
}

#[test]
fn files_that_are_right_are_taken() {
    let full = Config {
        node_name: Some("a".to_owned()),
        kubeconfig: Some("/k".into()),
        mode: Mode::Auto,
        vxlan: Vxlan { vni: 4096, port: 4789 },
        cni_plugin: "/p".into(),
        network_policy: NetworkPolicy { enforced_by: EnforcedBy::Other },
        set_node_network_unavailable: false,
        delivery: Delivery::Stack,
        attach: Attach::Clsact,
        devices: "eth*,!eth9".parse().unwrap(),
        log_level: LogLevel::Debug,
        keep_client_ip: KeepClientIp::Local,
        node_port_addresses: vec![NodePortAddress::All, NodePortAddress::Localhost],
        detect_local: DetectLocal::InterfaceNamePrefix("veth".to_owned()),
        masquerade_all: true,
        healthz_bind_address: "127.0.0.1:10256".parse().unwrap(),
        metrics_bind_address: "[::]:1".parse().unwrap(),
        bind_address_hard_fail: true,
        sync_period: Duration::from_secs(60),
        min_sync_period: Duration::ZERO,
        conntrack: Conntrack { min: 0, tcp_be_liberal: true, ..Conntrack::default() },
    };
    let text = "nodeName: a\nkubeconfig: /k\nmode: auto\nvxlan: {vni: 4096, port: 4789}\ncniPlugin: /p\n\
         networkPolicy: {enforcedBy: other}\nsetNodeNetworkUnavailable: false\ndelivery: stack\nattach: clsact\n\
        devices: eth*,!eth9\nlogLevel: debug\nkeepClientIP: local\n\
        nodePortAddresses: [all, localhost]\ndetectLocal: {interfaceNamePrefix: veth}\n\
        masqueradeAll: true\nhealthzBindAddress: 127.0.0.1\nmetricsBindAddress: '[::]:1'\n\
        bindAddressHardFail: true\nsyncPeriod: 1m\nminSyncPeriod: 0s\nconntrack: {min: 0, tcpBeLiberal: true}\n";
    for (text, config) in [
        ("", Config::default()),
        ("# nothing yet\n", Config::default()),
        ("delivery: stack\n", Config { delivery: Delivery::Stack, ..Config::default() }),
        ("detectLocal: none\n", Config { detect_local: DetectLocal::None, ..Config::default() }),
        (text, full),
    ] {
        assert_eq!(parse(text).unwrap().config, config, "{text}");
    }
}

#[test]
fn files_that_are_wrong_are_refused_with_their_position() {
    for (text, position, cause) in [
        ("delivery: teleport\n", "1:11", "unknown variant `teleport`, expected one of bypass"),
        ("attach: clsact\ndelivry: stack\n", "2:1", "unknown field `delivry`, expected one of"),
        ("mode: hostgw\n", "1:7", "unknown variant `hostgw`, expected one of auto, vxlan"),
        ("vxlan: {vni: 16777216}\n", "1:14", "16777216 is no VNI: write 1 to 16777215"),
        ("vxlan: {port: 0}\n", "1:15", "0 is no port to listen at"),
        ("devices: a,,b\n", "1:10", "the device pattern \"\" names no device"),
        ("attach: [auto]\n", "1:9", "externally tagged enum expected scalar or mapping"),
        ("delivery: bypass\n  attach: auto\n", "2:9", "mapping values are not allowed in this"),
        ("delivery: bypass\ndelivery: stack\n", "2:1", "duplicate mapping key `delivery`"),
        ("- delivery\n", "1:1", "expected mapping start"),
        ("delivery: bypass\n---\n{}\n", "3:1", "only single YAML document expected"),
        (
            "nodePortAddresses: [here]\n",
            "1:21",
            "\"here\" names no addresses of a node; use primary",
        ),
        ("syncPeriod: 5\n", "1:13", "\"5\" is no span of time; write it as 30s or 1h30m"),
        ("syncPeriod: 0s\n", "1:13", "it must be longer than no time at all; leave it out for"),
        ("conntrack: {max: 5}\n", "1:13", "unknown field `max`, expected one of maxPerCore"),
        ("kind: Config\napiVersion: v1\n", "1:7", "\"Config\" is no configuration that is known"),
        (
            "kind: KubeProxyConfiguration\napiVersion: kubeproxy.config.k8s.io/v2\n",
            "2:13",
            "\"kubeproxy.config.k8s.io/v2\" is no configuration that is known; use KubeProxyConf",
        ),
        ("kind: KubeProxyConfiguration\n", "1:7", "apiVersion is missing; add apiVersion: kubep"),
        (
            "apiVersion: kubeproxy.config.k8s.io/v1alpha1\n",
            "1:13",
            "kind is missing; add kind: KubeProxyConfiguration",
        ),
    ] {
        let message = parse(text).unwrap_err().to_string();
        assert!(message.starts_with(&format!("c.yaml:{position}: {cause}")), "{message}");
    }
}

#[test]
fn one_warning_names_all_that_has_no_effect() {
    let header = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";
    let text = format!("{header}mode: nftables\nipvs: {{strictARP: true, spin: 1}}\n");
    let warning = |text: &str| {
        let warning = parse(text).unwrap().warning(Path::new("c.yaml"));
        warning.map(|problem| problem.to_string())
    };
    let expected = "configuration c.yaml is taken without ipvs.spin (unknown), ipvs.strictARP (no \
                    IPVS here)";
    assert_eq!(warning(&text).as_deref(), Some(expected));
    assert_eq!(warning("delivery: stack\nminSyncPeriod: 0s\n"), None);
    let expected =
        "configuration c.yaml is taken without minSyncPeriod (changes are served at once)";
    assert_eq!(warning("minSyncPeriod: 10s\n").as_deref(), Some(expected));
}

#[test]
fn every_key_of_our_own_form_is_described() {
    let described = include_str!("../../../docs/configuration.md");
    for section in ["", "conntrack: "] {
        let message = parse(&format!("{section}{{unknown: 1}}\n")).unwrap_err().to_string();
        let (_, keys) = message.split_once("expected one of ").unwrap();
        for key in keys.split(", ") {
            assert!(
                described.contains(&format!("`{key}`")),
                "{key} is not in docs/configuration.md"
            );
        }
    }
}
