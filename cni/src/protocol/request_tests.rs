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
    let rows: [(&str, &[&str], &str); 9] = [
        ("ADD", &["CNI_CONTAINERID"], "CNI_CONTAINERID"),
        ("ADD", &["CNI_NETNS"], "CNI_NETNS"),
        ("ADD", &["CNI_IFNAME"], "CNI_IFNAME"),
        ("ADD", &["CNI_PATH"], "CNI_PATH"),
        (
            "ADD",
            &["CNI_PATH", "CNI_NETNS", "CNI_CONTAINERID"],
            "CNI_CONTAINERID,CNI_NETNS,CNI_PATH",
        ),
        ("CHECK", &["CNI_NETNS"], "CNI_NETNS"),
        ("DEL", &["CNI_CONTAINERID", "CNI_NETNS"], "CNI_CONTAINERID"),
        ("DEL", &["CNI_IFNAME", "CNI_PATH"], "CNI_IFNAME,CNI_PATH"),
        ("GC", &["CNI_PATH"], "CNI_PATH"),
    ];
    for (verb, unset, named) in rows {
        let changes: Vec<_> = unset.iter().map(|name| (*name, "")).collect();
        let message = format!("required env variables [{named}] missing");
        assert_eq!(outcome(verb, &changes, CONFIG), Err((Code::Environment, message)), "{verb}");
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
    let broken = [("CNI_ARGS", "broken")];
    assert_eq!(outcome("ADD", &broken, CONFIG).map_err(|(code, _)| code), Err(Code::Environment));
    assert_eq!(outcome("DEL", &broken, CONFIG), Ok(()));
}
