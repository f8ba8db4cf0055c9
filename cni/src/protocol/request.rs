//! Requests: the verb, and what it is about.

use std::path::PathBuf;

use super::args::PodName;
use super::config::{NetConf, is_identifier};
use super::environment::Environment;
use super::error::{Code, Error};
use super::version::Version;
use super::wishes::Wishes;

/// Longest name the kernel allows for a device.
const NAME_LENGTH: usize = 15;

/// What the runtime wants.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Request {
    /// Connect a container.
    Add {
        /// The network.
        config: NetConf,
        /// The container's interface.
        attachment: Attachment,
        /// The container's network namespace.
        namespace: PathBuf,
        /// Whose it is.
        pod: PodName,
        /// What is asked for.
        wishes: Wishes,
    },
    /// Disconnect a container; its namespace may be gone.
    Del {
        /// The network.
        config: NetConf,
        /// The container's interface.
        attachment: Attachment,
    },
    /// Compare a container's network with what ADD made.
    Check {
        /// The network.
        config: NetConf,
        /// The container's interface.
        attachment: Attachment,
        /// The container's network namespace.
        namespace: PathBuf,
    },
    /// Remove what no listed attachment uses.
    Gc {
        /// The network.
        config: NetConf,
        /// Containers in use and their interfaces, where the runtime lists them.
        valid: Option<Vec<(String, String)>>,
    },
    /// Say whether ADD would succeed.
    Status {
        /// The network.
        config: NetConf,
    },
    /// Name the versions that are answered.
    Version,
}

/// An interface of a container: what ADD makes and DEL removes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Attachment {
    /// The container's identifier.
    pub(crate) container: String,
    /// The interface's name inside the container.
    pub(crate) ifname: String,
}

/// The variables a verb needs; `CNI_COMMAND` was seen already.
const FOR_ADD: &[&str] = &["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"];
const FOR_DEL: &[&str] = &["CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"];
const FOR_GC: &[&str] = &["CNI_PATH"];

impl Request {
    /// Reads a request. None without a verb: then it is no runtime that calls.
    ///
    /// # Errors
    /// When a variable is missing or wrong, or the configuration is.
    pub(crate) fn parse(environment: &Environment, input: &[u8]) -> Result<Option<Self>, Error> {
        let Some(verb) = environment.get("CNI_COMMAND") else { return Ok(None) };
        let request = match verb {
            "ADD" => Self::add(environment, input)?,
            "DEL" => Self::del(environment, input)?,
            "CHECK" => Self::check(environment, input)?,
            "GC" => Self::gc(environment, input)?,
            "STATUS" => {
                Self::Status { config: since(Version::V1_1_0, verb, NetConf::parse(input)?)? }
            }
            "VERSION" => Self::Version,
            other => {
                return Err(Error::new(Code::Environment, format!("unknown CNI_COMMAND: {other}")));
            }
        };
        Ok(Some(request))
    }

    fn add(environment: &Environment, input: &[u8]) -> Result<Self, Error> {
        require(environment, FOR_ADD)?;
        let arguments = environment.get("CNI_ARGS").unwrap_or_default();
        let attachment = Attachment::parse(environment)?;
        let pod = PodName::parse(arguments)?;
        let config = NetConf::parse(input)?;
        let wishes = Wishes::parse(arguments, &config.object)?;
        Ok(Self::Add { attachment, namespace: namespace(environment), pod, wishes, config })
    }

    fn del(environment: &Environment, input: &[u8]) -> Result<Self, Error> {
        require(environment, FOR_DEL)?;
        let attachment = Attachment::parse(environment)?;
        Ok(Self::Del { attachment, config: NetConf::parse(input)? })
    }

    fn check(environment: &Environment, input: &[u8]) -> Result<Self, Error> {
        require(environment, FOR_ADD)?;
        Ok(Self::Check {
            attachment: Attachment::parse(environment)?,
            namespace: namespace(environment),
            config: since(Version::V0_4_0, "CHECK", NetConf::parse(input)?)?,
        })
    }

    fn gc(environment: &Environment, input: &[u8]) -> Result<Self, Error> {
        require(environment, FOR_GC)?;
        let config = since(Version::V1_1_0, "GC", NetConf::parse(input)?)?;
        Ok(Self::Gc { valid: config.valid_attachments()?, config })
    }
}

impl Attachment {
    fn parse(environment: &Environment) -> Result<Self, Error> {
        let container = environment.get("CNI_CONTAINERID").unwrap_or_default().to_owned();
        let ifname = environment.get("CNI_IFNAME").unwrap_or_default().to_owned();
        if !is_identifier(&container) {
            return Err(Error::new(Code::Environment, "invalid container ID").details(container));
        }
        if !is_device_name(&ifname) {
            return Err(Error::new(Code::Environment, "invalid interface name").details(ifname));
        }
        Ok(Self { container, ifname })
    }
}

fn is_device_name(text: &str) -> bool {
    let refused = |each: char| each == '/' || each == ':' || each.is_whitespace();
    text.len() <= NAME_LENGTH
        && !text.is_empty()
        && !matches!(text, "." | "..")
        && !text.contains(refused)
}

fn namespace(environment: &Environment) -> PathBuf {
    environment.get("CNI_NETNS").unwrap_or_default().into()
}

fn require(environment: &Environment, names: &[&str]) -> Result<(), Error> {
    let missing: Vec<_> =
        names.iter().copied().filter(|name| environment.get(name).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("required env variables [{}] missing", missing.join(","));
    Err(Error::new(Code::Environment, message))
}

fn since(version: Version, verb: &str, config: NetConf) -> Result<NetConf, Error> {
    if config.version >= version {
        return Ok(config);
    }
    let message = format!("config version does not allow {verb}");
    let details =
        format!("config is {}, {verb} is of {}", config.version.as_str(), version.as_str());
    Err(Error::new(Code::IncompatibleVersion, message).details(details))
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
