//! Consensus messages and the envelope that they travel in.

use std::sync::Arc;

use bytes::Bytes;
use quorate_types::{Decided, Justification, Message, Proposal, SignedViewChange};

use crate::{
    block,
    bounds::{MAX_FRAME_BYTES, MAX_JUSTIFICATION_SIGNERS, MAX_PREFILLED_BYTES, MAX_TRANSACTIONS_PER_BLOCK},
    certificate::{self, optional_prepare, required_commit},
    error::{DecodeError, Problem, Within},
    fields::{check_total, detached, encode_hashes, hashes, required},
    frame::{self, Frame, PROTOCOL_VERSION},
    shape::{Part, Shape},
    statement, wire,
    wire::envelope::Message as Body,
};

const JUSTIFICATION: Shape = Shape(&[
    Part::list(1, "view_changes", MAX_JUSTIFICATION_SIGNERS, &statement::VIEW_CHANGE),
    Part::one(2, "certificate", &Shape::FLAT),
]);
const PROPOSAL: Shape = Shape(&[
    Part::one(1, "propose", &statement::SEALED_5),
    Part::list(4, "prefilled", MAX_TRANSACTIONS_PER_BLOCK, &Shape::FLAT),
    Part::one(5, "justification", &JUSTIFICATION),
]);
const SIGNED_VIEW_CHANGE: Shape =
    Shape(&[Part::one(1, "view_change", &statement::VIEW_CHANGE), Part::one(2, "certificate", &Shape::FLAT)]);
const DECIDED: Shape =
    Shape(&[Part::one(1, "certificate", &Shape::FLAT), Part::one(2, "block", &block::BLOCK)]);

impl Frame for wire::Envelope {
    const NAME: &'static str = "message";
    const VERSION: u32 = PROTOCOL_VERSION;
    const MAX_BYTES: usize = MAX_FRAME_BYTES;
    const SHAPE: Shape = Shape(&[
        Part::one(2, "proposal", &PROPOSAL),
        Part::one(3, "vote", &statement::SEALED_5),
        Part::one(4, "view_change", &SIGNED_VIEW_CHANGE),
        Part::one(5, "reject", &statement::REJECT),
        Part::one(6, "status", &statement::STATUS),
        Part::one(7, "decided", &DECIDED),
    ]);
}

/// Encodes a message as a frame.
///
/// Receivers refuse a proposal whose `prefilled` is not in rising order of its indices or exceeds
/// [`MAX_PREFILLED_BYTES`], and whatever else exceeds a bound of this crate: keeping to them is the maker's part.
#[must_use]
pub fn encode_message(message: &Message) -> Bytes {
    let body = match message {
        Message::Proposal(it) => Body::Proposal(encode_proposal(it)),
        Message::Vote(it) => Body::Vote(statement::encode_vote(it)),
        Message::ViewChange(it) => Body::ViewChange(wire::SignedViewChange {
            view_change: Some(statement::encode_view_change(&it.signed)),
            certificate: it.certificate.as_deref().map(certificate::to_wire),
        }),
        Message::Reject(it) => Body::Reject(statement::encode_reject(it)),
        Message::Status(it) => Body::Status(statement::encode_status(it)),
        Message::Decided(it) => Body::Decided(wire::Decided {
            certificate: Some(certificate::to_wire(&it.certificate)),
            block: it.block.as_deref().map(block::to_wire),
        }),
    };
    frame::encode(&wire::Envelope { version: PROTOCOL_VERSION, message: Some(body) })
}

/// The reverse of [`encode_message`]. Every bound is checked, no signature is: that is
/// [`Message::verify`]'s part.
///
/// # Errors
/// For bytes that are no message; the error names the field.
pub fn decode_message(frame: Bytes) -> Result<Message, DecodeError> {
    frame::decode(&frame, |it: wire::Envelope| {
        Ok(match required("body", it.message)? {
            Body::Proposal(it) => Message::Proposal(Arc::new(proposal(it).within("proposal")?)),
            Body::Vote(it) => Message::Vote(statement::vote(it).within("vote")?),
            Body::ViewChange(it) => Message::ViewChange(view_change(it).within("view_change")?),
            Body::Reject(it) => Message::Reject(statement::reject(it).within("reject")?),
            Body::Status(it) => Message::Status(statement::status(it).within("status")?),
            Body::Decided(it) => Message::Decided(decided(it).within("decided")?),
        })
    })
}

fn encode_proposal(it: &Proposal) -> wire::Proposal {
    let prefilled = |(index, raw): &(u32, quorate_types::Bytes)| wire::Prefilled {
        index: *index,
        transaction: raw.0.clone(),
    };
    wire::Proposal {
        propose: Some(statement::encode_propose(&it.propose)),
        header: block::encode_header(&it.header),
        transaction_hashes: encode_hashes(&it.transaction_hashes),
        prefilled: it.prefilled.iter().map(prefilled).collect(),
        justification: it.justification.as_ref().map(|it| wire::Justification {
            view_changes: it.view_changes.iter().map(statement::encode_view_change).collect(),
            certificate: it.certificate.as_deref().map(certificate::to_wire),
        }),
    }
}

fn proposal(it: wire::Proposal) -> Result<Proposal, DecodeError> {
    let transaction_hashes =
        hashes("transaction_hashes", &it.transaction_hashes, MAX_TRANSACTIONS_PER_BLOCK)?;
    check_prefilled(&it.prefilled, transaction_hashes.len())?;
    Ok(Proposal {
        propose: statement::propose(required("propose", it.propose)?).within("propose")?,
        header: block::header("header", &it.header)?,
        transaction_hashes,
        prefilled: it.prefilled.iter().map(|it| (it.index, detached(&it.transaction))).collect(),
        justification: it.justification.map(justification).transpose().within("justification")?,
    })
}

/// Each place of the block is filled once, and is one of its places.
fn check_prefilled(prefilled: &[wire::Prefilled], transactions: usize) -> Result<(), DecodeError> {
    check_total("prefilled", prefilled.iter().map(|it| &it.transaction), MAX_PREFILLED_BYTES)?;
    if !prefilled.is_sorted_by(|a, b| a.index < b.index) {
        return Err(Problem::Inconsistent("the indices do not rise").of("prefilled"));
    }
    let last = prefilled.last().map(|it| usize::try_from(it.index));
    if last.is_some_and(|index| !index.is_ok_and(|index| index < transactions)) {
        return Err(Problem::Inconsistent("an index is not below the number of transactions").of("prefilled"));
    }
    Ok(())
}

fn justification(it: wire::Justification) -> Result<Justification, DecodeError> {
    let view_changes: Result<_, _> = it.view_changes.into_iter().map(statement::view_change).collect();
    let certificate = optional_prepare(it.certificate)?;
    Ok(Justification { view_changes: view_changes.within("view_changes")?, certificate })
}

fn view_change(it: wire::SignedViewChange) -> Result<SignedViewChange, DecodeError> {
    let signed = statement::view_change(required("view_change", it.view_change)?).within("view_change")?;
    Ok(SignedViewChange { signed, certificate: optional_prepare(it.certificate)? })
}

fn decided(it: wire::Decided) -> Result<Decided, DecodeError> {
    let block = it.block.map(block::from_wire).transpose().within("block")?;
    Ok(Decided { certificate: required_commit(it.certificate)?, block: block.map(Arc::new) })
}
