//! Names of objects and of ServicePorts.

use std::fmt;

use super::Protocol;

/// Namespace and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The namespace.
    pub namespace: String,
    /// The name within it.
    pub name: String,
}

/// One port of one Service: what frontends lead to and endpoints serve.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServicePortName {
    /// The Service.
    pub service: Name,
    /// The port's name; empty where a Service with one port leaves it out.
    pub port: String,
    /// The port's protocol.
    pub protocol: Protocol,
}

impl Name {
    /// Of a namespace and a name.
    #[must_use]
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl fmt::Display for ServicePortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, port, protocol } = self;
        let colon = if port.is_empty() { "" } else { ":" };
        write!(f, "{service}{colon}{port}/{protocol}")
    }
}
