//! Why the API server's objects do not come, and what would help.

use std::fmt;
use std::time::Duration;

use super::collection::Collection;

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No connection, or none with credentials.
    Unreachable(String),
    /// Nothing came for this long.
    Silent(Duration),
    /// The credentials are not known, or no longer.
    Unauthorized(String),
    /// The credentials do not allow it.
    Forbidden(String),
    /// Too many requests; perhaps with the time after which to come again.
    Busy(Option<Duration>),
    /// The version asked for is forgotten: what there is must be listed again.
    Gone,
    /// Another refusal; perhaps with the time after which to come again.
    Refused { code: u16, message: String, after: Option<Duration> },
    /// An answer that is none of this API.
    Unreadable(String),
    /// Something of the above, and why the way to the server could not be read again.
    Shut(Box<Self>, String),
}

impl Failure {
    /// Whether other credentials than those that were read could help. A certificate that is not
    /// taken is told as a connection that ends.
    pub(super) fn is_of_access(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Unauthorized(_) | Self::Forbidden(_))
    }

    /// Whether there is nothing to read, or nothing that these credentials allow to read.
    pub(super) fn is_of_absence(&self) -> bool {
        match self {
            Self::Forbidden(_) | Self::Refused { code: 404, .. } => true,
            Self::Shut(failure, _) => failure.is_of_absence(),
            _ => false,
        }
    }

    /// How long the server asked to be left alone.
    pub(super) fn after(&self) -> Option<Duration> {
        match self {
            Self::Busy(after) | Self::Refused { after, .. } => *after,
            _ => None,
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, resource: &str) -> fmt::Result {
        match self {
            Self::Unreachable(cause) => write!(
                f,
                "cannot be reached for {resource}: {cause}; check the address, the certificates and \
                 the network between"
            ),
            Self::Silent(time) => write!(
                f,
                "has not answered for {resource} within {} s; check its load and the network \
                 between",
                time.as_secs()
            ),
            Self::Unauthorized(message) => write!(
                f,
                "does not know who asks for {resource} (401: {message}); renew the token or \
                 certificate in the kubeconfig, or mount the pod's service account token"
            ),
            Self::Forbidden(message) => write!(
                f,
                "does not allow to read {resource} (403: {message}); grant the verbs get, list and \
                 watch on services, nodes and endpointslices.discovery.k8s.io (manifests/rbac.yaml)"
            ),
            Self::Busy(_) => write!(f, "is too busy for {resource} (429)"),
            Self::Gone => write!(f, "has forgotten the version of {resource}"),
            Self::Refused { code, message, .. } => {
                write!(f, "refuses {resource} ({code}: {message}); look into its log")
            }
            Self::Unreadable(cause) => write!(
                f,
                "answers for {resource} what cannot be read: {cause}; check that the address is an \
                 API server's"
            ),
            Self::Shut(failure, cause) => {
                failure.write(f, resource)?;
                write!(f, ". Nor can the way to it be read again: {cause}")
            }
        }
    }
}

/// A failure with all that was asked for.
pub(super) struct Failed<'a>(pub(super) &'a Failure, pub(super) &'a [Collection]);

impl fmt::Display for Failed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(failure, collections) = self;
        let resources: Vec<_> = collections.iter().map(|asked| asked.resource()).collect();
        failure.write(f, &resources.join(", "))?;
        write!(f, ". It is asked again; what was known stays")
    }
}

/// Why the condition `NetworkUnavailable` of a Node is not taken back yet.
pub(super) struct Unset<'a>(pub(super) &'a Failure, pub(super) &'a str);

impl fmt::Display for Unset<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(failure, node) = self;
        match failure {
            Failure::Forbidden(message) => write!(
                f,
                "does not allow to write nodes/status (403: {message}); grant the verb patch on it \
                 (manifests/rbac.yaml), or set setNodeNetworkUnavailable: false"
            )?,
            failure => failure.write(f, "nodes/status")?,
        }
        write!(
            f,
            ". It is asked again; until the condition NetworkUnavailable of Node {node} is False, no \
             pods are scheduled there"
        )
    }
}
