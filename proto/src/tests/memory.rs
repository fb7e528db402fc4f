//! What fits, and what stays in memory.

use std::{iter, sync::Arc};

use quorate_types::{B256, Block, Bytes, Decided, Message};

use super::samples;
use crate::{
    BATCH_OVERHEAD_BYTES, CertifiedBlock, MAX_BATCH_BYTES, MAX_BLOCK_BYTES, MAX_BLOCKS_PER_RESPONSE,
    MAX_FRAME_BYTES, MAX_PREFILLED_BYTES, MAX_RESPONSE_BYTES, MAX_TRANSACTIONS_PER_BLOCK, Response,
    TRANSACTION_OVERHEAD_BYTES, TransactionBatch, decode_message, encode_message, frame_id,
};

fn full_block() -> Block {
    let share = vec![0xee; MAX_BLOCK_BYTES / MAX_TRANSACTIONS_PER_BLOCK];
    Block::new(samples::block().header().clone(), vec![share.into(); MAX_TRANSACTIONS_PER_BLOCK])
}

#[test]
fn a_full_block_is_decided_logged_and_served() {
    let block = Arc::new(full_block());
    let decided = Message::Decided(Decided { certificate: samples::commit(), block: Some(block.clone()) });
    let frame = encode_message(&decided);
    assert_eq!(decode_message(frame), Ok(decided));

    let mut proposal = samples::proposal();
    proposal.transaction_hashes = vec![B256::repeat_byte(1); MAX_TRANSACTIONS_PER_BLOCK];
    proposal.prefilled = vec![(0, vec![1; MAX_PREFILLED_BYTES].into())];
    let messages = vec![Message::Proposal(Arc::new(proposal))];
    let record = crate::LogRecord { messages, prepared: Some((samples::prepare(), block.clone())) };
    let frame = record.encode();
    assert!(frame.len() <= MAX_FRAME_BYTES);
    assert_eq!(crate::LogRecord::decode(frame), Ok(record));

    let certified = CertifiedBlock { block: full_block(), certificate: samples::commit() };
    let response = Response::blocks([certified]);
    assert!(matches!(&response, Response::Blocks(blocks) if blocks.len() == 1));
    assert_eq!(Response::decode(response.encode()), Ok(response));
}

#[test]
fn a_response_takes_what_fits() {
    let small = CertifiedBlock { block: samples::block(), certificate: samples::commit() };
    let large = CertifiedBlock { block: full_block(), certificate: samples::commit() };
    let tiny = Block::new(samples::block().header().clone(), vec![Bytes::new(); 10_000]);
    let tiny = CertifiedBlock { block: tiny, certificate: samples::commit() };
    let count = |response: &Response| match response {
        Response::Blocks(it) => it.len(),
        Response::Block(it) => usize::from(it.is_some()),
        Response::Transactions(it) => it.len(),
        Response::Missing(it) => it.len(),
    };
    assert_eq!(count(&Response::blocks(iter::repeat(small))), MAX_BLOCKS_PER_RESPONSE as usize);
    assert_eq!(count(&Response::blocks(iter::repeat(large))), 1);
    let of_tiny = Response::blocks(iter::repeat(tiny));
    assert_eq!(count(&of_tiny), 19, "MAX_FRAME_ITEMS is reached before the bytes are");
    assert!(Response::decode(of_tiny.encode()).is_ok());

    let transactions = Response::transactions(iter::repeat(Bytes::from(vec![1; 1000])));
    assert_eq!(count(&transactions), 10_432);
    let frame = transactions.encode();
    assert!(frame.len() <= MAX_RESPONSE_BYTES);
    assert!(Response::decode(frame).is_ok());
}

/// Given more than fits one batch, in bytes or in number, then nothing is lost and nothing out of order, every batch is one
/// that peers read, and no batch takes what the one before had room for.
#[test]
fn transactions_are_split_into_batches_that_peers_read() {
    let large: Vec<_> = (0..40).map(|number| Bytes::from(vec![number; 128 << 10])).collect();
    let small: Vec<_> = (0..10_000_u32).map(|number| Bytes::from(number.to_be_bytes().to_vec())).collect();
    for (sent, count) in [(large, 3), (small, 3), (vec![], 0)] {
        let batches = TransactionBatch::split(sent.clone(), Some([7; 16]));
        assert_eq!(batches.len(), count);
        let read = batches.iter().map(|it| TransactionBatch::decode(it.encode()).expect("peers read it"));
        assert_eq!(read.flat_map(|it| it.transactions).collect::<Vec<_>>(), sent);
    }
    let fits_none = Bytes::from(vec![1; MAX_BATCH_BYTES]);
    assert_eq!(TransactionBatch::split(vec![fits_none], None), []);
    let fits_one = Bytes::from(vec![1; MAX_BATCH_BYTES - TRANSACTION_OVERHEAD_BYTES - BATCH_OVERHEAD_BYTES]);
    assert_eq!(TransactionBatch::split(vec![fits_one], Some([7; 16]))[0].encode().len(), MAX_BATCH_BYTES - 1);
}

#[test]
fn a_transaction_in_a_pool_does_not_keep_its_frame_in_memory() {
    let transactions = samples::block().transactions().to_vec();
    let frame = TransactionBatch { transactions: transactions.clone(), trace_id: None }.encode();
    let batch = TransactionBatch::decode(frame.clone()).expect("a sound batch");
    assert!(frame.is_unique(), "{batch:?} shares the memory of its frame");

    let frame = Response::Transactions(transactions).encode();
    let response = Response::decode(frame.clone()).expect("a sound response");
    assert!(frame.is_unique(), "{response:?} shares the memory of its frame");

    let frame = encode_message(&Message::Proposal(Arc::new(samples::proposal())));
    let message = decode_message(frame.clone()).expect("a sound proposal");
    assert!(frame.is_unique(), "{message:?} shares the memory of its frame");
}

#[test]
fn the_id_covers_attachments() {
    let bare = Decided { certificate: samples::commit(), block: None };
    let with_block = Decided { block: Some(Arc::new(samples::block())), ..bare.clone() };
    let id = |decided| frame_id(&encode_message(&Message::Decided(decided)));
    assert_ne!(id(bare), id(with_block));
}
