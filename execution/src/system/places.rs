//! Where native contracts answer: at their own addresses, unless a call's overrides say otherwise.

use std::collections::BTreeMap;

use quorate_types::Address;

/// The exceptions, by the address that is called. Empty for every block.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(BTreeMap<Address, Option<Address>>);

impl Places {
    /// Whose native code answers at `address`, if any may: its own but for the exceptions.
    pub(super) fn source(&self, address: Address) -> Option<Address> {
        self.0.get(&address).copied().unwrap_or(Some(address))
    }

    /// Lets the native code of `source` answer at `target`, and no other that was moved there before.
    pub(super) fn place(&mut self, source: Address, target: Address) {
        self.0.insert(target, Some(source));
    }

    /// Lets no native code answer at `address`.
    pub(super) fn remove(&mut self, address: Address) {
        self.0.insert(address, None);
    }
}
