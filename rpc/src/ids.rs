//! Ids of filters and subscriptions: hex strings, which is what Ethereum's clients expect.

use jsonrpsee::{core::traits::IdProvider, server::RandomIntegerIdProvider, types::SubscriptionId};

/// Random ones.
#[derive(Debug)]
pub(crate) struct HexIds;

impl HexIds {
    /// A new one.
    pub(crate) fn draw() -> String {
        match RandomIntegerIdProvider.next_id() {
            SubscriptionId::Num(id) => format!("{id:#x}"),
            SubscriptionId::Str(id) => id.into_owned(),
        }
    }
}

impl IdProvider for HexIds {
    fn next_id(&self) -> SubscriptionId<'static> {
        Self::draw().into()
    }
}
