//! How rows are written: RLP, with a version byte in front of each part of a block record.
//!
//! Rows that are derived from records (accounts, slots, indexes) carry no version of their own: the
//! schema version of the folder covers them, and they can be built again from the records.

use alloy_consensus::{Eip658Value, Receipt, TxType};
use alloy_rlp::{Decodable, Encodable, RlpDecodable, RlpEncodable};
use quorate_types::{
    AccountChange, AccountState, Address, B256, Bytes, CommitCertificate, Header, Height, Log, Phase,
    QuorumCertificate, ReceiptEnvelope, Signature, SlotChange, StateChanges, U256, View, Vote,
};

/// The first byte of every part of a block record.
const VERSION: u8 = 1;

/// Why a row is not what was written.
pub(crate) type Malformed = alloy_rlp::Error;

/// The first part of a block record. Hash and clock stand in front of the header at fixed places, so
/// that `BLOCKHASH` decodes no header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeaderRecord {
    pub hash: B256,
    /// Milliseconds since the Unix epoch.
    pub clock_ms: u64,
    pub header: Header,
}

const HASH_AT: std::ops::Range<usize> = 1..33;
const CLOCK_AT: std::ops::Range<usize> = 33..41;

pub(crate) fn encode_header(record: &HeaderRecord) -> Vec<u8> {
    let mut out = vec![VERSION];
    out.extend_from_slice(record.hash.as_slice());
    out.extend_from_slice(&record.clock_ms.to_be_bytes());
    record.header.encode(&mut out);
    out
}

pub(crate) fn decode_header(row: &[u8]) -> Result<HeaderRecord, Malformed> {
    let hash = decode_header_hash(row)?;
    let clock = row.get(CLOCK_AT).and_then(|bytes| bytes.try_into().ok()).ok_or(Malformed::InputTooShort)?;
    let header = alloy_rlp::decode_exact(&row[CLOCK_AT.end..])?;
    Ok(HeaderRecord { hash, clock_ms: u64::from_be_bytes(clock), header })
}

/// The hash alone.
pub(crate) fn decode_header_hash(row: &[u8]) -> Result<B256, Malformed> {
    unversioned(row)?;
    row.get(HASH_AT).map(B256::from_slice).ok_or(Malformed::InputTooShort)
}

/// The transactions of a block with their senders.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub(crate) struct BodyRecord {
    pub transactions: Vec<Bytes>,
    pub senders: Vec<Address>,
}

pub(crate) fn encode_body(body: &BodyRecord) -> Vec<u8> {
    versioned(body)
}

pub(crate) fn decode_body(row: &[u8]) -> Result<BodyRecord, Malformed> {
    alloy_rlp::decode_exact(unversioned(row)?)
}

/// A receipt without its bloom filter, which follows from the logs: 256 bytes per transaction
/// would be most of a record.
#[derive(RlpEncodable, RlpDecodable)]
struct ReceiptRow {
    kind: u8,
    success: bool,
    cumulative_gas_used: u64,
    logs: Vec<Log>,
}

pub(crate) fn encode_receipts(receipts: &[ReceiptEnvelope]) -> Vec<u8> {
    let row = |receipt: &ReceiptEnvelope| ReceiptRow {
        kind: receipt.tx_type().into(),
        success: receipt.status(),
        cumulative_gas_used: receipt.cumulative_gas_used(),
        logs: receipt.logs().to_vec(),
    };
    versioned(&receipts.iter().map(row).collect::<Vec<_>>())
}

pub(crate) fn decode_receipts(row: &[u8]) -> Result<Vec<ReceiptEnvelope>, Malformed> {
    let rows: Vec<ReceiptRow> = alloy_rlp::decode_exact(unversioned(row)?)?;
    let receipt = |row: ReceiptRow| {
        let kind =
            TxType::try_from(row.kind).map_err(|_| Malformed::Custom("an unknown transaction type"))?;
        let receipt = Receipt {
            status: Eip658Value::Eip658(row.success),
            cumulative_gas_used: row.cumulative_gas_used,
            logs: row.logs,
        };
        Ok(ReceiptEnvelope::from_typed(kind, receipt.with_bloom()))
    };
    rows.into_iter().map(receipt).collect()
}

/// An account that may not exist: a list of three fields or of none.
struct MaybeAccount(Option<AccountState>);

#[derive(RlpEncodable, RlpDecodable)]
struct AccountRow {
    nonce: u64,
    balance: U256,
    code_hash: B256,
}

impl From<AccountState> for AccountRow {
    fn from(AccountState { nonce, balance, code_hash }: AccountState) -> Self {
        Self { nonce, balance, code_hash }
    }
}

impl From<AccountRow> for AccountState {
    fn from(AccountRow { nonce, balance, code_hash }: AccountRow) -> Self {
        Self { nonce, balance, code_hash }
    }
}

impl Encodable for MaybeAccount {
    fn encode(&self, out: &mut dyn alloy_rlp::BufMut) {
        match self.0 {
            Some(account) => AccountRow::from(account).encode(out),
            None => out.put_u8(alloy_rlp::EMPTY_LIST_CODE),
        }
    }

    fn length(&self) -> usize {
        self.0.map_or(1, |account| AccountRow::from(account).length())
    }
}

impl Decodable for MaybeAccount {
    fn decode(buf: &mut &[u8]) -> Result<Self, Malformed> {
        if buf.first() == Some(&alloy_rlp::EMPTY_LIST_CODE) {
            *buf = &buf[1..];
            return Ok(Self(None));
        }
        Ok(Self(Some(AccountRow::decode(buf)?.into())))
    }
}

/// An account before or after a block, as history keeps it.
pub(crate) fn encode_account(account: Option<AccountState>) -> Vec<u8> {
    alloy_rlp::encode(MaybeAccount(account))
}

pub(crate) fn decode_account(row: &[u8]) -> Result<Option<AccountState>, Malformed> {
    alloy_rlp::decode_exact::<MaybeAccount>(row).map(|it| it.0)
}

#[derive(RlpEncodable, RlpDecodable)]
struct SlotRow {
    slot: U256,
    before: U256,
    after: U256,
}

#[derive(RlpEncodable, RlpDecodable)]
struct AccountChangeRow {
    address: Address,
    before: MaybeAccount,
    after: MaybeAccount,
    storage: Vec<SlotRow>,
}

#[derive(RlpEncodable, RlpDecodable)]
struct CodeRow {
    hash: B256,
    code: Bytes,
}

#[derive(RlpEncodable, RlpDecodable)]
struct ChangesRow {
    accounts: Vec<AccountChangeRow>,
    codes: Vec<CodeRow>,
}

pub(crate) fn encode_changes(changes: &StateChanges) -> Vec<u8> {
    let slot = |(slot, it): (&U256, &SlotChange)| SlotRow { slot: *slot, before: it.before, after: it.after };
    let account = |(address, it): (&Address, &AccountChange)| AccountChangeRow {
        address: *address,
        before: MaybeAccount(it.before),
        after: MaybeAccount(it.after),
        storage: it.storage.iter().map(slot).collect(),
    };
    let code = |(hash, code): (&B256, &Bytes)| CodeRow { hash: *hash, code: code.clone() };
    versioned(&ChangesRow {
        accounts: changes.accounts.iter().map(account).collect(),
        codes: changes.codes.iter().map(code).collect(),
    })
}

pub(crate) fn decode_changes(row: &[u8]) -> Result<StateChanges, Malformed> {
    let ChangesRow { accounts, codes } = alloy_rlp::decode_exact(unversioned(row)?)?;
    let slot = |row: SlotRow| (row.slot, SlotChange { before: row.before, after: row.after });
    let account = |row: AccountChangeRow| {
        let storage = row.storage.into_iter().map(slot).collect();
        (row.address, AccountChange { before: row.before.0, after: row.after.0, storage })
    };
    Ok(StateChanges {
        accounts: accounts.into_iter().map(account).collect(),
        codes: codes.into_iter().map(|row| (row.hash, row.code)).collect(),
    })
}

#[derive(RlpEncodable, RlpDecodable)]
struct CertificateRow {
    height: u64,
    view: u64,
    block_hash: B256,
    signers: Bytes,
    signatures: Bytes,
}

pub(crate) fn encode_certificate(certificate: &CommitCertificate) -> Vec<u8> {
    let signatures: Vec<u8> = certificate.signatures.iter().flat_map(|signature| signature.0).collect();
    versioned(&CertificateRow {
        height: certificate.height().0,
        view: certificate.view().0,
        block_hash: certificate.block_hash(),
        signers: certificate.signers.clone().into(),
        signatures: signatures.into(),
    })
}

pub(crate) fn decode_certificate(row: &[u8]) -> Result<CommitCertificate, Malformed> {
    let row: CertificateRow = alloy_rlp::decode_exact(unversioned(row)?)?;
    let (signatures, rest) = row.signatures.as_chunks::<64>();
    if !rest.is_empty() {
        return Err(Malformed::Custom("signatures are 64 bytes each"));
    }
    let (height, view) = (Height(row.height), View(row.view));
    let certificate = QuorumCertificate {
        vote: Vote { phase: Phase::Commit, height, view, block_hash: row.block_hash },
        signers: row.signers.to_vec(),
        signatures: signatures.iter().copied().map(Signature).collect(),
    };
    CommitCertificate::new(certificate).map_err(|_| Malformed::Custom("not a commit certificate"))
}

/// A storage value, without leading zeros.
pub(crate) fn encode_word(word: U256) -> Vec<u8> {
    word.to_be_bytes_trimmed_vec()
}

pub(crate) fn decode_word(row: &[u8]) -> Result<U256, Malformed> {
    U256::try_from_be_slice(row).ok_or(Malformed::Overflow)
}

fn versioned(value: &impl Encodable) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + value.length());
    out.push(VERSION);
    value.encode(&mut out);
    out
}

fn unversioned(row: &[u8]) -> Result<&[u8], Malformed> {
    match row.split_first() {
        Some((&VERSION, rest)) => Ok(rest),
        Some(_) => Err(Malformed::Custom("a record of an unknown version")),
        None => Err(Malformed::InputTooShort),
    }
}
