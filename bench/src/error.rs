//! Why there is no report.

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// It cannot be carried out.
    #[error("the plan makes no sense: {0}")]
    Plan(&'static str),
    /// A node does not answer, or not as a node does.
    #[error("{url}: {what}")]
    Node {
        /// Where.
        url: String,
        /// What went wrong.
        what: String,
    },
    /// The funder cannot pay.
    #[error("the funder {address} has {have} wei, and {need} are needed; name another with --key-file")]
    Poor {
        /// Who.
        address: quorate_types::Address,
        /// Its balance.
        have: quorate_types::U256,
        /// What the run costs at most.
        need: quorate_types::U256,
    },
    /// A transaction that the run depends on did not come into a block, or failed there.
    #[error("preparing: {0}")]
    Preparing(String),
}

impl BenchError {
    pub(crate) fn node(url: &str, what: impl std::fmt::Display) -> Self {
        Self::Node { url: url.to_owned(), what: what.to_string() }
    }
}
