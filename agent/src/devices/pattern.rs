//! Patterns of device names: which devices of the host are served.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name that the kernel gives a device.
const LONGEST: usize = 15;

/// Which devices are served: those that one of the patterns takes in, or any where none takes in,
/// without those that a pattern with `!` leaves out. `*` stands for any characters, `?` for one.
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Selection {
    include: Vec<String>,
    exclude: Vec<String>,
}

/// Why patterns are not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing between two commas, or behind a `!`.
    #[error(
        "the device pattern \"{pattern}\" names no device: write names with * and ? between commas, \
         such as eth*,!docker0"
    )]
    Empty {
        /// The pattern.
        pattern: String,
    },
    /// A character that no device's name has.
    #[error(
        "the device pattern \"{pattern}\" has {character:?}, which no device's name has: remove it"
    )]
    Character {
        /// The pattern.
        pattern: String,
        /// The first such character.
        character: char,
    },
    /// More characters than a name has.
    #[error(
        "the device pattern \"{pattern}\" is longer than the {LONGEST} characters that a device's \
         name has at most: shorten it"
    )]
    Long {
        /// The pattern.
        pattern: String,
    },
}

impl Selection {
    /// Whether a device of this name is served.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        let any = |patterns: &[String]| {
            patterns.iter().any(|pattern| matches(pattern.as_bytes(), name.as_bytes()))
        };
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }
}

fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|skipped| matches(rest, &name[skipped..])),
        ([b'?', pattern @ ..], [_, name @ ..]) => matches(pattern, name),
        ([wanted, pattern @ ..], [found, name @ ..]) => wanted == found && matches(pattern, name),
        _ => false,
    }
}

impl FromStr for Selection {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let mut selection = Self::default();
        if text.trim().is_empty() {
            return Ok(selection);
        }
        for pattern in text.split(',').map(str::trim) {
            let excluded = pattern.strip_prefix('!');
            let list =
                if excluded.is_some() { &mut selection.exclude } else { &mut selection.include };
            list.push(checked(excluded.unwrap_or(pattern))?.to_owned());
        }
        Ok(selection)
    }
}

fn checked(pattern: &str) -> Result<&str, PatternError> {
    let named = pattern.to_owned();
    if pattern.is_empty() {
        return Err(PatternError::Empty { pattern: named });
    }
    let strange =
        |character: &char| matches!(character, '/' | '!' | ':') || !character.is_ascii_graphic();
    if let Some(character) = pattern.chars().find(strange) {
        return Err(PatternError::Character { pattern: named, character });
    }
    if pattern.bytes().filter(|byte| *byte != b'*').count() > LONGEST {
        return Err(PatternError::Long { pattern: named });
    }
    Ok(pattern)
}

impl TryFrom<String> for Selection {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        text.parse()
    }
}

impl From<Selection> for String {
    fn from(selection: Selection) -> Self {
        selection.to_string()
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let excluded = self.exclude.iter().map(|pattern| format!("!{pattern}"));
        let patterns: Vec<_> = self.include.iter().cloned().chain(excluded).collect();
        f.write_str(&patterns.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_served_if_it_is_taken_in_and_not_left_out() {
        const NAMES: [&str; 5] = ["eth0", "eth10", "docker0", "wg0", "cni-podman0"];
        for (patterns, served) in [
            ("", NAMES.to_vec()),
            ("eth*", vec!["eth0", "eth10"]),
            ("eth?", vec!["eth0"]),
            ("!docker0", vec!["eth0", "eth10", "wg0", "cni-podman0"]),
            ("*0, !eth*, !docker?", vec!["wg0", "cni-podman0"]),
            ("*-*0,wg0", vec!["wg0", "cni-podman0"]),
            ("eth", vec![]),
        ] {
            let selection: Selection = patterns.parse().unwrap();
            let found: Vec<_> = NAMES.into_iter().filter(|name| selection.has(name)).collect();
            assert_eq!(found, served, "{patterns}");
            assert_eq!(selection.to_string().parse(), Ok(selection), "{patterns}");
        }
    }

    #[test]
    fn patterns_that_no_device_can_have_are_refused_with_a_sentence() {
        for (patterns, cause) in [
            ("eth0,", "\"\" names no device: write "),
            ("!", "\"\" names no device: write "),
            ("!!eth0", "\"!eth0\" has '!', which no device's name has: remove it"),
            ("eth0 eth1", "\"eth0 eth1\" has ' ', which no device's name has: remove it"),
            ("a/b", "\"a/b\" has '/', which"),
            ("aninterfacename0", "\"aninterfacename0\" is longer than the 15 characters"),
        ] {
            let message = patterns.parse::<Selection>().unwrap_err().to_string();
            assert!(message.starts_with(&format!("the device pattern {cause}")), "{message}");
        }
    }
}
