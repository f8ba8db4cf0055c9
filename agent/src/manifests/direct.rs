//! Documents that say plainly what they are, read in one go: most are. Any other, and any with an
//! error, is left to the reader that looks closer.

use serde::de::DeserializeOwned;

use super::header::{Header, known};
use super::medium::{Medium, YamlText, resource};
use super::unique::is_unique;
use crate::k8s::Resource;

/// The object of a document, if nothing is to be said about it.
pub(super) fn read(text: &str) -> Option<Resource> {
    if text.trim_start().starts_with('{') { from_json(text) } else { from_block(text) }
}

fn from_json(text: &str) -> Option<Resource> {
    let header: Header = serde_json::from_str(text).ok()?;
    let kind = known(&header.api_version, &header.kind)?;
    is_unique(text).then(|| resource(kind, JsonText(text)).ok())?
}

/// A line that is not indented is a key of the document itself.
fn from_block(text: &str) -> Option<Resource> {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    resource(known(value("apiVersion: ")?, value("kind: ")?)?, YamlText(text)).ok()
}

struct JsonText<'a>(&'a str);

impl Medium for JsonText<'_> {
    type Error = serde_json::Error;

    fn read<T: DeserializeOwned>(self) -> Result<T, Self::Error> {
        serde_json::from_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_plain_is_read_directly() {
        for (text, is_read) in [
            ("apiVersion: v1\nkind: Service\nmetadata: {name: web}\n", true),
            ("kind: Node\nmetadata: {name: a}\napiVersion: v1 \n", true),
            (r#"{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}"#, true),
            ("apiVersion: v1\nkind: \"Service\"\nmetadata: {name: web}\n", false),
            ("apiVersion: v1\nkind: Service\nkind: Node\nmetadata: {name: web}\n", false),
            ("apiVersion: v1\nkind: Service\nspec: [\n", false),
            ("metadata:\n  apiVersion: v1\n  kind: Service\n", false),
            (
                r#"{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a", "name": "b"}}"#,
                false,
            ),
            (r#"{apiVersion: v1, kind: Service, metadata: {name: web}}"#, false),
            (r#"{"apiVersion": "v1", "kind": "List", "items": []}"#, false),
        ] {
            assert_eq!(read(text).is_some(), is_read, "{text}");
        }
    }
}
