//! Transactions that change who votes: the system contract of the simulated chain.

use std::sync::Arc;

use quorate_types::{B256, Bytes, NodeId, Validator, ValidatorSet};

/// What such a transaction begins with; clients' begin with a number below 2^56.
const MARK: [u8; 8] = *b"\xffset-to:";
/// Mark, base, key, weight, salt.
const BYTES: usize = 8 + 32 + 32 + 8 + 8;

/// One member gets another weight, 0 to remove it. It counts only while the set is the one that it was made for, so that
/// whoever asks for a change knows what comes of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub(crate) base: B256,
    pub(crate) key: NodeId,
    pub(crate) weight: u64,
}

impl Change {
    /// The raw transaction; the salt tells two equal ones apart.
    pub(crate) fn encode(&self, salt: u64) -> Bytes {
        let mut raw = Vec::with_capacity(BYTES);
        raw.extend_from_slice(&MARK);
        raw.extend_from_slice(self.base.as_slice());
        raw.extend_from_slice(&self.key.0);
        raw.extend_from_slice(&self.weight.to_be_bytes());
        raw.extend_from_slice(&salt.to_be_bytes());
        raw.into()
    }

    fn decode(raw: &Bytes) -> Option<Self> {
        let rest = raw.strip_prefix(&MARK)?;
        let (base, rest) = rest.split_first_chunk::<32>()?;
        let (key, rest) = rest.split_first_chunk::<32>()?;
        let (weight, _) = rest.split_first_chunk::<8>()?;
        Some(Self { base: B256::from(*base), key: NodeId(*key), weight: u64::from_be_bytes(*weight) })
    }

    /// The set that it makes of `set`; `None` when nobody may vote like that.
    pub(crate) fn apply(&self, set: &ValidatorSet) -> Option<ValidatorSet> {
        let others = set.members().iter().filter(|member| member.key != self.key).copied();
        let changed = (self.weight > 0).then(|| Validator::new(self.key, self.weight));
        ValidatorSet::new(others.chain(changed)).ok()
    }
}

/// Who votes after a block with these transactions on whose height `set` votes.
pub(crate) fn set_after(set: &Arc<ValidatorSet>, transactions: &[Bytes]) -> Arc<ValidatorSet> {
    let changes = transactions.iter().filter_map(Change::decode);
    changes.fold(set.clone(), |set, change| {
        let meant = change.base == set.hash();
        meant.then(|| change.apply(&set)).flatten().map_or(set, Arc::new)
    })
}
