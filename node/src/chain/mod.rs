//! The chain glue: one thread that joins execution and storage. It builds, checks and commits blocks one after
//! the other, so a block is never checked on a head that is about to change, and consensus and sync never write
//! the same block twice (faults.md, two-importers).

mod candidates;
mod worker;

use std::sync::Arc;

use quorate_consensus::{BuildPlan, Candidate, Head, Verdict};
use quorate_types::{Block, CommitCertificate, RejectReason, Roots, Transaction};
use tokio::sync::{mpsc, oneshot};

pub(crate) use candidates::Candidates;
pub(crate) use worker::{Chain, ChainParts};

use crate::stop::Vital;

/// Commands that may wait for the chain thread. The replica has few blocks in hand at a time and sync
/// applies one after the other, so more than this means that the thread hangs.
const COMMAND_CAPACITY: usize = 256;

/// Why a decided block could not be applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    /// It does not stand on the head; somebody else was faster.
    #[error("the block does not stand on the head")]
    NotNext(Head),
    /// Executing it gave something else: this node and the quorum differ.
    #[error("{what}")]
    Diverged {
        /// The kind of difference.
        reason: RejectReason,
        /// What this node computed, when that is what differs.
        roots: Option<Roots>,
        /// In words.
        what: String,
    },
    /// The disk or the database failed, which is final.
    #[error("{0}")]
    Fatal(String),
}

/// What the chain thread is asked.
pub(crate) enum Command {
    /// Make a block on the head.
    Build { plan: BuildPlan, use_parent_time: bool, reply: Reply<Option<Candidate>> },
    /// Execute a block on the head and compare the roots.
    Check { block: Arc<Block>, transactions: Vec<Transaction>, reply: Reply<Verdict> },
    /// Write a candidate that was decided.
    Commit { candidate: Candidate, certificate: CommitCertificate, reply: Reply<Result<Head, ApplyError>> },
    /// Execute and write a block whose certificate was checked.
    Apply {
        block: Arc<Block>,
        transactions: Vec<Transaction>,
        certificate: CommitCertificate,
        reply: Reply<Result<Head, ApplyError>>,
    },
}

/// What is done with an answer, on the chain thread: short, never blocking.
pub(crate) type Reply<T> = Box<dyn FnOnce(T) + Send>;

/// The way to the chain thread.
#[derive(Clone)]
pub(crate) struct ChainHandle(mpsc::Sender<Command>);

impl ChainHandle {
    /// Queues a command. A full queue means that the thread hangs: what is dropped then is not made up for at this
    /// height, which others decide and sync brings. A thread that ended stops the node.
    pub(crate) fn send(&self, command: Command) {
        if let Err(error) = self.0.try_send(command) {
            tracing::error!(%error, "the chain thread takes no more commands");
        }
    }

    /// Applies a block that came by sync.
    pub(crate) async fn apply(
        &self,
        block: Arc<Block>,
        transactions: Vec<Transaction>,
        certificate: CommitCertificate,
    ) -> Result<Head, ApplyError> {
        let (sender, answer) = oneshot::channel();
        let reply = Box::new(move |result| drop(sender.send(result)));
        let gone = || ApplyError::Fatal("the chain thread has ended".to_owned());
        self.0.send(Command::Apply { block, transactions, certificate, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// Starts the thread.
pub(crate) fn spawn(
    parts: ChainParts,
    vital: Vital,
) -> std::io::Result<(ChainHandle, std::thread::JoinHandle<()>)> {
    let (sender, mut commands) = mpsc::channel(COMMAND_CAPACITY);
    let thread = std::thread::Builder::new().name("chain".to_owned()).spawn(move || {
        let _vital = vital;
        let mut chain = Chain::new(parts);
        while let Some(command) = commands.blocking_recv() {
            chain.perform(command);
        }
    })?;
    Ok((ChainHandle(sender), thread))
}
