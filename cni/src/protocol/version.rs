//! Versions of the specification.

use super::error::{Code, Error};

/// A version whose requests are answered, in the order of their age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Version {
    /// 0.3.1.
    V0_3_1,
    /// 0.4.0: brings CHECK.
    V0_4_0,
    /// 1.0.0: addresses lose their `version`.
    V1_0_0,
    /// 1.1.0: brings GC and STATUS.
    V1_1_0,
}

/// What a configuration without a version means.
const UNSTATED: &str = "0.1.0";

impl Version {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::V0_3_1, Self::V0_4_0, Self::V1_0_0, Self::V1_1_0];

    /// The version as it is written.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::V0_3_1 => "0.3.1",
            Self::V0_4_0 => "0.4.0",
            Self::V1_0_0 => "1.0.0",
            Self::V1_1_0 => "1.1.0",
        }
    }

    /// The version of a configuration.
    ///
    /// # Errors
    /// When the text is no version, or one that is not answered.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, Error> {
        let text = text.unwrap_or(UNSTATED);
        let parts = numbers(text).ok_or_else(|| {
            Error::new(Code::Decode, "invalid cniVersion").details(format!("{text:?}"))
        })?;
        let [major, minor, micro] = parts;
        let canonical = format!("{major}.{minor}.{micro}");
        Self::ALL.into_iter().find(|version| version.as_str() == canonical).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::new(Code::IncompatibleVersion, "incompatible CNI versions")
                .details(format!("config is {text:?}, plugin supports {known}"))
        })
    }
}

/// Up to three numbers, absent ones being zero.
fn numbers(text: &str) -> Option<[u32; 3]> {
    let mut numbers = [0; 3];
    let mut places = numbers.iter_mut();
    for part in text.split('.') {
        *places.next()? = part.parse().ok()?;
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_reference_library_reads_them() {
        let rows = [
            (Some("1.0.0"), Ok(Version::V1_0_0)),
            (Some("1.0"), Ok(Version::V1_0_0)),
            (Some("1"), Ok(Version::V1_0_0)),
            (Some("0.3.1"), Ok(Version::V0_3_1)),
            (Some("0.4.0"), Ok(Version::V0_4_0)),
            (Some("1.1.0"), Ok(Version::V1_1_0)),
            (None, Err(Code::IncompatibleVersion)),
            (Some("0.2.0"), Err(Code::IncompatibleVersion)),
            (Some("2.0.0"), Err(Code::IncompatibleVersion)),
            (Some(""), Err(Code::Decode)),
            (Some("1.0.0.0"), Err(Code::Decode)),
            (Some("abc"), Err(Code::Decode)),
            (Some("1.0.0-rc1"), Err(Code::Decode)),
        ];
        for (text, expected) in rows {
            assert_eq!(Version::parse(text).map_err(|error| error.code), expected, "{text:?}");
        }
    }
}
