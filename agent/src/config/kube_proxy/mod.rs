//! A `KubeProxyConfiguration` (`kubeproxy.config.k8s.io/v1alpha1`), taken as it is: what it sets is
//! heeded or told to have no effect.

mod fields;
mod form;
mod meaning;
mod node_ports;
mod survey;
mod tree;

use std::path::Path;

use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Error, Options, Spanned};

use super::{ConfigError, Taken};

use form::Form;
use survey::Wrong;
use tree::Node;

/// Its `kind`.
pub(super) const KIND: &str = "KubeProxyConfiguration";
/// Its `apiVersion`.
pub(super) const API_VERSION: &str = "kubeproxy.config.k8s.io/v1alpha1";

pub(super) fn parse(path: &Path, text: &str) -> Result<Taken, ConfigError> {
    let of_form = |error: Error| ConfigError::of_form(path, &error);
    let of_content = |Wrong { at, cause }| ConfigError::at(path, at, cause);
    let document: Spanned<Node> =
        serde_saphyr::from_str_with_options(text, options()).map_err(of_form)?;
    let left_out = survey::survey(&document).map_err(of_content)?;
    let form: Form = serde_saphyr::from_str_with_options(text, options()).map_err(of_form)?;
    let config = meaning::config(&form).map_err(of_content)?;
    Ok(Taken { config, left_out })
}

/// kube-proxy takes the last of several values of a field.
fn options() -> Options {
    serde_saphyr::options! {
        with_snippet: false,
        duplicate_keys: DuplicateKeyPolicy::LastWins,
    }
}

#[cfg(test)]
mod tests;
