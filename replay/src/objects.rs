//! The objects with their versions, and the log of their changes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{Query, Resource};

/// What the server holds.
#[derive(Debug)]
pub(crate) struct Objects {
    live: BTreeMap<(Resource, String), Value>,
    log: Vec<Entry>,
    version: u64,
    /// Watches from before this version are told that it is gone.
    oldest: u64,
    /// Whether a list is one page, whatever limit it has.
    pub(crate) is_one_page: bool,
}

#[derive(Debug)]
struct Entry {
    version: u64,
    resource: Resource,
    kind: &'static str,
    object: Value,
}

impl Default for Objects {
    fn default() -> Self {
        Self {
            live: BTreeMap::new(),
            log: Vec::new(),
            version: 1000,
            oldest: 0,
            is_one_page: false,
        }
    }
}

impl Objects {
    pub(crate) fn put(&mut self, mut object: Value) {
        let resource = Resource::of(&object);
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let before = self.live.insert((resource, key(&object)), object.clone());
        let kind = if before.is_some() { "MODIFIED" } else { "ADDED" };
        self.note(resource, kind, object);
    }

    pub(crate) fn remove(&mut self, resource: Resource, key: &str) {
        if let Some(mut object) = self.live.remove(&(resource, key.to_owned())) {
            self.version += 1;
            object["metadata"]["resourceVersion"] = json!(self.version.to_string());
            self.note(resource, "DELETED", object);
        }
    }

    pub(crate) fn get(&self, resource: Resource, key: &str) -> Option<Value> {
        self.live.get(&(resource, key.to_owned())).cloned()
    }

    /// What a patch of its status makes of an object. Conditions are told apart by their type, as in a
    /// strategic merge.
    pub(crate) fn patched(&self, resource: Resource, key: &str, patch: &Value) -> Option<Value> {
        let mut object = self.get(resource, key)?;
        let conditions = object["status"]["conditions"].as_array_mut()?;
        for condition in patch["status"]["conditions"].as_array()? {
            conditions.retain(|other| other["type"] != condition["type"]);
            conditions.push(condition.clone());
        }
        Some(object)
    }

    pub(crate) fn bookmark(&mut self) {
        self.version += 1;
        for resource in Resource::ALL {
            let object = json!({
                "kind": resource.kind(), "apiVersion": resource.api_version(),
                "metadata": {"resourceVersion": self.version.to_string(), "creationTimestamp": null},
            });
            self.note(resource, "BOOKMARK", object);
        }
    }

    /// Forgets what changed until now.
    pub(crate) fn compact(&mut self) {
        self.log.clear();
        self.version += 1;
        self.oldest = self.version;
    }

    /// A page of a list.
    pub(crate) fn page(&self, query: &Query) -> String {
        let all = self
            .live
            .iter()
            .filter(|((resource, _), object)| *resource == query.resource && query.selects(object));
        let number = |key| query.get(key).and_then(|text| text.parse::<usize>().ok());
        let start = number("continue").unwrap_or(0);
        let limit = number("limit").filter(|_| !self.is_one_page).unwrap_or(usize::MAX);
        let mut items = all.skip(start);
        let page: Vec<_> = items.by_ref().take(limit).map(|(_, object)| bare(object)).collect();
        let rest = items.count();
        let end = start + page.len();
        let next = if rest > 0 { end.to_string() } else { String::new() };
        let (kind, api_version) = (query.resource.kind(), query.resource.api_version());
        format!(
            "{{\"kind\":\"{kind}List\",\"apiVersion\":\"{api_version}\",\"metadata\":\
             {{\"resourceVersion\":\"{}\",\"continue\":\"{next}\"}},\"items\":[{}]}}",
            self.version,
            page.join(",")
        )
    }

    /// The events of a watch after a version, and the version that they lead to.
    pub(crate) fn events(&self, query: &Query, after: u64) -> (Vec<String>, u64) {
        if after < self.oldest {
            let gone = json!({"type": "ERROR", "object": {
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": format!("too old resource version: {after} ({})", self.oldest),
                "reason": "Expired", "code": 410,
            }});
            return (vec![gone.to_string()], u64::MAX);
        }
        let first = self.log.partition_point(|entry| entry.version <= after);
        let mine = self.log[first..].iter().filter(|entry| entry.resource == query.resource);
        let lines = mine.map(|entry| {
            let is_hidden = entry.kind == "MODIFIED" && !query.selects(&entry.object);
            let kind = if is_hidden { "DELETED" } else { entry.kind };
            json!({"type": kind, "object": entry.object}).to_string()
        });
        (lines.collect(), self.version)
    }

    fn note(&mut self, resource: Resource, kind: &'static str, object: Value) {
        self.log.push(Entry { version: self.version, resource, kind, object });
    }
}

/// `namespace/name`, or the name of what has no namespace.
fn key(object: &Value) -> String {
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    match metadata["namespace"].as_str() {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    }
}

/// As it stands in a list: there the list says what its items are.
fn bare(object: &Value) -> String {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    object.to_string()
}
