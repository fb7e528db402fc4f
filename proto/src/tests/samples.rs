//! One small value of each kind, the same on every run.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use quorate_types::{
    B256, Block, CommitCertificate, Decided, Domain, Header, Height, Justification, Message, NodeKey, Phase,
    PrepareCertificate, Prepared, Proposal, Propose, QuorumCertificate, Reject, RejectReason, Roots,
    Signable, Signed, SignedViewChange, Status, U256, Validator, ValidatorSet, View, ViewChange, Vote,
    VoteTally, mix_hash,
};

use super::Format;
use crate::{
    CertifiedBlock, Hello, LogRecord, PROTOCOL_VERSION, Request, Response, TransactionBatch,
    encode_certificate, encode_message,
};

const DOMAIN: Domain = Domain { chain_id: 20200, genesis_hash: B256::repeat_byte(0x6e) };
const HEIGHT: Height = Height(300);

fn keys() -> [NodeKey; 4] {
    [1, 2, 3, 4].map(|seed| NodeKey::from_seed([seed; 32]))
}

fn sign<S: Signable>(statement: S) -> Signed<S> {
    Signed::sign(statement, &DOMAIN, &keys()[0]).expect("a key in memory signs")
}

pub(super) fn block() -> Block {
    let parent_hash = B256::repeat_byte(0x11);
    let header = Header {
        parent_hash,
        number: HEIGHT.0,
        mix_hash: mix_hash(parent_hash, HEIGHT),
        state_root: B256::repeat_byte(0x22),
        difficulty: U256::ZERO,
        gas_limit: 300_000_000,
        gas_used: 42_000,
        timestamp: 1_700_000_000,
        extra_data: B256::repeat_byte(0x33).into(),
        base_fee_per_gas: Some(0),
        withdrawals_root: Some(B256::repeat_byte(0x44)),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        requests_hash: Some(quorate_types::EMPTY_REQUESTS_HASH),
        ..Header::default()
    };
    Block::new(header, vec![vec![2, 0xaa].into(), vec![2, 0xbb, 0xbc].into()])
}

pub(super) fn certificate(phase: Phase) -> QuorumCertificate {
    let set = ValidatorSet::new(keys().iter().map(|key| Validator::new(key.id(), 1))).expect("four members");
    let vote = Vote { phase, height: HEIGHT, view: View(1), block_hash: block().hash() };
    let mut tally = VoteTally::new(vote);
    for key in keys().iter().take(3) {
        let signed = Signed::sign(vote, &DOMAIN, key).expect("a key in memory signs");
        tally.add(&set, &signed.signer, signed.signature);
    }
    tally.certificate(&set).expect("three of four are a quorum")
}

pub(super) fn prepare() -> PrepareCertificate {
    PrepareCertificate::new(certificate(Phase::Prevote)).expect("of prevotes")
}

pub(super) fn commit() -> CommitCertificate {
    CommitCertificate::new(certificate(Phase::Commit)).expect("of commits")
}

pub(super) fn vote(phase: Phase) -> Message {
    Message::Vote(sign(Vote { phase, height: HEIGHT, view: View(0), block_hash: block().hash() }))
}

fn locked() -> ViewChange {
    let prepared = Prepared { view: View(1), block_hash: block().hash() };
    ViewChange { height: HEIGHT, view: View(2), prepared: Some(prepared) }
}

fn view_change(statement: ViewChange, certificate: Option<PrepareCertificate>) -> Message {
    Message::ViewChange(SignedViewChange { signed: sign(statement), certificate })
}

pub(super) fn proposal() -> Proposal {
    let block = block();
    let propose = Propose {
        height: HEIGHT,
        view: View(2),
        block_hash: block.hash(),
        body_hash: Proposal::body_hash(&block.transaction_hashes()),
    };
    let free = ViewChange { prepared: None, ..locked() };
    Proposal {
        propose: sign(propose),
        header: block.header().clone(),
        transaction_hashes: block.transaction_hashes(),
        prefilled: vec![(1, block.transactions()[1].clone())],
        justification: Some(Justification {
            view_changes: vec![sign(locked()), sign(free)],
            certificate: Some(prepare()),
        }),
    }
}

pub(super) fn hello() -> Hello {
    Hello {
        protocol_version: PROTOCOL_VERSION,
        chain_id: DOMAIN.chain_id,
        genesis_hash: DOMAIN.genesis_hash,
        height: HEIGHT,
        head_hash: block().hash(),
        agent: "quorate/v0.1.0".to_owned(),
    }
}

pub(super) fn messages() -> Vec<(&'static str, Message)> {
    let first_offer =
        Proposal { prefilled: vec![], justification: None, transaction_hashes: vec![], ..proposal() };
    let block_hash = block().hash();
    let reject_in = |view, reason, roots| {
        Message::Reject(sign(Reject { height: HEIGHT, view: View(view), block_hash, reason, roots }))
    };
    let reject = |reason, roots| reject_in(0, reason, roots);
    let later_vote = Vote { phase: Phase::Commit, height: HEIGHT, view: View(3), block_hash };
    let roots = Roots { state: B256::repeat_byte(0x55), receipts: B256::repeat_byte(0x66) };
    let status = Status {
        height: HEIGHT,
        view: View(1),
        head_hash: B256::repeat_byte(0x11),
        clock_ms: 1_700_000_000_123,
        in_view_change: true,
    };
    let decided = |block| Message::Decided(Decided { certificate: commit(), block });
    vec![
        ("proposal", Message::Proposal(Arc::new(first_offer))),
        ("proposal_again", Message::Proposal(Arc::new(proposal()))),
        ("prevote", vote(Phase::Prevote)),
        ("commit", vote(Phase::Commit)),
        ("view_change", view_change(ViewChange { prepared: None, ..locked() }, None)),
        ("view_change_locked", view_change(locked(), Some(prepare()))),
        ("reject_header", reject(RejectReason::Header, None)),
        ("reject_transaction", reject(RejectReason::Transaction, None)),
        ("reject_divergence", reject(RejectReason::Divergence, Some(roots))),
        ("reject_unavailable", reject(RejectReason::Unavailable, None)),
        ("status", Message::Status(sign(status))),
        ("decided", decided(None)),
        ("decided_with_block", decided(Some(Arc::new(block())))),
        ("commit_later", Message::Vote(sign(later_vote))),
        ("reject_later", reject_in(3, RejectReason::Unavailable, None)),
    ]
}

/// What each batch of own statements leaves in the vote log, but for a commit.
fn log_records() -> Vec<(&'static str, LogRecord)> {
    let alone = |message| LogRecord { messages: vec![message], prepared: None };
    let own_prevote =
        Vote { phase: Phase::Prevote, height: HEIGHT, view: View(2), block_hash: block().hash() };
    let proposed = vec![Message::Proposal(Arc::new(proposal())), Message::Vote(sign(own_prevote))];
    let free = ViewChange { prepared: None, ..locked() };
    let lock = Some((prepare(), Arc::new(block())));
    vec![
        ("log_record_proposal", LogRecord { messages: proposed, prepared: None }),
        ("log_record_prevote", alone(vote(Phase::Prevote))),
        ("log_record_wish", alone(view_change(free, None))),
        (
            "log_record_wish_locked",
            LogRecord { prepared: lock, ..alone(view_change(locked(), Some(prepare()))) },
        ),
    ]
}

/// A frame with its name.
pub(super) type Sample = (&'static str, Format, Bytes);

/// Every kind of frame, made once.
pub(super) fn frames() -> &'static [Sample] {
    static FRAMES: LazyLock<Vec<Sample>> = LazyLock::new(make_frames);
    &FRAMES
}

fn make_frames() -> Vec<Sample> {
    let transactions = block().transactions().to_vec();
    let hashes = block().transaction_hashes();
    let traced = TransactionBatch { transactions: transactions.clone(), trace_id: Some([7; 16]) };
    let untraced = TransactionBatch { trace_id: None, ..traced.clone() };
    let certified = CertifiedBlock { block: block(), certificate: commit() };
    let record =
        LogRecord { messages: vec![vote(Phase::Commit)], prepared: Some((prepare(), Arc::new(block()))) };
    let mut frames: Vec<_> =
        messages().iter().map(|(name, it)| (*name, Format::Message, encode_message(it))).collect();
    frames.extend([
        ("certificate", Format::Certificate, encode_certificate(&commit())),
        ("hello", Format::Hello, hello().encode()),
        ("transaction_batch", Format::Batch, untraced.encode()),
        ("transaction_batch_traced", Format::Batch, traced.encode()),
        ("request_blocks", Format::Request, Request::Blocks { from: HEIGHT, count: 64 }.encode()),
        ("request_block", Format::Request, Request::BlockByHash(block().hash()).encode()),
        ("request_transactions", Format::Request, Request::Transactions(hashes.clone()).encode()),
        ("request_offer", Format::Request, Request::Offer(hashes.clone()).encode()),
        ("response_blocks", Format::Response, Response::Blocks(vec![certified]).encode()),
        ("response_block", Format::Response, Response::Block(Some(Arc::new(block()))).encode()),
        ("response_no_block", Format::Response, Response::Block(None).encode()),
        ("response_transactions", Format::Response, Response::Transactions(transactions).encode()),
        ("response_missing", Format::Response, Response::Missing(hashes).encode()),
        ("log_record_empty", Format::Log, LogRecord::default().encode()),
        ("log_record", Format::Log, record.encode()),
    ]);
    frames.extend(log_records().iter().map(|(name, it)| (*name, Format::Log, it.encode())));
    frames
}
