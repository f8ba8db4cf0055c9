//! Wishes, row by row.

use serde_json::json;

use super::*;

fn parse(arguments: &str, config: &Value) -> Result<Wishes, Error> {
    Wishes::parse(arguments, config.as_object().unwrap())
}

fn mac(last: u8) -> Option<Mac> {
    Some(Mac([2, 0, 0, 0, 0, last]))
}

#[test]
fn the_strongest_hardware_address_counts() {
    let args = json!({ "args": { "cni": { "mac": "02:00:00:00:00:02" } } });
    let runtime = json!({ "runtimeConfig": { "mac": "02:00:00:00:00:03" } });
    let mut both = args.clone();
    both["runtimeConfig"] = runtime["runtimeConfig"].clone();
    for (arguments, config, expected) in [
        ("", &json!({}), None),
        ("IgnoreUnknown=1;MAC=02:00:00:00:00:01", &json!({}), mac(1)),
        ("MAC=02:00:00:00:00:01", &args, mac(2)),
        ("MAC=02:00:00:00:00:01", &runtime, mac(3)),
        ("", &both, mac(3)),
        ("MAC=02:00:00:00:00:01", &json!({ "runtimeConfig": { "mac": "" } }), mac(1)),
        ("MAC=;X=y", &json!({ "args": null, "runtimeConfig": { "mac": null } }), None),
    ] {
        assert_eq!(parse(arguments, config).map(|it| it.mac), Ok(expected), "{arguments} {config}");
    }
}

#[test]
fn addresses_add_up_whoever_asks_for_them() {
    let config = json!({
        "args": { "cni": { "ips": ["10.1.1.5", "fd01::5/64"] } },
        "runtimeConfig": { "ips": ["10.1.1.5/24", "10.1.1.6"] },
    });
    let ips = ["10.1.1.4", "10.1.1.5", "fd01::5", "10.1.1.6"];
    let ips = ips.map(|ip| ip.parse::<IpAddr>().unwrap());
    let expected = Wishes { ips: ips.to_vec(), ..Wishes::default() };
    assert_eq!(parse("IP=10.1.1.4/24,10.1.1.5", &config), Ok(expected));
    assert_eq!(parse("IP=", &json!({ "runtimeConfig": { "ips": null } })), Ok(Wishes::default()));
}

#[test]
fn ranges_are_read_as_go_writes_them() {
    let subnet = |text: &str| text.parse::<IpNetwork>().unwrap();
    let plain = IpRange { subnet: subnet("10.2.0.0/24"), start: None, end: None, gateway: None };
    let full = IpRange {
        subnet: subnet("fd02::/64"),
        start: Some("fd02::10".parse().unwrap()),
        end: Some("fd02::20".parse().unwrap()),
        gateway: Some("fd02::1".parse().unwrap()),
    };
    for (ranges, expected) in [
        (json!(null), None),
        (json!([]), None),
        (json!([[{ "subnet": "10.2.0.0/24" }]]), Some(vec![vec![plain]])),
        (
            json!([
                [{ "Subnet": "10.2.0.0/24", "RangeStart": "", "RangeEnd": "", "Gateway": "" }],
                [{
                    "subnet": "fd02::/64",
                    "rangeStart": "fd02::10",
                    "rangeEnd": "fd02::20",
                    "gateway": "fd02::1",
                }],
            ]),
            Some(vec![vec![plain], vec![full]]),
        ),
        (json!([[]]), Some(vec![vec![]])),
    ] {
        let config = json!({ "runtimeConfig": { "ipRanges": ranges } });
        assert_eq!(parse("", &config).map(|it| it.ranges), Ok(expected), "{config}");
    }
}

#[test]
fn a_pod_may_be_let_send_from_anywhere() {
    for (annotations, expected) in [
        (json!(null), false),
        (json!({}), false),
        (json!({ "waggle.dev/source-guard": "on" }), false),
        (json!({ "waggle.dev/source-guard": "off", "x": 7 }), true),
    ] {
        let config =
            json!({ "runtimeConfig": { "io.kubernetes.cri.pod-annotations": annotations } });
        assert_eq!(parse("", &config).map(|it| it.unguarded), Ok(expected), "{config}");
    }
}

#[test]
fn what_is_not_what_its_key_says_is_named() {
    let runtime = |value: Value| json!({ "runtimeConfig": value });
    let rows = [
        ("MAC=zz", json!({}), Code::Environment, "invalid CNI_ARGS MAC"),
        ("MAC=01:00:5e:00:00:01", json!({}), Code::Environment, "invalid CNI_ARGS MAC"),
        ("MAC=00:00:00:00:00:00", json!({}), Code::Environment, "invalid CNI_ARGS MAC"),
        ("IP=10.1.1", json!({}), Code::Environment, "invalid CNI_ARGS IP"),
        ("", json!({ "args": { "cni": { "mac": 7 } } }), Code::Config, "invalid args.cni.mac"),
        ("", json!({ "args": { "cni": { "ips": ["x"] } } }), Code::Config, "invalid args.cni.ips"),
        ("", runtime(json!({ "mac": "a:b" })), Code::Config, "invalid runtimeConfig.mac"),
        ("", runtime(json!({ "ips": "10.1.1.5" })), Code::Config, "invalid runtimeConfig.ips"),
        ("", runtime(json!({ "ips": [5] })), Code::Config, "invalid runtimeConfig.ips"),
        ("", runtime(json!({ "ipRanges": {} })), Code::Config, "invalid runtimeConfig.ipRanges"),
        ("", runtime(json!({ "ipRanges": [{}] })), Code::Config, "invalid runtimeConfig.ipRanges"),
        (
            "",
            runtime(json!({ "ipRanges": [[{}]] })),
            Code::Config,
            "invalid runtimeConfig.ipRanges",
        ),
        (
            "",
            runtime(json!({ "ipRanges": [[{ "subnet": "10.2.0.0/24", "gateway": "x" }]] })),
            Code::Config,
            "invalid runtimeConfig.ipRanges",
        ),
        (
            "",
            runtime(json!({
                "io.kubernetes.cri.pod-annotations": { "waggle.dev/source-guard": "no" },
            })),
            Code::Config,
            "invalid io.kubernetes.cri.pod-annotations.waggle.dev/source-guard",
        ),
    ];
    for (arguments, config, code, message) in rows {
        let error = parse(arguments, &config).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (code, message), "{arguments} {config}");
    }
}
