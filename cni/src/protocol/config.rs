//! The network's configuration, as it comes on standard input.
//!
//! Read key by key out of JSON rather than into a type as a whole: runtimes add keys of their own,
//! and a key that nobody reads must not make a pod impossible to delete.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::error::{Code, Error};
use super::version::Version;

const RUN_DIR: &str = "/run/waggle";
const BPF_ROOT: &str = "/sys/fs/bpf/waggle";

/// The configuration of one network.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NetConf {
    /// The version to answer in.
    pub(crate) version: Version,
    /// The network's name.
    pub(crate) name: String,
    /// Where the agent's and the plugin's own files are.
    pub(crate) run_dir: PathBuf,
    /// Below which directory the agent pins its maps and programs.
    pub(crate) bpf_root: PathBuf,
    /// DNS settings to hand on.
    pub(crate) dns: Option<Value>,
    /// The result of the plugins before this one, or the one to check.
    pub(crate) previous: Option<Map<String, Value>>,
    /// Attachments that are in use, where the runtime lists them.
    pub(crate) valid: Option<Vec<(String, String)>>,
}

impl NetConf {
    /// Reads a configuration.
    ///
    /// # Errors
    /// When it is no JSON object, or a value that is needed is missing or wrong.
    pub(crate) fn parse(input: &[u8]) -> Result<Self, Error> {
        let object = object(input)?;
        let version = Version::parse(text(&object, "cniVersion")?)?;
        let name = text(&object, "name")?.unwrap_or_default();
        if !is_identifier(name) {
            return Err(Error::new(Code::Config, "invalid network name").details(format!(
                "{name:?} is no letter or digit followed by those, '_', '.', '-'"
            )));
        }
        let path = |key, default: &str| -> Result<_, Error> {
            Ok(PathBuf::from(text(&object, key)?.unwrap_or(default)))
        };
        Ok(Self {
            version,
            name: name.to_owned(),
            run_dir: path("runDir", RUN_DIR)?,
            bpf_root: path("bpfRoot", BPF_ROOT)?,
            dns: object.get("dns").filter(|dns| has_values(dns)).cloned(),
            previous: object.get("prevResult").and_then(Value::as_object).cloned(),
            valid: valid_attachments(&object),
        })
    }

    /// The version that stands in an input, to answer a failure with, however broken the rest is.
    #[must_use]
    pub(crate) fn version_of(input: &[u8]) -> Option<String> {
        let object = object(input).ok()?;
        text(&object, "cniVersion").ok().flatten().map(str::to_owned)
    }
}

/// Whether a text may name a network or a container.
pub(super) fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(|each| each.is_ascii_alphanumeric() || "_.-".contains(each))
}

fn object(input: &[u8]) -> Result<Map<String, Value>, Error> {
    let failed = |details: String| {
        Error::new(Code::Decode, "failed to decode the network configuration").details(details)
    };
    match serde_json::from_slice(input) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(failed("it is no JSON object".into())),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Result<Option<&'a str>, Error> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => {
            let details = format!("{key} must be a string, not {other}");
            Err(Error::new(Code::Config, "invalid network configuration").details(details))
        }
    }
}

fn has_values(dns: &Value) -> bool {
    dns.as_object().is_some_and(|dns| dns.values().any(|value| !value.is_null()))
}

/// None where the key is absent, which is not the same as an empty list.
fn valid_attachments(object: &Map<String, Value>) -> Option<Vec<(String, String)>> {
    let keys = ["cni.dev/valid-attachments", "cni.dev/attachments"];
    let list = keys.iter().find_map(|key| object.get(*key)?.as_array())?;
    let field = |entry: &Value, key: &str| Some(entry.get(key)?.as_str()?.to_owned());
    Some(
        list.iter().filter_map(|e| Some((field(e, "containerID")?, field(e, "ifname")?))).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(input: &str) -> Result<(), Code> {
        NetConf::parse(input.as_bytes()).map(drop).map_err(|error| error.code)
    }

    #[test]
    fn the_shortest_configuration_has_the_defaults() {
        let input = br#"{"cniVersion":"1.0.0","name":"waggle","type":"waggle-cni"}"#;
        let expected = NetConf {
            version: Version::V1_0_0,
            name: "waggle".into(),
            run_dir: "/run/waggle".into(),
            bpf_root: "/sys/fs/bpf/waggle".into(),
            dns: None,
            previous: None,
            valid: None,
        };
        assert_eq!(NetConf::parse(input), Ok(expected));
    }

    #[test]
    fn what_nobody_reads_disturbs_nobody() {
        for extra in [
            r#""unknown":{"a":1}"#,
            r#""runtimeConfig":{"portMappings":[{"protocol":"sctp"}]}"#,
            r#""runDir":null,"disableCheck":"true""#,
            r#""prevResult":"garbage""#,
            r#""prevResult":{}"#,
        ] {
            let input = format!(r#"{{"cniVersion":"1.0.0","name":"waggle",{extra}}}"#);
            assert_eq!(code(&input), Ok(()), "{input}");
        }
    }

    #[test]
    fn broken_input_is_refused_with_the_right_code() {
        let rows = [
            ("", Code::Decode),
            ("nothing", Code::Decode),
            ("[]", Code::Decode),
            (r#"{"cniVersion":"1.0.0""#, Code::Decode),
            (r#"{"cniVersion":"1.0.0"}"#, Code::Config),
            (r#"{"cniVersion":"1.0.0","name":"bad/name"}"#, Code::Config),
            (r#"{"cniVersion":"1.0.0","name":"-a"}"#, Code::Config),
            (r#"{"cniVersion":"1.0.0","name":"a","runDir":7}"#, Code::Config),
            (r#"{"name":"a"}"#, Code::IncompatibleVersion),
        ];
        for (input, expected) in rows {
            assert_eq!(code(input), Err(expected), "{input}");
        }
    }

    #[test]
    fn no_list_of_attachments_is_not_an_empty_one() {
        let rows = [
            ("", None),
            (r#","cni.dev/valid-attachments":[]"#, Some(vec![])),
            (
                r#","cni.dev/attachments":[{"containerID":"a","ifname":"eth0"}]"#,
                Some(vec![("a".to_owned(), "eth0".to_owned())]),
            ),
        ];
        for (extra, expected) in rows {
            let input = format!(r#"{{"cniVersion":"1.1.0","name":"waggle"{extra}}}"#);
            assert_eq!(NetConf::parse(input.as_bytes()).unwrap().valid, expected, "{input}");
        }
    }
}
