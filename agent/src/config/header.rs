//! Whose form a file is of.

use std::path::Path;

use serde::Deserialize;
use serde_saphyr::Spanned;
use serde_saphyr::options::DuplicateKeyPolicy;

use super::{ConfigError, kube_proxy};

/// Whose form a file is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Our own.
    Own,
    /// kube-proxy's.
    KubeProxy,
}

/// What objects of Kubernetes call themselves. Our own form has neither.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Header {
    api_version: Option<Spanned<String>>,
    kind: Option<Spanned<String>>,
}

impl Header {
    /// Reads it. What is no YAML is told here, whatever it is of.
    pub(super) fn read(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let options = serde_saphyr::options! {
            with_snippet: false,
            duplicate_keys: DuplicateKeyPolicy::LastWins,
        };
        serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| ConfigError::of_form(path, &error))
    }

    /// The form of the file.
    pub(super) fn form(&self, path: &Path) -> Result<Form, ConfigError> {
        let Self { api_version, kind } = self;
        let own_or_kube_proxy = |name: &Spanned<String>, known: &str| {
            let cause = format!(
                "\"{}\" is no configuration that is known; use {} of {}, or the keys of our own \
                 form without {known}",
                name.value,
                kube_proxy::KIND,
                kube_proxy::API_VERSION,
            );
            ConfigError::at(path, name.referenced, cause)
        };
        match (kind, api_version) {
            (None, None) => Ok(Form::Own),
            (Some(kind), _) if kind.value != kube_proxy::KIND => {
                Err(own_or_kube_proxy(kind, "kind"))
            }
            (_, Some(version)) if version.value != kube_proxy::API_VERSION => {
                Err(own_or_kube_proxy(version, "apiVersion"))
            }
            (Some(_), Some(_)) => Ok(Form::KubeProxy),
            (Some(half), None) => Err(ConfigError::at(
                path,
                half.referenced,
                format!("apiVersion is missing; add apiVersion: {}", kube_proxy::API_VERSION),
            )),
            (None, Some(half)) => Err(ConfigError::at(
                path,
                half.referenced,
                format!("kind is missing; add kind: {}", kube_proxy::KIND),
            )),
        }
    }
}
