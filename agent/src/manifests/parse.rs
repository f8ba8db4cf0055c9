//! A file's text to objects. Pure: the same text gives the same objects and problems.

use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::{Spanned, UserMessageFormatter};

use super::direct;
use super::document::{Document, documents, items};
use super::header::{Header, known};
use super::known::{Found, Known};
use super::medium::{YamlText, from_yaml, resource};
use crate::k8s::{Kind, Object, Resource};
use crate::problem::{Location, Problem};

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Parsed {
    /// The objects that matter, in the order of the file.
    pub objects: Vec<Found>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Whether a part could not be read, so that objects may be missing.
    pub is_broken: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct List {
    items: Vec<Spanned<Value>>,
}

/// Reads the objects of a file. `path` is only named in problems and places.
#[must_use]
pub fn parse_file(path: &str, text: &str) -> Parsed {
    parse_again(path, text, &mut Known::default())
}

/// The same, where some of it is known from before.
pub(super) fn parse_again(path: &str, text: &str, known: &mut Known) -> Parsed {
    let mut file = File { path, known, parsed: Parsed::default() };
    for document in documents(text) {
        file.read_document(&document);
    }
    file.parsed
}

/// A file that is being read.
struct File<'a> {
    path: &'a str,
    known: &'a mut Known,
    parsed: Parsed,
}

impl File<'_> {
    fn read_document(&mut self, document: &Document<'_>) {
        let begin = self.location(document.begin());
        let digest = self.known.digest(document.text);
        if let Some(found) = self.known.recall(digest, &begin) {
            return self.parsed.objects.push(found);
        }
        let direct = direct::read(document.text).map(|resource| object(resource, begin.clone()));
        if let Some(object) = direct.filter(|object| !object.object_ref().name.name.is_empty()) {
            return self.push(object, Some(digest));
        }
        match items(document) {
            Some(items) => items.iter().for_each(|item| self.read_document(item)),
            None => self.read_closely(document, begin, digest),
        }
    }

    fn read_closely(&mut self, document: &Document<'_>, begin: Location, digest: u64) {
        let header: Header = match from_yaml(document.text) {
            Ok(header) => header,
            Err(error) => return self.broken_yaml("a document", document, begin, &error),
        };
        if header.is_list() {
            return match from_yaml::<List>(document.text) {
                Ok(list) => self.read_items(list, document),
                Err(error) => self.broken_yaml("a List", document, begin, &error),
            };
        }
        let Some(kind) = self.kind_of(&header, &begin) else {
            return;
        };
        match resource(kind, YamlText(document.text)) {
            Ok(resource) => self.push(object(resource, begin), Some(digest)),
            Err(error) => self.broken_yaml(&header.object(), document, begin, &error),
        }
    }

    fn read_items(&mut self, list: List, document: &Document<'_>) {
        for item in list.items {
            let location = self.at(document, &item.referenced);
            let header = Header::deserialize(&item.value).unwrap_or_default();
            let Some(kind) = self.kind_of(&header, &location) else {
                continue;
            };
            match resource(kind, item.value) {
                Ok(resource) => self.push(object(resource, location), None),
                Err(error) => self.broken(&header.object(), location, &error.to_string()),
            }
        }
    }

    /// The kind of an object that matters, or a problem.
    fn kind_of(&mut self, header: &Header, location: &Location) -> Option<Kind> {
        let Header { api_version, kind, .. } = header;
        if kind.is_empty() || api_version.is_empty() {
            let message = "it has no apiVersion and kind; add them";
            self.broken(&header.object(), location.clone(), message);
            return None;
        }
        let Some(known) = known(api_version, kind) else {
            self.ignored(header, location);
            return None;
        };
        if !header.has_name() {
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
                       EndpointSlice, networking.k8s.io/v1 ServiceCIDR and NetworkPolicy, and v1 \
                       List have an effect";
        self.parsed.problems.push(Problem::note(object, message).at(Some(location.clone())));
    }

    fn push(&mut self, object: Object, digest: Option<u64>) {
        self.parsed.objects.push(Found { object: object.into(), digest, is_as_before: false });
    }

    fn broken_yaml(
        &mut self,
        object: &str,
        document: &Document<'_>,
        begin: Location,
        error: &serde_saphyr::Error,
    ) {
        let location = error.location().map_or(begin, |location| self.at(document, &location));
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

    fn at(&self, document: &Document<'_>, location: &serde_saphyr::Location) -> Location {
        self.location(document.in_file(location.line(), location.column()))
    }

    fn location(&self, (line, column): (u64, u64)) -> Location {
        Location { file: self.path.to_owned(), line, column }
    }
}

/// An object without what nobody reads and most of it can be.
fn object(mut resource: Resource, location: Location) -> Object {
    let metadata = match &mut resource {
        Resource::Service(service) => &mut service.metadata,
        Resource::EndpointSlice(slice) => &mut slice.metadata,
        Resource::Endpoints(endpoints) => &mut endpoints.metadata,
        Resource::Node(node) => &mut node.metadata,
        Resource::ServiceCidr(cidr) => &mut cidr.metadata,
        Resource::NetworkPolicy(policy) => &mut policy.metadata,
    };
    metadata.managed_fields = None;
    Object { location: Some(location), resource }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(parsed: &Parsed) -> Vec<String> {
        parsed.problems.iter().map(ToString::to_string).collect()
    }

    fn objects(parsed: &Parsed) -> Vec<(String, u64)> {
        let line = |object: &Object| object.location.as_ref().map_or(0, |location| location.line);
        let objects = parsed.objects.iter().map(|found| &found.object);
        objects.map(|object| (object.object_ref().to_string(), line(object))).collect()
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

    /// What a document between two others is told to be, which are read.
    fn is_left_out(name: &str, broken: &str, expected: &str) {
        let text = format!("{SERVICE}---\n{broken}---\n{}", SERVICE.replace("web", "shop"));
        let parsed = parse_file("a.yaml", &text);
        let names: Vec<_> = objects(&parsed).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["Service default/web", "Service default/shop"], "{name}");
        let [message] = &messages(&parsed)[..] else { panic!("{name}: {parsed:?}") };
        assert!(message.starts_with(expected), "{name}: {message}");
        assert!(parsed.is_broken, "{name}");
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
            is_left_out(name, broken, expected);
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_no_matter_of_which_comes_last() {
        for (name, broken, expected) in [
            (
                "YAML",
                "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {}\nspec: {}\n",
                "a.yaml:9:1: a document cannot be read: duplicate mapping key",
            ),
            (
                "JSON",
                "{\"apiVersion\": \"v1\", \"kind\": \"Node\", \"metadata\": {\"name\": \"x\"},\n \
                 \"spec\": {\"podCIDR\": \"10.1.1.0/24\"}, \"spec\": {}}\n",
                "a.yaml:6:38: a document cannot be read: duplicate mapping key",
            ),
            (
                "item",
                "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{\"apiVersion\": \"v1\", \
                 \"kind\": \"Node\", \"metadata\": {\"name\": \"x\"}, \"spec\": {}, \"spec\": {}}]}\n",
                "a.yaml:5:124: a document cannot be read: duplicate mapping key",
            ),
        ] {
            is_left_out(name, broken, expected);
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
