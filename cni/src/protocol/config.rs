//! The network's configuration, as it comes on standard input.
//!
//! Read key by key out of JSON rather than into a type as a whole: runtimes add keys of their own,
//! and a key that nobody reads must not make a pod impossible to delete.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::error::{Code, Error};
use super::port_mapping::PortMapping;
use super::version::Version;

/// The folder of the agent's and the plugin's own files, unless the configuration names another.
pub(crate) const RUN_DIR: &str = "/run/waggle";
/// The log's name in that folder.
pub(crate) const LOG: &str = "cni.log";
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
    /// The file that says what became of each request; none where nobody wants to know.
    pub(crate) log_file: Option<PathBuf>,
    /// DNS settings to hand on.
    pub(crate) dns: Option<Value>,
    /// The result of the plugins before this one, or the one to check.
    pub(crate) previous: Option<Map<String, Value>>,
    /// All of it, for what one verb alone asks.
    pub(super) object: Map<String, Value>,
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
        let run_dir = path("runDir", RUN_DIR)?;
        let log_file = text(&object, "logFile")?.map_or_else(|| run_dir.join(LOG), PathBuf::from);
        Ok(Self {
            version,
            name: name.to_owned(),
            bpf_root: path("bpfRoot", BPF_ROOT)?,
            run_dir,
            log_file: Some(log_file).filter(|path| !path.as_os_str().is_empty()),
            dns: dns(&object),
            previous: object.get("prevResult").and_then(Value::as_object).cloned(),
            object,
        })
    }

    /// The ports of the node that lead to the pod.
    ///
    /// # Errors
    /// When one is not what it must be.
    pub(crate) fn port_mappings(&self) -> Result<Vec<PortMapping>, Error> {
        PortMapping::list(&self.object)
    }

    /// The attachments that are in use, containers and their interfaces; none where the runtime
    /// lists none, which is not the same as an empty list.
    ///
    /// # Errors
    /// When the list is not what it must be: half of one would be the end of living pods.
    pub(crate) fn valid_attachments(&self) -> Result<Option<Vec<(String, String)>>, Error> {
        let keys = ["cni.dev/valid-attachments", "cni.dev/attachments"];
        let found = keys
            .iter()
            .find_map(|key| Some((*key, self.object.get(*key).filter(|value| !value.is_null())?)));
        let Some((key, list)) = found else { return Ok(None) };
        let field = |entry: &Value, key: &str| Some(entry.get(key)?.as_str()?.to_owned());
        let attachment = |e| Some((field(e, "containerID")?, field(e, "ifname")?));
        let list = list.as_array().and_then(|list| list.iter().map(attachment).collect());
        list.map(Some).ok_or_else(|| {
            Error::new(Code::Config, format!("invalid {key}"))
                .details("it must list objects with containerID and ifname")
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

/// What the runtime says of the pod is stronger than what stands in the configuration.
fn dns(config: &Map<String, Value>) -> Option<Value> {
    let runtime = config.get("runtimeConfig").and_then(|it| it.get("dns"));
    let runtime = runtime.filter(|dns| has_values(dns)).map(|dns| {
        let names = [("nameservers", "servers"), ("search", "searches"), ("options", "options")];
        let present = names.map(|(ours, theirs)| Some((ours, dns.get(theirs)?)));
        let present = present.into_iter().flatten().filter(|(_, value)| !value.is_null());
        present.map(|(key, value)| (key.to_owned(), value.clone())).collect()
    });
    runtime.or_else(|| config.get("dns").filter(|dns| has_values(dns)).cloned())
}

fn has_values(dns: &Value) -> bool {
    dns.as_object().is_some_and(|dns| dns.values().any(|value| !value.is_null()))
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
            log_file: Some("/run/waggle/cni.log".into()),
            dns: None,
            previous: None,
            object: object(input).unwrap(),
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

    fn parse(extra: &str) -> NetConf {
        let input = format!(r#"{{"cniVersion":"1.1.0","name":"waggle"{extra}}}"#);
        NetConf::parse(input.as_bytes()).unwrap()
    }

    #[test]
    fn the_log_is_where_the_configuration_says() {
        for (extra, expected) in [
            (r#","runDir":"/run/other""#, Some("/run/other/cni.log")),
            (r#","logFile":"/var/log/pods.log""#, Some("/var/log/pods.log")),
            (r#","logFile":"""#, None),
        ] {
            assert_eq!(parse(extra).log_file, expected.map(PathBuf::from), "{extra}");
        }
    }

    #[test]
    fn no_list_of_attachments_is_not_an_empty_one() {
        let one = Some(vec![("a".to_owned(), "eth0".to_owned())]);
        let rows = [
            ("", Ok(None)),
            (r#","cni.dev/valid-attachments":null"#, Ok(None)),
            (r#","cni.dev/valid-attachments":[]"#, Ok(Some(vec![]))),
            (r#","cni.dev/attachments":[{"containerID":"a","ifname":"eth0"}]"#, Ok(one)),
            (r#","cni.dev/valid-attachments":{}"#, Err(Code::Config)),
            (r#","cni.dev/attachments":[{"containerID":"a"}]"#, Err(Code::Config)),
        ];
        for (extra, expected) in rows {
            let found = parse(extra).valid_attachments().map_err(|error| error.code);
            assert_eq!(found, expected, "{extra}");
        }
    }

    #[test]
    fn the_strongest_name_servers_that_are_set_are_handed_on() {
        use serde_json::json;

        let runtime =
            r#","runtimeConfig":{"dns":{"servers":["192.0.2.53"],"searches":["b"],"x":1}}"#;
        let of_runtime = json!({ "nameservers": ["192.0.2.53"], "search": ["b"] });
        for (extra, expected) in [
            (String::new(), None),
            (r#","dns":{"nameservers":null}"#.into(), None),
            (r#","dns":{"nameservers":[]}"#.into(), Some(json!({ "nameservers": [] }))),
            (runtime.into(), Some(of_runtime.clone())),
            (format!(r#","dns":{{"domain":"a"}}{runtime}"#), Some(of_runtime)),
            (
                r#","dns":{"domain":"a"},"runtimeConfig":{"dns":{}}"#.into(),
                Some(json!({ "domain": "a" })),
            ),
        ] {
            assert_eq!(parse(&extra).dns, expected, "{extra}");
        }
    }
}
