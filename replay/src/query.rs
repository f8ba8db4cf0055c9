//! A request as the server understands it.

use serde_json::Value;

use crate::{Resource, Verb};

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The kind of objects.
    pub resource: Resource,
    /// What is to be done.
    pub verb: Verb,
    /// The object, where it is one: only of those without a namespace.
    pub name: Option<String>,
    /// The parameters as they stand in the request, decoded.
    pub parameters: Vec<(String, String)>,
}

impl Query {
    /// Of a request's method and target, as `GET` and `/api/v1/services?watch=true`.
    pub(crate) fn parse(method: &str, target: &str) -> Option<Self> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let name = path.strip_suffix("/status").and_then(|path| path.rsplit('/').next());
        let name = name.filter(|_| method == "PATCH").map(str::to_owned);
        let collection = match &name {
            Some(name) => path.strip_suffix(&format!("/{name}/status"))?,
            None => path,
        };
        let resource = Resource::ALL.into_iter().find(|resource| resource.path() == collection)?;
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let parameters: Vec<_> = pairs
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decoded(key), decoded(value))
            })
            .collect();
        let is_watch = parameters.iter().any(|(key, value)| key == "watch" && value == "true");
        let verb = match (&name, is_watch) {
            (Some(_), _) => Verb::PatchStatus,
            (None, true) => Verb::Watch,
            (None, false) => Verb::List,
        };
        Some(Self { resource, verb, name, parameters })
    }

    /// The value of a parameter.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether the label selector takes an object. Only `!key` terms are known.
    pub(crate) fn selects(&self, object: &Value) -> bool {
        let selector = self.get("labelSelector").unwrap_or_default();
        let labels = &object["metadata"]["labels"];
        selector
            .split(',')
            .filter_map(|term| term.strip_prefix('!'))
            .all(|key| labels[key].is_null())
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'+' => bytes.push(b' '),
            b'%' if tail.len() >= 2 => {
                let digits = std::str::from_utf8(&tail[..2]).unwrap_or_default();
                bytes.push(u8::from_str_radix(digits, 16).unwrap_or(b'?'));
                rest = &tail[2..];
            }
            other => bytes.push(*other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
