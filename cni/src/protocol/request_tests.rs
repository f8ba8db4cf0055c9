//! Requests, row by row.

use super::*;

const CONFIG: &str = r#"{"cniVersion":"1.1.0","name":"waggle","type":"waggle-cni"}"#;
const FULL: [(&str, &str); 4] = [
    ("CNI_CONTAINERID", "abc"),
    ("CNI_NETNS", "/run/netns/a"),
    ("CNI_IFNAME", "eth0"),
    ("CNI_PATH", "/opt/cni/bin"),
];

fn environment(verb: &str, changes: &[(&str, &str)]) -> Environment {
    let mut all: Vec<_> = FULL.to_vec();
    all.push(("CNI_COMMAND", verb));
    all.extend(changes);
    all.into_iter().collect()
}

fn outcome(verb: &str, changes: &[(&str, &str)], input: &str) -> Result<(), (Code, String)> {
    match Request::parse(&environment(verb, changes), input.as_bytes()) {
        Ok(_) => Ok(()),
        Err(error) => Err((error.code, error.message)),
    }
}

#[test]
fn each_missing_variable_is_named() {
    let all = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"];
    let verbs: [(&str, &[&str]); 5] = [
        ("ADD", &all),
        ("CHECK", &all),
        ("DEL", &["CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"]),
        ("GC", &["CNI_PATH"]),
        ("STATUS", &[]),
    ];
    for (verb, required) in verbs {
        for bits in 0..1_u32 << all.len() {
            let is_unset = |name: &&&str| {
                all.iter().position(|each| each == *name).is_some_and(|at| bits >> at & 1 == 1)
            };
            let unset: Vec<_> = all.iter().filter(is_unset).map(|name| (*name, "")).collect();
            let named: Vec<_> = required.iter().filter(is_unset).copied().collect();
            let expected = match named.join(",") {
                none if none.is_empty() => Ok(()),
                named => {
                    Err((Code::Environment, format!("required env variables [{named}] missing")))
                }
            };
            assert_eq!(outcome(verb, &unset, CONFIG), expected, "{verb} without {unset:?}");
        }
    }
}

#[test]
fn what_a_verb_does_not_need_may_be_missing() {
    let none = [("CNI_CONTAINERID", ""), ("CNI_NETNS", ""), ("CNI_IFNAME", "")];
    assert_eq!(outcome("DEL", &[("CNI_NETNS", "")], CONFIG), Ok(()));
    assert_eq!(outcome("GC", &none, CONFIG), Ok(()));
    assert_eq!(outcome("STATUS", &[none[0], none[1], none[2], ("CNI_PATH", "")], CONFIG), Ok(()));
    assert_eq!(outcome("VERSION", &none, ""), Ok(()));
}

#[test]
fn without_a_verb_there_is_no_request() {
    assert_eq!(Request::parse(&Environment::default(), b""), Ok(None));
}

#[test]
fn an_unknown_verb_is_named() {
    let message = "unknown CNI_COMMAND: UPDATE".to_owned();
    assert_eq!(outcome("UPDATE", &[], CONFIG), Err((Code::Environment, message)));
}

#[test]
fn container_identifiers_are_those_of_the_specification() {
    for good in ["a", "A0", "abc_1.2-x"] {
        assert_eq!(outcome("ADD", &[("CNI_CONTAINERID", good)], CONFIG), Ok(()), "{good}");
    }
    for bad in ["1234%%%", "-a", ".a", "a/b", "a b"] {
        let expected = Err((Code::Environment, "invalid container ID".to_owned()));
        assert_eq!(outcome("ADD", &[("CNI_CONTAINERID", bad)], CONFIG), expected, "{bad}");
    }
}

#[test]
fn interface_names_are_those_the_kernel_takes() {
    for good in ["eth0", "exactly-15-char", "a.7"] {
        assert_eq!(outcome("ADD", &[("CNI_IFNAME", good)], CONFIG), Ok(()), "{good}");
    }
    for bad in ["bad/if", "a:b", "with space", "..", ".", "sixteen-chars-xx"] {
        let expected = Err((Code::Environment, "invalid interface name".to_owned()));
        assert_eq!(outcome("DEL", &[("CNI_IFNAME", bad)], CONFIG), expected, "{bad}");
    }
}

#[test]
fn a_verb_needs_a_version_that_has_it() {
    let rows = [
        ("CHECK", "0.3.1", Some("config version does not allow CHECK")),
        ("CHECK", "0.4.0", None),
        ("GC", "1.0.0", Some("config version does not allow GC")),
        ("GC", "1.1.0", None),
        ("STATUS", "1.0.0", Some("config version does not allow STATUS")),
        ("ADD", "0.3.1", None),
        ("DEL", "0.2.0", Some("incompatible CNI versions")),
    ];
    for (verb, version, refusal) in rows {
        let input = CONFIG.replace("1.1.0", version);
        let expected = match refusal {
            Some(message) => Err((Code::IncompatibleVersion, message.to_owned())),
            None => Ok(()),
        };
        assert_eq!(outcome(verb, &[], &input), expected, "{verb} {version}");
    }
}

#[test]
fn broken_arguments_stop_add_alone() {
    let runtime = |value: &str| CONFIG.replace('}', &format!(r#","runtimeConfig":{value}}}"#));
    let rows = [
        ("broken", CONFIG.to_owned(), Err(Code::Environment)),
        ("IgnoreUnknown=1;broken", CONFIG.to_owned(), Ok(())),
        ("MAC=broken", CONFIG.to_owned(), Err(Code::Environment)),
        ("IgnoreUnknown=1;IP=broken", CONFIG.to_owned(), Err(Code::Environment)),
        ("", runtime(r#"{"mac":"broken"}"#), Err(Code::Config)),
        ("", runtime(r#"{"ips":["broken"]}"#), Err(Code::Config)),
        ("", runtime(r#"{"ipRanges":"broken"}"#), Err(Code::Config)),
        ("", runtime(r#"{"portMappings":[{"protocol":"sctp"}]}"#), Err(Code::Config)),
        ("", runtime(r#"{"unknown":[null],"portMappings":[]}"#), Ok(())),
    ];
    for (arguments, input, expected) in rows {
        let arguments = [("CNI_ARGS", arguments)];
        let found = outcome("ADD", &arguments, &input).map_err(|(code, _)| code);
        assert_eq!(found, expected, "{arguments:?} {input}");
        assert_eq!(outcome("DEL", &arguments, &input), Ok(()), "{arguments:?} {input}");
        assert_eq!(outcome("CHECK", &arguments, &input), Ok(()), "{arguments:?} {input}");
    }
}

#[test]
fn a_list_of_attachments_that_is_broken_stops_gc_alone() {
    let input = CONFIG.replace('}', r#","cni.dev/valid-attachments":[{"containerID":"a"}]}"#);
    let refusal = (Code::Config, "invalid cni.dev/valid-attachments".to_owned());
    assert_eq!(outcome("GC", &[], &input), Err(refusal));
    for verb in ["ADD", "DEL", "CHECK", "STATUS"] {
        assert_eq!(outcome(verb, &[], &input), Ok(()), "{verb}");
    }
}

#[test]
fn whatever_del_does_not_need_may_be_garbage() {
    for extra in [
        r#""prevResult":"garbage""#,
        r#""prevResult":{}"#,
        r#""prevResult":{"cniVersion":"9.9.9","ips":"x"}"#,
        r#""prevResult":null,"dns":7,"args":[],"ipam":{"type":"host-local"}"#,
        r#""capabilities":{"mac":true},"disableGC":"true","runtimeConfig":"x""#,
    ] {
        let input = CONFIG.replace('}', &format!(",{extra}}}"));
        assert_eq!(outcome("DEL", &[("CNI_ARGS", ";;=;x")], &input), Ok(()), "{input}");
    }
}
