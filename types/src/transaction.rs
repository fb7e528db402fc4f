//! Transactions: from raw bytes to one whose sender was recovered, once per node.

use std::sync::Arc;

use alloy_consensus::{
    EthereumTxEnvelope, Transaction as _, TxEip4844, Typed2718, transaction::SignerRecoverable,
};
use alloy_eips::Decodable2718;
use alloy_primitives::{Address, B256, Bytes, U256};

/// The transactions of the active forks; type 3 (blobs) decodes, and is refused by name.
pub type Envelope = EthereumTxEnvelope<TxEip4844>;

/// EIP-4844's type of transactions.
const BLOB_TYPE: u8 = 3;
/// EIP-2: half of the order of secp256k1; a signature with a higher `s` is a second form of a lower one.
const HALF_ORDER: U256 = U256::from_limbs([
    0xdfe9_2f46_681b_20a0,
    0x5d57_6e73_57a4_501d,
    0xffff_ffff_ffff_ffff,
    0x7fff_ffff_ffff_ffff,
]);

/// A decoded transaction whose sender is not known yet: the cheap checks are done.
#[derive(Clone, Debug)]
pub struct UnrecoveredTransaction {
    envelope: Envelope,
    raw: Bytes,
}

/// A transaction with its sender: proof that the signature was checked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Transaction(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    envelope: Envelope,
    raw: Bytes,
    sender: Address,
}

/// Why bytes are no transaction of this chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// Not canonical RLP or EIP-2718, or bytes behind it.
    #[error("rlp: {0}")]
    Malformed(String),
    /// A blob transaction.
    #[error("transaction type not supported: type 3 (blobs); this chain has no blob space")]
    Blob,
    /// Signed for another chain.
    #[error("invalid chain id for signer: have {have} want {want}")]
    ChainId {
        /// The transaction's.
        have: u64,
        /// This chain's.
        want: u64,
    },
    /// Without replay protection (EIP-155).
    #[error("only replay-protected (EIP-155) transactions allowed over RPC")]
    Unprotected,
    /// A malleable (high `s`) or impossible signature.
    #[error("invalid transaction v, r, s values: {0}")]
    Signature(&'static str),
}

impl UnrecoveredTransaction {
    /// Decodes and makes every check that costs no elliptic-curve operation.
    ///
    /// # Errors
    /// What makes the bytes no transaction of the chain `chain_id`.
    pub fn decode(raw: Bytes, chain_id: u64) -> Result<Self, TransactionError> {
        // Before they are decoded: who sends one sends the blobs along (EIP-4844's network form), which nothing here reads.
        if raw.first() == Some(&BLOB_TYPE) {
            return Err(TransactionError::Blob);
        }
        let envelope = Envelope::decode_2718_exact(&raw)
            .map_err(|error| TransactionError::Malformed(error.to_string()))?;
        match envelope.chain_id() {
            Some(have) if have != chain_id => return Err(TransactionError::ChainId { have, want: chain_id }),
            Some(_) => {}
            None => return Err(TransactionError::Unprotected),
        }
        if envelope.signature().s() > HALF_ORDER {
            return Err(TransactionError::Signature("s is above half the curve's order"));
        }
        Ok(Self { envelope, raw })
    }

    /// keccak256 of the raw bytes.
    #[must_use]
    pub fn hash(&self) -> B256 {
        *self.envelope.tx_hash()
    }

    /// The decoded content.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Recovers the sender: some 40 µs of elliptic-curve work, so once per transaction and node.
    ///
    /// # Errors
    /// When no key can have made the signature.
    pub fn recover(self) -> Result<Transaction, TransactionError> {
        let sender = self
            .envelope
            .recover_signer()
            .map_err(|_| TransactionError::Signature("no public key fits the signature"))?;
        Ok(self.with_sender(sender))
    }

    /// Takes a sender that this node recovered before, for the same hash.
    #[must_use]
    pub fn with_sender(self, sender: Address) -> Transaction {
        Transaction(Arc::new(Inner { envelope: self.envelope, raw: self.raw, sender }))
    }
}

impl Transaction {
    /// Decodes, checks and recovers in one go.
    ///
    /// # Errors
    /// Those of [`UnrecoveredTransaction::decode`] and [`UnrecoveredTransaction::recover`].
    pub fn decode(raw: Bytes, chain_id: u64) -> Result<Self, TransactionError> {
        UnrecoveredTransaction::decode(raw, chain_id)?.recover()
    }

    /// keccak256 of the raw bytes.
    #[must_use]
    pub fn hash(&self) -> B256 {
        *self.0.envelope.tx_hash()
    }

    /// Who signed it.
    #[must_use]
    pub fn sender(&self) -> Address {
        self.0.sender
    }

    /// The decoded content.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.0.envelope
    }

    /// The EIP-2718 bytes, as they were signed and arrived.
    #[must_use]
    pub fn raw(&self) -> &Bytes {
        &self.0.raw
    }

    /// The sender's count before this transaction.
    #[must_use]
    pub fn nonce(&self) -> u64 {
        self.0.envelope.nonce()
    }

    /// The most gas it may use.
    #[must_use]
    pub fn gas_limit(&self) -> u64 {
        self.0.envelope.gas_limit()
    }

    /// The most it may cost its sender in wei: value and gas at the highest price. `None` above 2^256.
    #[must_use]
    pub fn max_cost(&self) -> Option<U256> {
        let gas = U256::from(self.gas_limit()).checked_mul(U256::from(self.0.envelope.max_fee_per_gas()))?;
        gas.checked_add(self.0.envelope.value())
    }

    /// The EIP-2718 type.
    #[must_use]
    pub fn tx_type(&self) -> u8 {
        self.0.envelope.ty()
    }
}

#[cfg(test)]
mod tests {
    use alloy_consensus::{SignableTransaction, Signed, TxEip1559, TxLegacy};
    use alloy_eips::Encodable2718;
    use alloy_primitives::{Signature, TxKind, uint};
    use alloy_signer::SignerSync;
    use alloy_signer_local::PrivateKeySigner;

    use super::*;

    const CHAIN_ID: u64 = 20_200;
    const ORDER: U256 = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);

    fn signer() -> PrivateKeySigner {
        PrivateKeySigner::from_bytes(&B256::repeat_byte(7)).expect("a key")
    }

    fn dynamic() -> TxEip1559 {
        TxEip1559 {
            chain_id: CHAIN_ID,
            gas_limit: 21_000,
            to: TxKind::Call(Address::ZERO),
            ..TxEip1559::default()
        }
    }

    fn raw<T>(transaction: T, edit: impl FnOnce(Signature) -> Signature) -> Bytes
    where
        T: SignableTransaction<Signature>,
        Envelope: From<Signed<T>>,
    {
        let signature = signer().sign_hash_sync(&transaction.signature_hash()).expect("signs");
        Envelope::from(transaction.into_signed(edit(signature))).encoded_2718().into()
    }

    fn refusal(raw: Bytes) -> TransactionError {
        Transaction::decode(raw, CHAIN_ID).expect_err("it is refused")
    }

    #[test]
    fn a_sound_transaction_keeps_its_bytes_and_gets_its_sender() {
        let bytes = raw(dynamic(), |signature| signature);
        let transaction = Transaction::decode(bytes.clone(), CHAIN_ID).expect("sound");
        assert_eq!(transaction.sender(), signer().address());
        assert_eq!(transaction.hash(), alloy_primitives::keccak256(&bytes));
        assert_eq!(*transaction.raw(), bytes);
    }

    /// Fault malformed-signature (FISCO BCOS #5588): a bad recovery id aborted the process.
    #[test]
    fn malformed_signatures_are_errors_and_the_node_lives() {
        let high = raw(dynamic(), |it| Signature::new(it.r(), ORDER - it.s(), !it.v()));
        assert_eq!(refusal(high), TransactionError::Signature("s is above half the curve's order"));
        for (r, s) in [(U256::ZERO, U256::ONE), (U256::ONE, U256::ZERO), (U256::MAX, U256::ONE)] {
            let impossible = raw(dynamic(), |it| Signature::new(r, s, it.v()));
            assert_eq!(refusal(impossible), TransactionError::Signature("no public key fits the signature"));
        }
        // The parity is the last field but two: one byte before the 33 of r and the 33 of s.
        let mut bytes = raw(dynamic(), |it| it).to_vec();
        let parity = bytes.len() - 67;
        for id in [0x02, 0x1b, 0x7f, 0xc0] {
            bytes[parity] = id;
            assert!(matches!(refusal(bytes.clone().into()), TransactionError::Malformed(_)), "{id:#x}");
        }
    }

    #[test]
    fn every_byte_counts() {
        let bytes = raw(dynamic(), |it| it);
        let trailing = [&bytes[..], &[0]].concat();
        assert!(matches!(refusal(trailing.into()), TransactionError::Malformed(_)));
        for end in 0..bytes.len() {
            assert!(matches!(refusal(bytes.slice(..end)), TransactionError::Malformed(_)), "{end} bytes");
        }
    }

    #[test]
    fn transactions_of_other_chains_or_of_none_are_refused() {
        let foreign = TxEip1559 { chain_id: 1, ..dynamic() };
        assert_eq!(refusal(raw(foreign, |it| it)), TransactionError::ChainId { have: 1, want: CHAIN_ID });
        let unprotected = TxLegacy { to: TxKind::Call(Address::ZERO), ..TxLegacy::default() };
        assert_eq!(refusal(raw(unprotected, |it| it)), TransactionError::Unprotected);
    }

    #[test]
    fn blobs_are_refused_by_name() {
        let blob =
            TxEip4844 { chain_id: CHAIN_ID, blob_versioned_hashes: vec![B256::ZERO], ..TxEip4844::default() };
        assert_eq!(refusal(raw(blob, |it| it)), TransactionError::Blob);
        let with_blobs = Bytes::from_static(&[BLOB_TYPE, 0xc1, 0xc0]);
        assert_eq!(refusal(with_blobs), TransactionError::Blob, "in the network's form");
    }
}
