//! What a certificate is for: its subject's organisational unit.

use std::fmt;

/// The role that a certificate's subject plays on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The root of all.
    Chain,
    /// Issues node certificates.
    Agency,
    /// A node: the only role that P2P admits.
    Node,
    /// An SDK client, or the branch that issues their certificates.
    Sdk,
}

impl Role {
    /// The name that stands in the subject's OU.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Agency => "agency",
            Self::Node => "node",
            Self::Sdk => "sdk",
        }
    }

    /// The role of that name; others have none here.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Chain, Self::Agency, Self::Node, Self::Sdk].into_iter().find(|role| role.name() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
