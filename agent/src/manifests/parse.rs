//! A file's text to objects. Pure: the same text gives the same objects and problems.

use std::sync::Arc;

use k8s_openapi::api::{
    core::v1::{Endpoints, Node, Service},
    discovery::v1::EndpointSlice,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_saphyr::{Spanned, UserMessageFormatter};

use super::direct;
use super::document::{Document, documents};
use crate::k8s::{Kind, Object, Resource};
use crate::problem::{Location, Problem};

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Parsed {
    /// The objects that matter, in the order of the file.
    pub objects: Vec<Arc<Object>>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Whether a part could not be read, so that objects may be missing.
    pub is_broken: bool,
}

/// The part of an object that tells what it is.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Header {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) metadata: Identity,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Identity {
    namespace: Option<String>,
    name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct List {
    items: Vec<Spanned<Value>>,
}

/// Reads the objects of a file. `path` is only named in problems and places.
#[must_use]
pub fn parse_file(path: &str, text: &str) -> Parsed {
    let mut file = File { path, parsed: Parsed::default() };
    for document in documents(text) {
        file.read_document(document);
    }
    file.parsed
}

/// A file that is being read.
struct File<'a> {
    path: &'a str,
    parsed: Parsed,
}

impl File<'_> {
    fn read_document(&mut self, document: Document<'_>) {
        let Document { text, lines_before } = document;
        let begin = self.begin_of(document);
        let direct = direct::read(text).map(|resource| object(resource, begin.clone()));
        if let Some(object) = direct.filter(|object| !object.object_ref().name.name.is_empty()) {
            return self.parsed.objects.push(object.into());
        }
        let header: Header = match from_yaml(text) {
            Ok(header) => header,
            Err(error) => return self.broken_yaml("a document", &begin, lines_before, &error),
        };
        if header.is_list() {
            return match from_yaml::<List>(text) {
                Ok(list) => self.read_items(list, lines_before),
                Err(error) => self.broken_yaml("a List", &begin, lines_before, &error),
            };
        }
        let Some(kind) = self.kind_of(&header, &begin) else {
            return;
        };
        match resource(kind, YamlText(text)) {
            Ok(resource) => self.push(resource, begin),
            Err(error) => {
                self.broken_yaml(&header.object(), &begin, lines_before, &error);
            }
        }
    }

    fn read_items(&mut self, list: List, lines_before: u64) {
        for item in list.items {
            let location = self.at(lines_before, &item.referenced);
            let header = Header::deserialize(&item.value).unwrap_or_default();
            let Some(kind) = self.kind_of(&header, &location) else {
                continue;
            };
            match resource(kind, item.value) {
                Ok(resource) => self.push(resource, location),
                Err(error) => self.broken(&header.object(), location, &error.to_string()),
            }
        }
    }

    /// The kind of an object that matters, or a problem.
    fn kind_of(&mut self, header: &Header, location: &Location) -> Option<Kind> {
        let Header { api_version, kind, metadata } = header;
        if kind.is_empty() || api_version.is_empty() {
            let message = "it has no apiVersion and kind; add them";
            self.broken(&header.object(), location.clone(), message);
            return None;
        }
        let Some(known) = known(api_version, kind) else {
            self.ignored(header, location);
            return None;
        };
        if metadata.name.as_ref().is_none_or(String::is_empty) {
            self.broken(kind, location.clone(), "it has no metadata.name; add one");
            return None;
        }
        Some(known)
    }

    /// Notes a kind that has no effect, once for each kind and file.
    fn ignored(&mut self, header: &Header, location: &Location) {
        let Header { api_version, kind, .. } = header;
        let object = format!("{api_version} {kind}");
        if self.parsed.problems.iter().any(|problem| problem.object == object) {
            return;
        }
        let message = "is ignored: only v1 Service, Endpoints and Node, discovery.k8s.io/v1 \
                       EndpointSlice and v1 List have an effect";
        self.parsed.problems.push(Problem::note(object, message).at(Some(location.clone())));
    }

    fn push(&mut self, resource: Resource, location: Location) {
        let object = object(resource, location);
        self.parsed.objects.push(object.into());
    }

    fn broken_yaml(
        &mut self,
        object: &str,
        begin: &Location,
        lines_before: u64,
        error: &serde_saphyr::Error,
    ) {
        let location = error
            .location()
            .map_or_else(|| begin.clone(), |location| self.at(lines_before, &location));
        let described = error.without_snippet().render_with_formatter(&UserMessageFormatter);
        // The position stands in front of the message already, and counts from the file's begin.
        let cause = described.split(" at line ").next().unwrap_or_default();
        self.broken(object, location, cause);
    }

    fn broken(&mut self, object: &str, location: Location, cause: &str) {
        self.parsed.is_broken = true;
        let message =
            format!("cannot be read: {cause}. What this file said before stays until it is mended");
        self.parsed.problems.push(Problem::error(object, message).at(Some(location)));
    }

    fn at(&self, lines_before: u64, location: &serde_saphyr::Location) -> Location {
        let line = lines_before + location.line();
        Location { file: self.path.to_owned(), line, column: location.column() }
    }

    /// The first line of a document that says something.
    fn begin_of(&self, document: Document<'_>) -> Location {
        let lines = (document.lines_before + 1..).zip(document.text.lines());
        let mut said = lines.filter(|(_, line)| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with('#')
        });
        let (line, column) = said
            .next()
            .map_or((1, 0), |(number, line)| (number, line.len() - line.trim_start().len()));
        Location { file: self.path.to_owned(), line, column: column as u64 + 1 }
    }
}

impl Header {
    fn is_list(&self) -> bool {
        self.api_version == "v1" && self.kind == "List"
    }

    fn object(&self) -> String {
        let kind = if self.kind.is_empty() { "an object" } else { &self.kind };
        match &self.metadata {
            Identity { name: None, .. } => kind.to_owned(),
            Identity { name: Some(name), namespace: None } => format!("{kind} {name}"),
            Identity { name: Some(name), namespace: Some(namespace) } => {
                format!("{kind} {namespace}/{name}")
            }
        }
    }
}

/// An object without what nobody reads and most of it can be.
fn object(mut resource: Resource, location: Location) -> Object {
    let metadata = match &mut resource {
        Resource::Service(service) => &mut service.metadata,
        Resource::EndpointSlice(slice) => &mut slice.metadata,
        Resource::Endpoints(endpoints) => &mut endpoints.metadata,
        Resource::Node(node) => &mut node.metadata,
    };
    metadata.managed_fields = None;
    Object { location: Some(location), resource }
}

/// The kind, if objects of it matter.
pub(super) fn known(api_version: &str, kind: &str) -> Option<Kind> {
    Some(match (api_version, kind) {
        ("v1", "Service") => Kind::Service,
        ("v1", "Endpoints") => Kind::Endpoints,
        ("v1", "Node") => Kind::Node,
        ("discovery.k8s.io/v1", "EndpointSlice") => Kind::EndpointSlice,
        _ => return None,
    })
}

/// What an object of a known kind can be made of.
pub(super) trait Source {
    type Error;

    fn read<T: DeserializeOwned>(self) -> Result<T, Self::Error>;
}

pub(super) struct YamlText<'a>(pub(super) &'a str);

impl Source for YamlText<'_> {
    type Error = serde_saphyr::Error;

    fn read<T: DeserializeOwned>(self) -> Result<T, Self::Error> {
        from_yaml(self.0)
    }
}

impl Source for Value {
    type Error = serde_json::Error;

    fn read<T: DeserializeOwned>(self) -> Result<T, Self::Error> {
        serde_json::from_value(self)
    }
}

pub(super) fn resource<S: Source>(kind: Kind, source: S) -> Result<Resource, S::Error> {
    Ok(match kind {
        Kind::Service => Resource::Service(source.read::<Service>()?),
        Kind::EndpointSlice => Resource::EndpointSlice(source.read::<EndpointSlice>()?),
        Kind::Endpoints => Resource::Endpoints(source.read::<Endpoints>()?),
        Kind::Node => Resource::Node(source.read::<Node>()?),
    })
}

/// Limits against aliases that unfold without end stay; those on size make room for Lists of whole
/// clusters.
fn from_yaml<T: DeserializeOwned>(text: &str) -> Result<T, serde_saphyr::Error> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: 10_000_000, max_events: 40_000_000 },
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(parsed: &Parsed) -> Vec<String> {
        parsed.problems.iter().map(ToString::to_string).collect()
    }

    fn objects(parsed: &Parsed) -> Vec<(String, u64)> {
        let line = |object: &Object| object.location.as_ref().map_or(0, |location| location.line);
        parsed
            .objects
            .iter()
            .map(|object| (object.object_ref().to_string(), line(object)))
            .collect()
    }

    const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n";

    #[test]
    fn objects_are_read_with_their_lines() {
        let text = format!(
            "# Two documents\n---\n{SERVICE}---\napiVersion: v1\nkind: List\nitems:\n\
             - {{apiVersion: v1, kind: Node, metadata: {{name: node-a}}}}\n\
             - apiVersion: discovery.k8s.io/v1\n  kind: EndpointSlice\n  \
             metadata: {{name: web-1, namespace: shop}}\n  addressType: IPv4\n  endpoints: []\n"
        );
        let parsed = parse_file("a.yaml", &text);
        let expected = [
            ("Service default/web".to_owned(), 3),
            ("Node node-a".to_owned(), 10),
            ("EndpointSlice shop/web-1".to_owned(), 11),
        ];
        assert_eq!((objects(&parsed), messages(&parsed)), (expected.to_vec(), vec![]));
        assert!(!parsed.is_broken);
    }

    #[test]
    fn json_is_read() {
        let text = "{\n\t\"apiVersion\": \"v1\", \"kind\": \"Service\",\n\t\"metadata\": \
                    {\"name\": \"web\"}, \"spec\": {\"ports\": [{\"port\": 80}]}\n}\n";
        let parsed = parse_file("a.json", text);
        assert_eq!(objects(&parsed), [("Service default/web".to_owned(), 1)]);
        assert_eq!(messages(&parsed), [""; 0]);
    }

    #[test]
    fn kinds_without_effect_are_noted_once() {
        let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n";
        let parsed = parse_file("a.yaml", &format!("{pod}---\n{SERVICE}---\n{pod}"));
        assert_eq!(objects(&parsed), [("Service default/web".to_owned(), 5)]);
        let [note] = &messages(&parsed)[..] else { panic!("{parsed:?}") };
        assert!(note.starts_with("a.yaml:1:1: v1 Pod is ignored: only"), "{note}");
        assert!(!parsed.is_broken);
    }

    #[test]
    fn a_broken_document_leaves_the_others() {
        for (name, broken, expected) in [
            (
                "syntax",
                "apiVersion: v1\nkind: [Service\n",
                "a.yaml:6:7: a document cannot be read: ",
            ),
            (
                "type",
                "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: many}]}\n",
                "a.yaml:8:23: Service x cannot be read: ",
            ),
            (
                "no kind",
                "metadata: {name: x}\n",
                "a.yaml:5:1: an object x cannot be read: it has no",
            ),
            (
                "no name",
                "apiVersion: v1\nkind: Node\n",
                "a.yaml:5:1: Node cannot be read: it has no",
            ),
            ("no object", "just words\n", "a.yaml:5:1: a document cannot be read: "),
            (
                "item",
                "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Node, metadata: 1}\n",
                "a.yaml:8:3: ",
            ),
        ] {
            let text = format!("{SERVICE}---\n{broken}---\n{}", SERVICE.replace("web", "shop"));
            let parsed = parse_file("a.yaml", &text);
            let names: Vec<_> = objects(&parsed).into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, ["Service default/web", "Service default/shop"], "{name}");
            let [message] = &messages(&parsed)[..] else { panic!("{name}: {parsed:?}") };
            assert!(message.starts_with(expected), "{name}: {message}");
            assert!(parsed.is_broken, "{name}");
        }
    }

    #[test]
    fn no_text_stops_the_reader() {
        let text = format!("---\n{SERVICE}spec:\n  ports:\n  - port: 80\n---\n{SERVICE}");
        for end in 0..text.len() {
            let parsed = parse_file("a.yaml", &text[..end]);
            assert!(parsed.objects.len() <= 2, "{parsed:?}");
        }
    }
}
