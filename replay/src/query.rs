//! A request as the server understands it.

use serde_json::Value;

use crate::{Resource, Verb};

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The kind of objects.
    pub resource: Resource,
    /// List or watch.
    pub verb: Verb,
    /// The parameters as they stand in the request, decoded.
    pub parameters: Vec<(String, String)>,
}

impl Query {
    /// Of a request's target, as `/api/v1/services?watch=true`.
    pub(crate) fn parse(target: &str) -> Option<Self> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let resource = Resource::ALL.into_iter().find(|resource| resource.path() == path)?;
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let parameters: Vec<_> = pairs
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decoded(key), decoded(value))
            })
            .collect();
        let is_watch = parameters.iter().any(|(key, value)| key == "watch" && value == "true");
        let verb = if is_watch { Verb::Watch } else { Verb::List };
        Some(Self { resource, verb, parameters })
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
