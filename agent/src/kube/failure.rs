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
    /// Another refusal.
    Refused { code: u16, message: String },
    /// An answer that is none of this API.
    Unreadable(String),
}

/// A failure with all that was asked for.
pub(super) struct Failed<'a>(pub(super) &'a Failure, pub(super) &'a [Collection]);

impl fmt::Display for Failed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(failure, collections) = self;
        let resources: Vec<_> = collections.iter().map(|asked| asked.resource()).collect();
        let resource = resources.join(", ");
        match failure {
            Failure::Unreachable(cause) => write!(
                f,
                "cannot be reached for {resource}: {cause}; check the address, the certificates and \
                 the network between"
            )?,
            Failure::Silent(time) => write!(
                f,
                "has not answered for {resource} within {} s; check its load and the network \
                 between",
                time.as_secs()
            )?,
            Failure::Unauthorized(message) => write!(
                f,
                "does not know who asks for {resource} (401: {message}); renew the token or \
                 certificate in the kubeconfig, or mount the pod's service account token"
            )?,
            Failure::Forbidden(message) => write!(
                f,
                "does not allow to read {resource} (403: {message}); grant the verbs get, list and \
                 watch on services, nodes and endpointslices.discovery.k8s.io (manifests/rbac.yaml)"
            )?,
            Failure::Busy(_) => write!(f, "is too busy for {resource} (429)")?,
            Failure::Gone => write!(f, "has forgotten the version of {resource}")?,
            Failure::Refused { code, message } => {
                write!(f, "refuses {resource} ({code}: {message}); look into its log")?;
            }
            Failure::Unreadable(cause) => write!(
                f,
                "answers for {resource} what cannot be read: {cause}; check that the address is an \
                 API server's"
            )?,
        }
        write!(f, ". It is asked again; what was known stays")
    }
}
