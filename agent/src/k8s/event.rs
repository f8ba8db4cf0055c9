//! Events, in the API's form.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event as Written;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};

use super::ObjectRef;

/// Who writes them.
const CONTROLLER: &str = "waggle";
/// Where those about objects without a namespace stand.
const DEFAULT_NAMESPACE: &str = "default";
/// The longest note that the API takes, in bytes.
const LONGEST_NOTE: usize = 1024;

/// Something that happened to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The object.
    pub about: ObjectRef,
    /// Whether it should not have happened.
    pub is_warning: bool,
    /// What happened, in a word that programs know.
    pub reason: &'static str,
    /// What was being done, likewise.
    pub action: &'static str,
    /// What happened, for people.
    pub note: String,
    /// Which node's agent says so.
    pub node: String,
}

impl Event {
    /// The namespace where it stands.
    #[must_use]
    pub fn namespace(&self) -> &str {
        let namespace = self.about.name.namespace.as_str();
        if namespace.is_empty() { DEFAULT_NAMESPACE } else { namespace }
    }

    /// As the API takes it (events.k8s.io/v1), first and last seen `now`.
    #[must_use]
    pub fn to_json(&self, now: Timestamp) -> String {
        // No map of it has keys that are not text, which is all that could fail.
        serde_json::to_string(&self.written(now)).unwrap_or_default()
    }

    fn written(&self, now: Timestamp) -> Written {
        let Self { about, is_warning, reason, action, note, node } = self;
        let name = &about.name;
        let namespace = Some(name.namespace.clone()).filter(|namespace| !namespace.is_empty());
        let until = (0..=LONGEST_NOTE.min(note.len())).rev().find(|at| note.is_char_boundary(*at));
        Written {
            metadata: ObjectMeta {
                name: Some(format!("{}.{:x}", name.name, now.as_nanosecond())),
                namespace: Some(self.namespace().to_owned()),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(now)),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(format!("{CONTROLLER}-{node}")),
            action: Some((*action).to_owned()),
            reason: Some((*reason).to_owned()),
            type_: Some(if *is_warning { "Warning" } else { "Normal" }.to_owned()),
            note: Some(note[..until.unwrap_or(0)].to_owned()).filter(|note| !note.is_empty()),
            regarding: Some(ObjectReference {
                api_version: Some(about.kind.api_version().to_owned()),
                kind: Some(about.kind.as_str().to_owned()),
                name: Some(name.name.clone()),
                namespace,
                ..ObjectReference::default()
            }),
            ..Written::default()
        }
    }
}
