//! Everything that is wrong, gathered anew only when some of it changed: it may be much.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::k8s::{Kind, Object, ObjectRef};
use crate::model::Name;
use crate::problem::{Location, Problem};

/// What is wrong with objects and their source, and everything that is wrong as it was last told.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Where each object stands, if it came from a file.
    locations: BTreeMap<ObjectRef, Location>,
    of_objects: BTreeMap<ObjectRef, Vec<Problem>>,
    of_source: Vec<Problem>,
    is_stale: bool,
    told: Arc<[Problem]>,
}

impl Findings {
    /// What is wrong with an object.
    pub(super) fn of_object(&mut self, object: &Object, problems: Vec<Problem>) {
        let object_ref = object.object_ref();
        self.is_stale |= put(&mut self.locations, &object_ref, object.location.clone());
        let problems = Some(problems).filter(|problems| !problems.is_empty());
        self.is_stale |= put(&mut self.of_objects, &object_ref, problems);
    }

    /// An object that is gone.
    pub(super) fn forget(&mut self, object: &ObjectRef) {
        self.is_stale |= put(&mut self.locations, object, None);
        self.is_stale |= put(&mut self.of_objects, object, None);
    }

    /// What is wrong with the source.
    pub(super) fn of_source(&mut self, problems: Vec<Problem>) {
        self.is_stale |= self.of_source != problems;
        self.of_source = problems;
    }

    /// Everything that is wrong, in a fixed order, and whether it is anything else than before; with
    /// what is not wrong with objects, if there `is_other` of that.
    pub(super) fn tell(
        &mut self,
        is_other: bool,
        others: impl FnOnce(&Self) -> Vec<Problem>,
    ) -> (Arc<[Problem]>, bool) {
        if !std::mem::take(&mut self.is_stale) && !is_other {
            return (Arc::clone(&self.told), false);
        }
        let mut problems = others(self);
        problems.extend(self.of_source.iter().chain(self.of_objects.values().flatten()).cloned());
        problems.sort();
        let is_new = *self.told != *problems;
        if is_new {
            self.told = problems.into();
        }
        (Arc::clone(&self.told), is_new)
    }

    pub(super) fn location_of(&self, service: &Name) -> Option<Location> {
        let service = ObjectRef { kind: Kind::Service, name: service.clone() };
        self.locations.get(&service).cloned()
    }
}

/// Says whether that changed anything.
fn put<V: PartialEq>(
    map: &mut BTreeMap<ObjectRef, V>,
    object: &ObjectRef,
    value: Option<V>,
) -> bool {
    if map.get(object) == value.as_ref() {
        return false;
    }
    match value {
        Some(value) => map.insert(object.clone(), value),
        None => map.remove(object),
    };
    true
}
