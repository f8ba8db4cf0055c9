//! Why a ServicePort is not served as it shall be.

use crate::maps::ApplyError;
use crate::reconcile::ReconcileError;

/// Why a ServicePort is not served as it shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) cause: String,
    /// Whether it lies in the objects, and would be the same on every node.
    pub(super) is_of_objects: bool,
}

impl Failure {
    /// A table does not take what it shall.
    pub(super) fn of(error: &ReconcileError) -> Self {
        let is_of_objects = match error {
            ReconcileError::Shortage(_) | ReconcileError::Apply(ApplyError::Full { .. }) => true,
            ReconcileError::Apply(ApplyError::NotFound { .. } | ApplyError::Kernel { .. }) => false,
        };
        Self { cause: error.to_string(), is_of_objects }
    }

    /// An endpoint that cannot be read is no endpoint that left.
    pub(super) fn unread() -> Self {
        let cause = "it had endpoints that are in no readable source; it stays as it was until \
                     every source is readable";
        Self { cause: cause.to_owned(), is_of_objects: true }
    }
}
