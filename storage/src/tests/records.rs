//! The bytes of a block record: a change of them needs a new version number, and a new schema version
//! when older nodes would misread it.

use std::collections::BTreeMap;

use alloy_consensus::{Eip658Value, Receipt, TxType};
use quorate_types::{
    AccountChange, AccountState, Address, B256, Bytes, CommitCertificate, Header, Height, Log, Phase,
    QuorumCertificate, ReceiptEnvelope, Signature, SlotChange, StateChanges, U256, View, Vote, hex,
};

use crate::codec::{
    BodyRecord, HeaderRecord, decode_account, decode_body, decode_certificate, decode_changes, decode_header,
    decode_header_hash, decode_receipts, decode_word, encode_account, encode_body, encode_certificate,
    encode_changes, encode_header, encode_receipts, encode_word,
};

fn header() -> HeaderRecord {
    let header = Header { number: 3, base_fee_per_gas: Some(7), ..Header::default() };
    HeaderRecord { hash: header.hash_slow(), clock_ms: 0x0102, header }
}

fn body() -> BodyRecord {
    BodyRecord {
        transactions: vec![Bytes::from_static(b"\x02raw"), Bytes::from_static(b"second")],
        senders: vec![Address::repeat_byte(1), Address::repeat_byte(2)],
    }
}

fn receipts() -> Vec<ReceiptEnvelope> {
    let log = Log::new(Address::repeat_byte(3), vec![B256::repeat_byte(4)], Bytes::from_static(b"data"));
    let receipt = |success, logs| {
        Receipt { status: Eip658Value::Eip658(success), cumulative_gas_used: 21_000, logs }.with_bloom()
    };
    let kinds = [TxType::Legacy, TxType::Eip2930, TxType::Eip1559, TxType::Eip7702];
    let mut receipts: Vec<_> =
        kinds.map(|kind| ReceiptEnvelope::from_typed(kind, receipt(kind == TxType::Legacy, vec![]))).into();
    receipts[2] = ReceiptEnvelope::from_typed(TxType::Eip1559, receipt(true, vec![log.expect("one topic")]));
    receipts
}

fn changes() -> StateChanges {
    let state = |nonce| AccountState { nonce, balance: U256::from(1000), ..AccountState::default() };
    let storage =
        BTreeMap::from([(U256::from(5), SlotChange { before: U256::ZERO, after: U256::from(0x1234) })]);
    StateChanges {
        accounts: BTreeMap::from([
            (Address::repeat_byte(1), AccountChange { before: None, after: Some(state(1)), storage }),
            (
                Address::repeat_byte(2),
                AccountChange { before: Some(state(2)), after: None, storage: BTreeMap::new() },
            ),
        ]),
        codes: BTreeMap::from([(B256::repeat_byte(6), Bytes::from_static(b"\x60\x01"))]),
    }
}

fn certificate() -> CommitCertificate {
    let vote =
        Vote { phase: Phase::Commit, height: Height(3), view: View(1), block_hash: B256::repeat_byte(7) };
    let signatures = vec![Signature([8; 64]), Signature([9; 64])];
    CommitCertificate::new(QuorumCertificate { vote, signers: vec![0b101], signatures }).expect("of commits")
}

#[test]
fn records_survive_their_bytes() {
    let row = encode_header(&header());
    assert_eq!(decode_header(&row), Ok(header()));
    assert_eq!(decode_header_hash(&row), Ok(header().hash));
    assert_eq!(decode_body(&encode_body(&body())), Ok(body()));
    assert_eq!(decode_receipts(&encode_receipts(&receipts())), Ok(receipts()));
    assert_eq!(decode_changes(&encode_changes(&changes())), Ok(changes()));
    assert_eq!(decode_certificate(&encode_certificate(&certificate())), Ok(certificate()));
    for account in [None, Some(AccountState { nonce: 7, ..AccountState::default() })] {
        assert_eq!(decode_account(&encode_account(account)), Ok(account));
    }
    for word in [U256::ZERO, U256::from(1), U256::MAX] {
        assert_eq!(decode_word(&encode_word(word)), Ok(word));
    }
}

#[test]
fn records_of_unknown_versions_and_cut_ones_are_refused() {
    let rows = [encode_body(&body()), encode_receipts(&receipts()), encode_changes(&changes())];
    type Decodes = fn(&[u8]) -> bool;
    let decoders: [Decodes; 3] = [
        |row| decode_body(row).is_ok(),
        |row| decode_receipts(row).is_ok(),
        |row| decode_changes(row).is_ok(),
    ];
    for (row, decodes) in rows.iter().zip(decoders) {
        assert!(decodes(row));
        assert!((0..row.len()).all(|length| !decodes(&row[..length])));
        assert!(!decodes(&[&[2], &row[1..]].concat()), "another version");
        assert!(!decodes(&[&row[..], &[0]].concat()), "bytes behind it");
    }
}

#[test]
fn golden_bytes_of_a_block_record() {
    let golden = [
        ("HEADER", encode_header(&header())),
        ("BODY", encode_body(&body())),
        ("RECEIPTS", encode_receipts(&receipts())),
        ("CHANGES", encode_changes(&changes())),
        ("CERTIFICATE", encode_certificate(&certificate())),
    ];
    for (expected, row) in golden {
        assert_eq!(hex::encode(row), expected);
    }
}
