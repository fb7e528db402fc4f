//! Every bound and rule has a frame here that breaks it, and is refused in words that name the field.

use bytes::Bytes;

use super::{
    Format::{self, Batch, Certificate, Hello, Log, Message, Request, Response},
    samples,
};
use crate::{
    MAX_AGENT_BYTES, MAX_BATCH_BYTES, MAX_BITMAP_BYTES, MAX_BLOCK_BYTES, MAX_BLOCKS_PER_RESPONSE,
    MAX_FRAME_BYTES, MAX_HEADER_BYTES, MAX_HELLO_BYTES, MAX_JUSTIFICATION_SIGNERS, MAX_LOG_MESSAGES,
    MAX_PREFILLED_BYTES, MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES, MAX_TRANSACTIONS_PER_BATCH,
    MAX_TRANSACTIONS_PER_BLOCK, frame, wire,
    wire::{envelope::Message as Body, request::Request as Ask, response::Response as Answer},
};

type Row = (Format, Bytes, &'static str);

fn zeros(len: usize) -> Bytes {
    vec![0; len].into()
}

/// The sample frame of that name, as its generated message.
fn sample<M: prost::Message + Default>(name: &str) -> M {
    let (.., frame) = samples::frames().iter().find(|(it, ..)| *it == name).expect("a sample of that name");
    M::decode(frame.clone()).expect("it is sound")
}

fn edited<M: prost::Message + Default>(name: &str, edit: impl FnOnce(&mut M)) -> Bytes {
    let mut message = sample(name);
    edit(&mut message);
    frame::encode(&message)
}

macro_rules! body {
    ($function:ident, $variant:ident, $type:ty, $sample:literal) => {
        fn $function(edit: impl FnOnce(&mut $type)) -> Bytes {
            edited($sample, |it: &mut wire::Envelope| match &mut it.message {
                Some(Body::$variant(it)) => edit(it),
                other => panic!("{} is {other:?}", $sample),
            })
        }
    };
}
body!(proposal, Proposal, wire::Proposal, "proposal_again");
body!(vote, Vote, wire::Vote, "prevote");
body!(view_change, ViewChange, wire::SignedViewChange, "view_change_locked");
body!(reject, Reject, wire::Reject, "reject_divergence");
body!(status, Status, wire::Status, "status");
body!(decided, Decided, wire::Decided, "decided_with_block");

fn certificate(edit: impl FnOnce(&mut wire::Certificate)) -> Bytes {
    edited("certificate", |it: &mut wire::CertificateFrame| edit(it.certificate.as_mut().expect("set")))
}

fn block(edit: impl FnOnce(&mut wire::Block)) -> Bytes {
    decided(|it| edit(it.block.as_mut().expect("set")))
}

fn prefilled(items: Vec<wire::Prefilled>) -> Bytes {
    proposal(|it| it.prefilled = items)
}

fn fill(index: u32, len: usize) -> wire::Prefilled {
    wire::Prefilled { index, transaction: zeros(len) }
}

fn frames() -> Vec<Row> {
    let unknown = |it: &mut wire::Envelope| it.version = 2;
    vec![
        (Message, zeros(MAX_FRAME_BYTES + 1), "message: 16777217 bytes, at most 16777216 are allowed"),
        (Certificate, zeros(17_409), "certificate: 17409 bytes, at most 17408 are allowed"),
        (Hello, zeros(MAX_HELLO_BYTES + 1), "hello: 1025 bytes, at most 1024 are allowed"),
        (Batch, zeros(MAX_BATCH_BYTES + 1), "transaction_batch: 2097153 bytes, at most 2097152 are allowed"),
        (Request, zeros(MAX_REQUEST_BYTES + 1), "request: 4194305 bytes, at most 4194304 are allowed"),
        (Response, zeros(MAX_RESPONSE_BYTES + 1), "response: 10485761 bytes, at most 10485760 are allowed"),
        (Log, zeros(MAX_FRAME_BYTES + 1), "log_record: 16777217 bytes, at most 16777216 are allowed"),
        (Message, zeros(0), "message.version: missing"),
        (Message, vec![8].into(), "message.version: malformed: not a number of 32 bits"),
        (
            Message,
            vec![8, 255, 255, 255, 255, 255, 1].into(),
            "message.version: malformed: not a number of 32 bits",
        ),
        (
            Message,
            edited("prevote", unknown),
            "message.version: version 2 is unknown, this node knows version 1; one of the two needs an upgrade",
        ),
        (
            Log,
            edited("log_record", |it: &mut wire::LogRecord| it.version = 2),
            "log_record.version: version 2 is unknown, this node knows version 1; one of the two needs an upgrade",
        ),
        (Message, vec![8, 1].into(), "message.body: missing"),
        (Request, vec![8, 1].into(), "request.request: missing"),
        (Response, vec![8, 1].into(), "response.response: missing"),
        (Certificate, vec![8, 1].into(), "certificate.certificate: missing"),
        (Message, vec![8, 1, 0x1a, 9, 0].into(), "message: malformed: a field is longer than the frame"),
        (Message, vec![8, 1, 0x7b].into(), "message: malformed: a group"),
        (
            Message,
            vec![8, 1, 0x7a, 0].into(),
            "message: not canonical: a field is unknown, repeated, out of order or longer than it need be",
        ),
    ]
}

fn statements() -> Vec<Row> {
    let unsealed = |it: &mut wire::Vote| it.seal = None;
    let signer = |it: &mut wire::Vote| it.seal.as_mut().expect("set").signer = zeros(33);
    let signature = |it: &mut wire::Vote| it.seal.as_mut().expect("set").signature = zeros(63);
    let lock = |it: &mut wire::SignedViewChange| {
        it.view_change.as_mut().expect("set").prepared.as_mut().expect("set").block_hash = zeros(3);
    };
    vec![
        (Message, vote(|it| it.block_hash = zeros(31)), "message.vote.block_hash: expected 32 bytes, got 31"),
        (Message, vote(unsealed), "message.vote.seal: missing"),
        (Message, vote(signer), "message.vote.seal.signer: expected 32 bytes, got 33"),
        (Message, vote(signature), "message.vote.seal.signature: expected 64 bytes, got 63"),
        (Message, vote(|it| it.phase = 0), "message.vote.phase: 0 is not in 1..=2"),
        (Message, vote(|it| it.phase = 3), "message.vote.phase: 3 is not in 1..=2"),
        (Message, vote(|it| it.phase = -1), "message.vote.phase: -1 is not in 1..=2"),
        (Message, reject(|it| it.reason = 0), "message.reject.reason: 0 is not in 1..=4"),
        (Message, reject(|it| it.reason = 5), "message.reject.reason: 5 is not in 1..=4"),
        (
            Message,
            reject(|it| it.block_hash = zeros(0)),
            "message.reject.block_hash: expected 32 bytes, got 0",
        ),
        (
            Message,
            reject(|it| it.roots.as_mut().expect("set").state = zeros(5)),
            "message.reject.roots.state: expected 32 bytes, got 5",
        ),
        (
            Message,
            reject(|it| it.roots.as_mut().expect("set").receipts = zeros(64)),
            "message.reject.roots.receipts: expected 32 bytes, got 64",
        ),
        (Message, status(|it| it.head_hash = zeros(1)), "message.status.head_hash: expected 32 bytes, got 1"),
        (Message, view_change(|it| it.view_change = None), "message.view_change.view_change: missing"),
        (
            Message,
            view_change(lock),
            "message.view_change.view_change.prepared.block_hash: expected 32 bytes, got 3",
        ),
    ]
}

fn certificates() -> Vec<Row> {
    let all = MAX_BITMAP_BYTES;
    let signatures = |count: usize| zeros(count * 64);
    let long_bitmap = |it: &mut wire::Certificate| it.signers = vec![1; all + 1].into();
    let too_many = |it: &mut wire::Certificate| {
        (it.signers, it.signatures) = (vec![255; all].into(), signatures(257));
    };
    vec![
        (
            Certificate,
            certificate(|it| it.block_hash = zeros(20)),
            "certificate.certificate.block_hash: expected 32 bytes, got 20",
        ),
        (
            Certificate,
            certificate(long_bitmap),
            "certificate.certificate.signers: 33 bytes, at most 32 are allowed",
        ),
        (
            Certificate,
            certificate(|it| it.signers = vec![7, 0].into()),
            "certificate.certificate.signers: the last byte of the bitmap is 0",
        ),
        (
            Certificate,
            certificate(|it| it.signers = vec![15].into()),
            "certificate.certificate.signatures: not one signature for each bit of the bitmap",
        ),
        (
            Certificate,
            certificate(|it| it.signatures = zeros(65)),
            "certificate.certificate.signatures: expected a multiple of 64 bytes, got 65",
        ),
        (Certificate, certificate(too_many), "certificate.certificate.signatures: more than 256 items"),
        (Message, decided(|it| it.certificate = None), "message.decided.certificate: missing"),
        (
            Message,
            view_change(|it| it.certificate.as_mut().expect("set").signers = zeros(1)),
            "message.view_change.certificate.signers: the last byte of the bitmap is 0",
        ),
    ]
}

fn blocks() -> Vec<Row> {
    let trailing = |it: &mut wire::Block| it.header = [&it.header[..], &[0]].concat().into();
    let fat = |it: &mut wire::Block| it.transactions = vec![zeros(MAX_BLOCK_BYTES), zeros(1)];
    let many = |it: &mut wire::Block| it.transactions = vec![zeros(0); MAX_TRANSACTIONS_PER_BLOCK + 1];
    // The timestamp, 1,700,000,000, with a leading zero: no integer of canonical RLP.
    let padded = |it: &mut wire::Block| {
        let hex = quorate_types::hex::encode(&it.header).replace("846553f100", "85006553f100");
        let mut bytes = quorate_types::hex::decode(hex).expect("hex");
        bytes[2] += 1;
        it.header = bytes.into();
    };
    vec![
        (
            Message,
            block(|it| it.header = zeros(MAX_HEADER_BYTES + 1)),
            "message.decided.block.header: 1025 bytes, at most 1024 are allowed",
        ),
        (Message, block(trailing), "message.decided.block.header: bytes behind the header"),
        (Message, block(padded), "message.decided.block.header: malformed: leading zero"),
        (
            Message,
            block(|it| it.header = zeros(1)),
            "message.decided.block.header: malformed: unexpected string",
        ),
        (
            Message,
            block(fat),
            "message.decided.block.transactions: 8388609 bytes, at most 8388608 are allowed",
        ),
        (Message, block(many), "message.decided.block.transactions: more than 100000 items"),
    ]
}

fn proposals() -> Vec<Row> {
    let change = |it: &mut wire::Proposal| it.justification.as_mut().expect("set").view_changes[0].clone();
    let crowd = |it: &mut wire::Proposal| {
        let changes = vec![change(it); MAX_JUSTIFICATION_SIGNERS + 1];
        it.justification.as_mut().expect("set").view_changes = changes;
    };
    let unsealed = |it: &mut wire::Proposal| {
        it.justification.as_mut().expect("set").view_changes[1].seal = None;
    };
    vec![
        (Message, proposal(|it| it.propose = None), "message.proposal.propose: missing"),
        (
            Message,
            proposal(|it| it.propose.as_mut().expect("set").body_hash = zeros(31)),
            "message.proposal.propose.body_hash: expected 32 bytes, got 31",
        ),
        (Message, proposal(|it| it.header = zeros(0)), "message.proposal.header: malformed: input too short"),
        (
            Message,
            proposal(|it| it.transaction_hashes = zeros(65)),
            "message.proposal.transaction_hashes: expected a multiple of 32 bytes, got 65",
        ),
        (
            Message,
            proposal(|it| it.transaction_hashes = zeros(32 * (MAX_TRANSACTIONS_PER_BLOCK + 1))),
            "message.proposal.transaction_hashes: more than 100000 items",
        ),
        (
            Message,
            prefilled(vec![fill(0, 0); MAX_TRANSACTIONS_PER_BLOCK + 1]),
            "message.proposal.prefilled: more than 100000 items",
        ),
        (
            Message,
            prefilled(vec![fill(0, MAX_PREFILLED_BYTES), fill(1, 1)]),
            "message.proposal.prefilled: 262145 bytes, at most 262144 are allowed",
        ),
        (
            Message,
            prefilled(vec![fill(1, 1), fill(0, 1)]),
            "message.proposal.prefilled: the indices do not rise",
        ),
        (
            Message,
            prefilled(vec![fill(1, 1), fill(1, 1)]),
            "message.proposal.prefilled: the indices do not rise",
        ),
        (
            Message,
            prefilled(vec![fill(2, 1)]),
            "message.proposal.prefilled: an index is not below the number of transactions",
        ),
        (Message, proposal(crowd), "message.proposal.justification.view_changes: more than 256 items"),
        (Message, proposal(unsealed), "message.proposal.justification.view_changes.seal: missing"),
    ]
}

fn network() -> Vec<Row> {
    let hello = |edit: fn(&mut wire::Hello)| edited("hello", edit);
    let batch = |edit: fn(&mut wire::TransactionBatch)| edited("transaction_batch_traced", edit);
    let many = |it: &mut wire::TransactionBatch| {
        it.transactions = vec![zeros(0); MAX_TRANSACTIONS_PER_BATCH + 1];
    };
    vec![
        (Hello, hello(|it| it.genesis_hash = zeros(31)), "hello.genesis_hash: expected 32 bytes, got 31"),
        (Hello, hello(|it| it.head_hash = zeros(0)), "hello.head_hash: expected 32 bytes, got 0"),
        (
            Hello,
            hello(|it| it.agent = "a".repeat(MAX_AGENT_BYTES + 1)),
            "hello.agent: 129 bytes, at most 128 are allowed",
        ),
        (Hello, hello(|it| it.agent = "a\nb".to_owned()), "hello.agent: a control character in a name"),
        (Batch, batch(many), "transaction_batch.transactions: more than 4096 items"),
        (Batch, batch(|it| it.transactions.clear()), "transaction_batch.transactions: missing"),
        (Batch, batch(|it| it.trace_id = zeros(15)), "transaction_batch.trace_id: expected 16 bytes, got 15"),
    ]
}

fn request(ask: Ask) -> Bytes {
    frame::encode(&wire::Request { version: 1, request: Some(ask) })
}

fn range(count: u32) -> Bytes {
    request(Ask::Blocks(wire::BlockRange { from: 1, count }))
}

fn response(answer: Answer) -> Bytes {
    frame::encode(&wire::Response { version: 1, response: Some(answer) })
}

fn fetching() -> Vec<Row> {
    let hashes = |len| request(Ask::Transactions(zeros(len)));
    let certified = |it| response(Answer::Blocks(wire::CertifiedBlocks { blocks: vec![it] }));
    let blocks = vec![wire::CertifiedBlock::default(); MAX_BLOCKS_PER_RESPONSE as usize + 1];
    let transactions = vec![zeros(0); MAX_TRANSACTIONS_PER_BLOCK + 1];
    let Some(Answer::Blocks(sound)) = sample::<wire::Response>("response_blocks").response else {
        panic!("the sample is of blocks")
    };
    let crowd =
        wire::Block { transactions: vec![zeros(0); MAX_TRANSACTIONS_PER_BLOCK], ..Default::default() };
    let crowd = wire::CertifiedBlock { block: Some(crowd), certificate: None };
    let no_block = wire::CertifiedBlock { block: None, ..sound.blocks[0].clone() };
    let no_certificate = wire::CertifiedBlock { certificate: None, ..sound.blocks[0].clone() };
    vec![
        (Request, range(0), "request.blocks.count: 0 is not in 1..=64"),
        (Request, range(MAX_BLOCKS_PER_RESPONSE + 1), "request.blocks.count: 65 is not in 1..=64"),
        (Request, request(Ask::BlockByHash(zeros(31))), "request.block_by_hash: expected 32 bytes, got 31"),
        (Request, hashes(33), "request.transactions: expected a multiple of 32 bytes, got 33"),
        (
            Request,
            hashes(32 * (MAX_TRANSACTIONS_PER_BLOCK + 1)),
            "request.transactions: more than 100000 items",
        ),
        (
            Request,
            request(Ask::Offer(zeros(32 * (MAX_TRANSACTIONS_PER_BATCH + 1)))),
            "request.offer: more than 4096 items",
        ),
        (
            Response,
            response(Answer::Missing(zeros(32 * (MAX_TRANSACTIONS_PER_BATCH + 1)))),
            "response.missing: more than 4096 items",
        ),
        (
            Response,
            response(Answer::Blocks(wire::CertifiedBlocks { blocks })),
            "response.blocks.blocks: more than 64 items",
        ),
        (
            Response,
            response(Answer::Transactions(wire::Transactions { transactions })),
            "response.transactions.transactions: more than 100000 items",
        ),
        (
            Response,
            response(Answer::Blocks(wire::CertifiedBlocks { blocks: vec![crowd; 2] })),
            "response.blocks.blocks.block: more than 200000 items",
        ),
        (Response, certified(no_block), "response.blocks.block: missing"),
        (Response, certified(no_certificate), "response.blocks.certificate: missing"),
    ]
}

fn log_records() -> Vec<Row> {
    let log = |edit: fn(&mut wire::LogRecord)| edited("log_record", edit);
    let many = |it: &mut wire::LogRecord| it.messages = vec![zeros(0); MAX_LOG_MESSAGES + 1];
    vec![
        (Log, log(many), "log_record.messages: more than 1024 items"),
        (Log, log(|it| it.messages = vec![zeros(0)]), "log_record.messages.message.version: missing"),
        (
            Log,
            log(|it| it.prepared.as_mut().expect("set").certificate = None),
            "log_record.prepared.certificate: missing",
        ),
        (
            Log,
            log(|it| it.prepared.as_mut().expect("set").block = None),
            "log_record.prepared.block: missing",
        ),
    ]
}

#[test]
fn every_bound_refuses_what_breaks_it() {
    let tables =
        [frames(), statements(), certificates(), blocks(), proposals(), network(), fetching(), log_records()];
    for (format, frame, expected) in tables.into_iter().flatten() {
        let error = format.reencode(frame).expect_err(expected);
        assert_eq!(error.to_string(), expected);
    }
}

/// Two versions must be able to tell each other which they are.
#[test]
fn a_greeting_of_a_later_version_is_read() {
    let later = edited("hello", |it: &mut wire::Hello| it.protocol_version = 2);
    let with_new_field = [&later[..], &[0x7a, 1, 0]].concat();
    let hello = crate::Hello::decode(with_new_field.into()).expect("the one lenient frame");
    assert_eq!(hello, crate::Hello { protocol_version: 2, ..samples::hello() });
}
