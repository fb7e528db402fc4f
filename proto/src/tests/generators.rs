//! Arbitrary values of every type on the wire.

use std::sync::Arc;

use proptest::{collection::vec, prelude::*};
use quorate_types::{
    B256, Block, Bloom, Bytes, CommitCertificate, Decided, Header, Height, Justification, Message, NodeId,
    Phase, PrepareCertificate, Prepared, Proposal, Propose, QuorumCertificate, Reject, RejectReason, Roots,
    Signature, Signed, SignedViewChange, Status, U256, View, ViewChange, Vote,
};

use crate::{CertifiedBlock, Hello, LogRecord, Request, Response, TransactionBatch};

fn hash() -> impl Strategy<Value = B256> {
    any::<[u8; 32]>().prop_map(B256::new)
}

fn raw() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..80).prop_map(Bytes::from)
}

fn signature() -> impl Strategy<Value = Signature> {
    any::<[[u8; 32]; 2]>().prop_map(|halves| Signature(std::array::from_fn(|i| halves[i / 32][i % 32])))
}

fn place() -> impl Strategy<Value = (Height, View)> {
    (any::<u64>(), any::<u64>()).prop_map(|(height, view)| (Height(height), View(view)))
}

fn signed<S: std::fmt::Debug + Clone>(
    statement: impl Strategy<Value = S>,
) -> impl Strategy<Value = Signed<S>> {
    (statement, any::<[u8; 32]>(), signature()).prop_map(|(statement, signer, signature)| Signed {
        statement,
        signer: NodeId(signer),
        signature,
    })
}

/// Headers of every fork: each has the fields of the one before it.
fn header() -> impl Strategy<Value = Header> {
    let numbers = any::<[u64; 8]>();
    let extra = vec(any::<u8>(), 0..100);
    (any::<[[u8; 32]; 8]>(), numbers, extra, 0..9_usize).prop_map(|(hashes, numbers, extra, fork)| {
        let hash = |index: usize| B256::new(hashes[index]);
        Header {
            parent_hash: hash(0),
            state_root: hash(1),
            transactions_root: hash(2),
            receipts_root: hash(3),
            mix_hash: hash(4),
            logs_bloom: Bloom::repeat_byte(hashes[5][0]),
            difficulty: U256::from_be_bytes(hashes[5]),
            number: numbers[0],
            gas_limit: numbers[1],
            gas_used: numbers[2],
            timestamp: numbers[3],
            extra_data: extra.into(),
            nonce: numbers[4].to_be_bytes().into(),
            base_fee_per_gas: (fork > 0).then_some(numbers[5]),
            withdrawals_root: (fork > 1).then_some(hash(5)),
            blob_gas_used: (fork > 2).then_some(numbers[6]),
            excess_blob_gas: (fork > 3).then_some(numbers[7]),
            parent_beacon_block_root: (fork > 4).then_some(hash(6)),
            requests_hash: (fork > 5).then_some(hash(7)),
            block_access_list_hash: (fork > 6).then_some(hash(0)),
            slot_number: (fork > 7).then_some(numbers[0]),
            ..Header::default()
        }
    })
}

fn block() -> impl Strategy<Value = Block> {
    (header(), vec(raw(), 0..5)).prop_map(|(header, transactions)| Block::new(header, transactions))
}

fn certificate(phase: Phase) -> impl Strategy<Value = QuorumCertificate> {
    let signers = prop::collection::btree_map(0..256_usize, signature(), 0..9);
    (place(), hash(), signers).prop_map(move |((height, view), block_hash, signed)| {
        let mut signers = vec![0_u8; signed.last_key_value().map_or(0, |(last, _)| last / 8 + 1)];
        signed.keys().for_each(|index| signers[index / 8] |= 1 << (index % 8));
        let vote = Vote { phase, height, view, block_hash };
        QuorumCertificate { vote, signers, signatures: signed.into_values().collect() }
    })
}

fn prepare() -> impl Strategy<Value = PrepareCertificate> {
    certificate(Phase::Prevote).prop_map(|it| PrepareCertificate::new(it).expect("of prevotes"))
}

pub(super) fn commit() -> impl Strategy<Value = CommitCertificate> {
    certificate(Phase::Commit).prop_map(|it| CommitCertificate::new(it).expect("of commits"))
}

fn view_change() -> impl Strategy<Value = Signed<ViewChange>> {
    let lock =
        (any::<u64>(), hash()).prop_map(|(view, block_hash)| Prepared { view: View(view), block_hash });
    let statement = (place(), prop::option::of(lock)).prop_map(|((height, view), prepared)| ViewChange {
        height,
        view,
        prepared,
    });
    signed(statement)
}

fn proposal() -> impl Strategy<Value = Proposal> {
    let propose = (place(), hash(), hash()).prop_map(|((height, view), block_hash, body_hash)| Propose {
        height,
        view,
        block_hash,
        body_hash,
    });
    let body = vec((hash(), prop::option::of(raw())), 0..8);
    let justification = (vec(view_change(), 0..4), prop::option::of(prepare()))
        .prop_map(|(view_changes, certificate)| Justification { view_changes, certificate });
    (signed(propose), header(), body, prop::option::of(justification)).prop_map(
        |(propose, header, body, justification)| Proposal {
            propose,
            header,
            transaction_hashes: body.iter().map(|(hash, _)| *hash).collect(),
            prefilled: (0..).zip(body).filter_map(|(index, (_, raw))| Some((index, raw?))).collect(),
            justification,
        },
    )
}

fn reject() -> impl Strategy<Value = Signed<Reject>> {
    let reasons = [
        RejectReason::Header,
        RejectReason::Transaction,
        RejectReason::Divergence,
        RejectReason::Unavailable,
    ];
    let roots = (hash(), hash()).prop_map(|(state, receipts)| Roots { state, receipts });
    let statement =
        (place(), hash(), prop::sample::select(reasons.to_vec()), prop::option::of(roots)).prop_map(
            |((height, view), block_hash, reason, roots)| Reject { height, view, block_hash, reason, roots },
        );
    signed(statement)
}

fn status() -> impl Strategy<Value = Signed<Status>> {
    signed((place(), hash(), any::<(u64, bool)>()).prop_map(
        |((height, view), head_hash, (clock_ms, in_view_change))| Status {
            height,
            view,
            head_hash,
            clock_ms,
            in_view_change,
        },
    ))
}

pub(super) fn message() -> impl Strategy<Value = Message> {
    let phase = prop::sample::select(&[Phase::Prevote, Phase::Commit][..]);
    let vote = (phase, place(), hash()).prop_map(|(phase, (height, view), block_hash)| Vote {
        phase,
        height,
        view,
        block_hash,
    });
    let locked = (view_change(), prop::option::of(prepare()))
        .prop_map(|(signed, certificate)| SignedViewChange { signed, certificate });
    let decided = (commit(), prop::option::of(block().prop_map(Arc::new)))
        .prop_map(|(certificate, block)| Decided { certificate, block });
    prop_oneof![
        proposal().prop_map(|it| Message::Proposal(Arc::new(it))),
        signed(vote).prop_map(Message::Vote),
        locked.prop_map(Message::ViewChange),
        reject().prop_map(Message::Reject),
        status().prop_map(Message::Status),
        decided.prop_map(Message::Decided),
    ]
}

pub(super) fn hello() -> impl Strategy<Value = Hello> {
    (any::<(u32, u64, u64)>(), hash(), hash(), "[ -~]{0,128}").prop_map(
        |((protocol_version, chain_id, height), genesis_hash, head_hash, agent)| Hello {
            protocol_version,
            chain_id,
            genesis_hash,
            height: Height(height),
            head_hash,
            agent,
        },
    )
}

pub(super) fn batch() -> impl Strategy<Value = TransactionBatch> {
    (vec(raw(), 1..20), any::<Option<[u8; 16]>>())
        .prop_map(|(transactions, trace_id)| TransactionBatch { transactions, trace_id })
}

pub(super) fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        (any::<u64>(), 1..=64_u32).prop_map(|(from, count)| Request::Blocks { from: Height(from), count }),
        hash().prop_map(Request::BlockByHash),
        vec(hash(), 0..20).prop_map(Request::Transactions),
        vec(hash(), 0..20).prop_map(Request::Offer),
    ]
}

pub(super) fn response() -> impl Strategy<Value = Response> {
    let certified =
        (block(), commit()).prop_map(|(block, certificate)| CertifiedBlock { block, certificate });
    prop_oneof![
        vec(certified, 0..4).prop_map(Response::Blocks),
        prop::option::of(block().prop_map(Arc::new)).prop_map(Response::Block),
        vec(raw(), 0..20).prop_map(Response::Transactions),
        vec(hash(), 0..20).prop_map(Response::Missing),
    ]
}

pub(super) fn log_record() -> impl Strategy<Value = LogRecord> {
    let prepared = prop::option::of((prepare(), block().prop_map(Arc::new)));
    (vec(message(), 0..4), prepared).prop_map(|(messages, prepared)| LogRecord { messages, prepared })
}
