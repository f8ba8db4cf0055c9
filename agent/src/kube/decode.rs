//! Pages and events to objects, each read by itself, so that one that is malformed leaves the
//! others alone.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Error, Value};

use super::collection::Collection;
use super::failure::Failure;
use super::requests::meaning;
use super::version::Version;
use crate::k8s::{Object, Resource};
use crate::model::Name;

/// An object, or what is known of one that cannot be read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    Readable(Box<Object>, Version),
    Unreadable { name: Option<Name>, version: Version, cause: String },
}

/// One page of a list.
#[derive(Debug)]
pub(super) struct Page<'a> {
    pub(super) version: String,
    /// The token of the next page, if there is one.
    pub(super) next: Option<String>,
    pub(super) items: Vec<&'a RawValue>,
}

/// One line of a watch.
#[derive(Debug)]
pub(super) enum Event {
    Is(Item),
    IsGone(Name),
    Bookmark,
    Error(Failure),
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct List<'a> {
    #[serde(default)]
    metadata: ListMetadata,
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ListMetadata {
    resource_version: String,
    r#continue: String,
}

#[derive(Deserialize)]
struct Line<'a> {
    r#type: String,
    #[serde(borrow)]
    object: &'a RawValue,
}

/// What a refusal that comes as an event says.
#[derive(Deserialize)]
struct Refusal {
    code: u16,
    #[serde(default)]
    message: String,
}

/// Who an object is, read before and apart from what it says.
struct Header {
    name: Option<Name>,
    version: String,
}

/// Reads a page. Its items are not looked at yet.
pub(super) fn page(body: &[u8]) -> Result<Page<'_>, Failure> {
    let List { metadata, items } =
        serde_json::from_slice(body).map_err(|error| Failure::Unreadable(error.to_string()))?;
    if metadata.resource_version.is_empty() {
        let cause = "a list without metadata.resourceVersion".to_owned();
        return Err(Failure::Unreadable(cause));
    }
    let next = Some(metadata.r#continue).filter(|token| !token.is_empty());
    Ok(Page { version: metadata.resource_version, next, items: items.unwrap_or_default() })
}

/// Reads an item of a list.
pub(super) fn item(collection: Collection, text: &RawValue) -> Item {
    let unreadable = |cause| {
        let Header { name, version } = header(text);
        Item::Unreadable { name, version: Version::of(&version), cause }
    };
    match resource(collection, text.get()) {
        Err(error) => unreadable(error.to_string()),
        Ok(resource) => {
            let object = Object { location: None, resource };
            let metadata = object.resource.metadata();
            if metadata.name.as_ref().is_none_or(String::is_empty) {
                return unreadable("it has no metadata.name".to_owned());
            }
            let version = Version::of(metadata.resource_version.as_deref().unwrap_or_default());
            Item::Readable(Box::new(object), version)
        }
    }
}

/// Reads a line of a watch, and the version that it leads to.
pub(super) fn event(collection: Collection, line: &[u8]) -> Result<(Event, String), Failure> {
    let Line { r#type, object } =
        serde_json::from_slice(line).map_err(|error| Failure::Unreadable(error.to_string()))?;
    let Header { name, version } = header(object);
    let event = match r#type.as_str() {
        "ADDED" | "MODIFIED" => Event::Is(item(collection, object)),
        "DELETED" => match name {
            Some(name) => Event::IsGone(name),
            None => return Err(Failure::Unreadable("a deletion of nothing by name".to_owned())),
        },
        "BOOKMARK" => Event::Bookmark,
        "ERROR" => {
            let Refusal { code, message } = serde_json::from_str(object.get())
                .map_err(|error| Failure::Unreadable(format!("an event ERROR: {error}")))?;
            Event::Error(meaning(code, message, None))
        }
        other => return Err(Failure::Unreadable(format!("an event of type \"{other}\""))),
    };
    Ok((event, version))
}

fn resource(collection: Collection, text: &str) -> Result<Resource, Error> {
    Ok(match collection {
        Collection::Services => Resource::Service(serde_json::from_str(text)?),
        Collection::EndpointSlices => Resource::EndpointSlice(serde_json::from_str(text)?),
        Collection::Nodes => Resource::Node(serde_json::from_str(text)?),
        Collection::ServiceCidrs => Resource::ServiceCidr(serde_json::from_str(text)?),
        Collection::NetworkPolicies => Resource::NetworkPolicy(serde_json::from_str(text)?),
    })
}

fn header(text: &RawValue) -> Header {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Object {
        metadata: Value,
    }
    let Object { metadata } = serde_json::from_str(text.get()).unwrap_or_default();
    let field = |key: &str| metadata[key].as_str().unwrap_or_default().to_owned();
    let (name, version) = (field("name"), field("resourceVersion"));
    let name = (!name.is_empty()).then(|| Name::new(field("namespace"), name));
    Header { name, version }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item_of(collection: Collection, text: &str) -> Item {
        item(collection, serde_json::from_str(text).unwrap())
    }

    #[test]
    fn an_object_that_cannot_be_read_is_known_by_name() {
        for (collection, text, expected) in [
            (
                Collection::Services,
                r#"{"metadata": {"name": "web", "namespace": "shop"}, "spec": {"ports": "many"}}"#,
                Some(Name::new("shop", "web")),
            ),
            (
                Collection::EndpointSlices,
                r#"{"metadata": {"name": "w", "namespace": "shop", "labels": 1}, "endpoints": []}"#,
                Some(Name::new("shop", "w")),
            ),
            (
                Collection::Nodes,
                r#"{"metadata": {"name": "node-a"}, "status": []}"#,
                Some(Name::new("", "node-a")),
            ),
            (Collection::Nodes, r#"{"metadata": {}}"#, None),
            (Collection::Nodes, r#"{"metadata": {"name": 7}}"#, None),
            (Collection::Services, "[1, 2]", None),
        ] {
            let Item::Unreadable { name, cause, .. } = item_of(collection, text) else {
                panic!("{text} was read")
            };
            assert_eq!(name, expected, "{text}: {cause}");
        }
    }

    #[test]
    fn fields_that_are_not_known_do_no_harm() {
        let text = r#"{"metadata": {"name": "web", "namespace": "shop", "colour": [1]},
            "spec": {"clusterIP": "10.96.0.1", "quantumPolicy": {"a": null}}, "extra": 1}"#;
        let Item::Readable(object, _) = item_of(Collection::Services, text) else {
            panic!("{text}")
        };
        assert_eq!(object.object_ref().to_string(), "Service shop/web");
    }

    #[test]
    fn what_is_no_page_is_refused() {
        for (body, start) in [
            ("", "EOF while"),
            ("<html>", "expected value"),
            (r#"{"metadata": {"resourceVersion": "1"}, "items": 5}"#, "invalid type: integer"),
            (r#"{"items": []}"#, "a list without metadata.resourceVersion"),
        ] {
            let Err(Failure::Unreadable(cause)) = page(body.as_bytes()) else { panic!("{body}") };
            assert!(cause.starts_with(start), "{body}: {cause}");
        }
        let empty = br#"{"metadata": {"resourceVersion": "1"}, "items": null}"#;
        assert!(page(empty).unwrap().items.is_empty());
    }
}
