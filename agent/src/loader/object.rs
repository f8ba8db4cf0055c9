//! The kernel object that is built in, and the number that tells one build of it from another.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use dataplane_common::abi::NodeConfig;

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/waggle.o"));

/// The object, unless this program was built without.
#[must_use]
pub fn object() -> Option<&'static [u8]> {
    (!OBJECT.is_empty()).then_some(OBJECT)
}

/// The number of an object loaded with a configuration. Equal numbers: nothing to replace.
#[must_use]
pub fn build(object: &[u8], config: &NodeConfig) -> u64 {
    let mut hasher = DefaultHasher::new();
    (object, config).hash(&mut hasher);
    // 0 is what an empty `meta` holds.
    hasher.finish().max(1)
}

#[cfg(test)]
mod tests {
    use dataplane_common::abi::Delivery;

    use super::*;

    #[test]
    fn object_and_configuration_tell_builds_apart() {
        let bypass = NodeConfig::new(Delivery::Bypass);
        let stack = NodeConfig::new(Delivery::Stack);
        assert_eq!(build(b"a", &bypass), build(b"a", &bypass));
        assert_ne!(build(b"a", &bypass), build(b"a", &stack));
        assert_ne!(build(b"a", &bypass), build(b"b", &bypass));
    }
}
