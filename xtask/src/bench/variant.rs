//! The ways from a client to its backend that are compared.

/// One way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Variant {
    /// Linux routes; nothing translates, and no netfilter rule is in the node's namespace.
    Plain,
    /// An nftables ruleset in kube-proxy's layout.
    Nft,
    /// Waggle, which delivers past the node's stack.
    Bypass,
    /// Waggle, which leaves delivery to the node's stack.
    Stack,
}

/// All of them.
pub(super) const ALL: [Variant; 4] =
    [Variant::Plain, Variant::Nft, Variant::Bypass, Variant::Stack];

impl Variant {
    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Nft => "nft",
            Self::Bypass => "waggle-bypass",
            Self::Stack => "waggle-stack",
        }
    }

    /// Begins the names of what it makes on the machine; not longer, since devices are named so.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Nft => "nft",
            Self::Bypass => "bypass",
            Self::Stack => "stack",
        }
    }
}
