//! `CNI_ARGS`: pairs of names and values.

use super::error::{Code, Error};

/// Whose network it is, for people who look at the host. Runtimes need not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PodName {
    /// The Kubernetes namespace.
    pub(crate) namespace: String,
    /// The pod's name.
    pub(crate) name: String,
}

impl PodName {
    /// The pod's name out of the variable's value.
    ///
    /// # Errors
    /// When a part is no pair, unless the text says that unknown parts may be ignored.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let pod = Self::parse_leniently(text);
        let is_pair = |part: &str| part.is_empty() || part.contains('=');
        let ignores =
            text.split(';').any(|part| matches!(part, "IgnoreUnknown=1" | "IgnoreUnknown=true"));
        if !ignores && !text.split(';').all(is_pair) {
            return Err(Error::new(
                Code::Environment,
                "CNI_ARGS: not pairs of K=V with ';' between",
            )
            .details(text));
        }
        Ok(pod)
    }

    /// The pod's name out of the variable's value, whatever else stands there.
    #[must_use]
    pub(crate) fn parse_leniently(text: &str) -> Self {
        let value = |name| value(text, name).unwrap_or_default().to_owned();
        Self { namespace: value("K8S_POD_NAMESPACE"), name: value("K8S_POD_NAME") }
    }
}

/// The value of the first pair of a name.
pub(super) fn value<'a>(text: &'a str, wanted: &str) -> Option<&'a str> {
    let mut pairs = text.split(';').filter_map(|part| part.split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pod_is_named_whatever_the_order() {
        let pod = PodName { namespace: "shop".into(), name: "web-0".into() };
        for text in [
            "K8S_POD_NAME=web-0;K8S_POD_NAMESPACE=shop",
            "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;X=y;;broken",
        ] {
            assert_eq!(PodName::parse(text), Ok(pod.clone()), "{text}");
        }
    }

    #[test]
    fn a_broken_pair_is_refused_unless_the_unknown_is_ignored() {
        assert_eq!(PodName::parse("broken").map_err(|error| error.code), Err(Code::Environment));
        assert_eq!(PodName::parse_leniently("broken"), PodName::default());
        assert_eq!(PodName::parse(""), Ok(PodName::default()));
    }
}
