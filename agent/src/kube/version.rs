//! Which of two states of an object is the later one.

/// The `metadata.resourceVersion` of an object. All objects of a server share one counter, so that
/// an object that was created again is later than what was deleted under its name. Kubernetes says
/// so since 1.35; what is no number is of another kind of server, and of that nobody can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Version(Option<u64>);

impl Version {
    pub(super) fn of(text: &str) -> Self {
        Self(text.parse().ok())
    }

    /// Whether this is later, as far as anybody can tell.
    pub(super) fn may_follow(self, other: Self) -> bool {
        match (self.0, other.0) {
            (Some(this), Some(other)) => this > other,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers_where_they_are_numbers() {
        for (version, other, expected) in [
            ("10", "9", true),
            ("9", "10", false),
            ("9", "9", false),
            ("abc", "9", true),
            ("abc", "abc", true),
            ("", "9", true),
        ] {
            let found = Version::of(version).may_follow(Version::of(other));
            assert_eq!(found, expected, "{version} after {other}");
        }
    }
}
