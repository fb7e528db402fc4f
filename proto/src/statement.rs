//! The signed statements.

use quorate_types::{
    Height, Phase, Prepared, Propose, Reject, RejectReason, Roots, Signed, Status, View, ViewChange, Vote,
};

use crate::{
    error::{DecodeError, Problem, Within},
    fields::{encode_hash, encode_seal, hash, signed},
    shape::{Part, Shape},
    wire,
};

/// A message whose every field but its seal holds one value.
pub(crate) const SEALED_5: Shape = Shape(&[Part::one(5, "seal", &Shape::FLAT)]);
pub(crate) const VIEW_CHANGE: Shape =
    Shape(&[Part::one(3, "prepared", &Shape::FLAT), Part::one(4, "seal", &Shape::FLAT)]);
pub(crate) const REJECT: Shape =
    Shape(&[Part::one(5, "roots", &Shape::FLAT), Part::one(6, "seal", &Shape::FLAT)]);
pub(crate) const STATUS: Shape = Shape(&[Part::one(6, "seal", &Shape::FLAT)]);

pub(crate) fn encode_propose(it: &Signed<Propose>) -> wire::Propose {
    let Propose { height, view, block_hash, body_hash } = it.statement;
    wire::Propose {
        height: height.0,
        view: view.0,
        block_hash: encode_hash(block_hash),
        body_hash: encode_hash(body_hash),
        seal: Some(encode_seal(it)),
    }
}

pub(crate) fn propose(it: wire::Propose) -> Result<Signed<Propose>, DecodeError> {
    let statement = Propose {
        height: Height(it.height),
        view: View(it.view),
        block_hash: hash("block_hash", &it.block_hash)?,
        body_hash: hash("body_hash", &it.body_hash)?,
    };
    signed(statement, it.seal)
}

pub(crate) fn encode_vote(it: &Signed<Vote>) -> wire::Vote {
    let Vote { phase, height, view, block_hash } = it.statement;
    let phase = match phase {
        Phase::Prevote => wire::Phase::Prevote,
        Phase::Commit => wire::Phase::Commit,
    };
    wire::Vote {
        phase: phase.into(),
        height: height.0,
        view: view.0,
        block_hash: encode_hash(block_hash),
        seal: Some(encode_seal(it)),
    }
}

pub(crate) fn vote(it: wire::Vote) -> Result<Signed<Vote>, DecodeError> {
    let phase = match it.phase() {
        wire::Phase::Prevote => Phase::Prevote,
        wire::Phase::Commit => Phase::Commit,
        wire::Phase::Unspecified => return Err(unnamed("phase", it.phase, wire::Phase::Commit.into())),
    };
    let block_hash = hash("block_hash", &it.block_hash)?;
    signed(Vote { phase, height: Height(it.height), view: View(it.view), block_hash }, it.seal)
}

pub(crate) fn encode_view_change(it: &Signed<ViewChange>) -> wire::ViewChange {
    let ViewChange { height, view, prepared } = it.statement;
    wire::ViewChange {
        height: height.0,
        view: view.0,
        prepared: prepared
            .map(|lock| wire::Lock { view: lock.view.0, block_hash: encode_hash(lock.block_hash) }),
        seal: Some(encode_seal(it)),
    }
}

pub(crate) fn view_change(it: wire::ViewChange) -> Result<Signed<ViewChange>, DecodeError> {
    let lock = |lock: wire::Lock| {
        let block_hash = hash("block_hash", &lock.block_hash).within("prepared")?;
        Ok(Prepared { view: View(lock.view), block_hash })
    };
    let prepared = it.prepared.map(lock).transpose()?;
    signed(ViewChange { height: Height(it.height), view: View(it.view), prepared }, it.seal)
}

pub(crate) fn encode_reject(it: &Signed<Reject>) -> wire::Reject {
    let Reject { height, view, block_hash, reason, roots } = it.statement;
    let reason = match reason {
        RejectReason::Header => wire::RejectReason::Header,
        RejectReason::Transaction => wire::RejectReason::Transaction,
        RejectReason::Divergence => wire::RejectReason::Divergence,
        RejectReason::Unavailable => wire::RejectReason::Unavailable,
    };
    wire::Reject {
        height: height.0,
        view: view.0,
        block_hash: encode_hash(block_hash),
        reason: reason.into(),
        roots: roots.map(|roots| wire::Roots {
            state: encode_hash(roots.state),
            receipts: encode_hash(roots.receipts),
        }),
        seal: Some(encode_seal(it)),
    }
}

pub(crate) fn reject(it: wire::Reject) -> Result<Signed<Reject>, DecodeError> {
    let reason = match it.reason() {
        wire::RejectReason::Header => RejectReason::Header,
        wire::RejectReason::Transaction => RejectReason::Transaction,
        wire::RejectReason::Divergence => RejectReason::Divergence,
        wire::RejectReason::Unavailable => RejectReason::Unavailable,
        wire::RejectReason::Unspecified => {
            return Err(unnamed("reason", it.reason, wire::RejectReason::Unavailable.into()));
        }
    };
    let roots = |roots: wire::Roots| {
        let state = hash("state", &roots.state).within("roots")?;
        let receipts = hash("receipts", &roots.receipts).within("roots")?;
        Ok(Roots { state, receipts })
    };
    let statement = Reject {
        height: Height(it.height),
        view: View(it.view),
        block_hash: hash("block_hash", &it.block_hash)?,
        reason,
        roots: it.roots.map(roots).transpose()?,
    };
    signed(statement, it.seal)
}

pub(crate) fn encode_status(it: &Signed<Status>) -> wire::Status {
    let Status { height, view, head_hash, clock_ms, in_view_change } = it.statement;
    wire::Status {
        height: height.0,
        view: view.0,
        head_hash: encode_hash(head_hash),
        clock_ms,
        in_view_change,
        seal: Some(encode_seal(it)),
    }
}

pub(crate) fn status(it: wire::Status) -> Result<Signed<Status>, DecodeError> {
    let statement = Status {
        height: Height(it.height),
        view: View(it.view),
        head_hash: hash("head_hash", &it.head_hash)?,
        clock_ms: it.clock_ms,
        in_view_change: it.in_view_change,
    };
    signed(statement, it.seal)
}

/// The value of an enum that has no name for it; the names count from 1 to `last`.
fn unnamed(field: &str, got: i32, last: i32) -> DecodeError {
    Problem::OutOfRange { got: got.into(), least: 1, most: last.into() }.of(field)
}
