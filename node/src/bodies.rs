//! Bodies: from a proposal's hashes to a block with recovered transactions, ready to be executed.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use quorate_consensus::{BlockSource, Input, Verdict};
use quorate_p2p::NetworkHandle;
use quorate_proto::{Request, Response};
use quorate_txpool::Pool;
use quorate_types::{
    B256, Block, Bytes, Header, NodeId, Proposal, RejectReason, Roots, Transaction, keccak256,
};
use tokio::sync::{mpsc, watch};

use crate::{
    admission::Recovery,
    asking::ask_in_turn,
    chain::{Candidates, ChainHandle, Command},
    clock,
    driver::{Current, Event},
    sharing::{MAX_OFFERED, Sharing},
    watch::{Alarms, RootsOf},
};

/// How often the peers are asked in turn before a body counts as unavailable.
const ROUNDS: usize = 2;
/// Before a block that nobody has is asked for again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// How often the clock is looked at while a proposal is from the future.
const CLOCK_STEP: Duration = Duration::from_millis(250);

/// A block that the replica wants executed.
pub(crate) struct Wanted {
    pub(crate) block_hash: B256,
    pub(crate) source: BlockSource,
    pub(crate) fresh: bool,
}

/// What getting bodies needs.
#[derive(Clone)]
pub(crate) struct Bodies {
    pub(crate) pool: Arc<Mutex<Pool>>,
    pub(crate) candidates: Candidates,
    pub(crate) network: NetworkHandle,
    pub(crate) sharing: Sharing,
    pub(crate) chain: ChainHandle,
    pub(crate) recovery: Recovery,
    pub(crate) current: watch::Receiver<Current>,
    pub(crate) alarms: Alarms,
    pub(crate) runtime: tokio::runtime::Handle,
}

impl Bodies {
    /// Gets the body, has it executed, and answers with [`Input::Checked`].
    pub(crate) fn obtain(&self, wanted: Wanted, answers: mpsc::Sender<Event>) {
        let this = self.clone();
        self.runtime.spawn(async move {
            let block_hash = wanted.block_hash;
            match this.find(wanted).await {
                Ok((block, transactions)) => {
                    // A full queue only loses the right to hold the timer back.
                    let _ = answers.try_send(Event::Input(Input::Executing(block_hash)));
                    let (runtime, alarms) = (this.runtime.clone(), this.alarms.clone());
                    let header = roots_in(block.header());
                    let reply = Box::new(move |verdict| {
                        if let Verdict::Invalid { roots: Some(own), .. } = verdict {
                            alarms.note_refusal(block_hash, RootsOf { header, own });
                        }
                        answer(&runtime, answers, block_hash, verdict);
                    });
                    this.chain.send(Command::Check { block, transactions, reply });
                }
                Err(verdict) => {
                    tracing::debug!(%block_hash, ?verdict, "no body for a block");
                    answer(&this.runtime, answers, block_hash, verdict);
                }
            }
        });
    }

    async fn find(&self, wanted: Wanted) -> Result<(Arc<Block>, Vec<Transaction>), Verdict> {
        let Wanted { block_hash, source, fresh } = wanted;
        if let Some(block) = self.candidates.block(&block_hash) {
            // Executed before, perhaps for an earlier view: the chain thread answers from memory.
            return Ok((block, Vec::new()));
        }
        let (block, known) = match source {
            BlockSource::Block(block) => (block, Vec::new()),
            BlockSource::Peers(peers) => (self.fetch_block(block_hash, &peers).await?, Vec::new()),
            BlockSource::Proposal(proposal) => {
                if fresh {
                    self.wait_for_clock(&proposal).await?;
                }
                self.assemble(&proposal).await?
            }
        };
        let transactions = self.recovery.recover_block(block.clone(), known).await.map_err(|error| {
            tracing::warn!(%block_hash, %error, "a proposed block holds a transaction that is none");
            Verdict::Invalid { reason: RejectReason::Transaction, roots: None }
        })?;
        Ok((block, transactions))
    }

    /// A proposal from too far in the future is not refused but waited for: clocks differ.
    async fn wait_for_clock(&self, proposal: &Proposal) -> Result<(), Verdict> {
        let due_ms = proposal.header.timestamp.saturating_mul(1000);
        while due_ms > clock::now_ms() + clock::MAX_AHEAD_MS {
            if self.current.borrow().height != proposal.propose.statement.height {
                return Err(Verdict::Unavailable);
            }
            tokio::time::sleep(CLOCK_STEP).await;
        }
        Ok(())
    }

    async fn fetch_block(&self, block_hash: B256, peers: &[NodeId]) -> Result<Arc<Block>, Verdict> {
        let request = Request::BlockByHash(block_hash);
        let mut found = None;
        let take = |answer| {
            // The hash is the header's alone: what came with it must be its own.
            if let Some(Response::Block(Some(block))) = answer
                && block.hash() == block_hash
                && block.is_body_bound()
            {
                found = Some(block);
            }
            found.is_some()
        };
        ask_in_turn(self.ask_order(peers), |peer| self.ask(peer, &request), take).await;
        found.ok_or(Verdict::Unavailable)
    }

    /// The body of a proposal: what travelled with it, what the pool has, and the rest from those who have it.
    async fn assemble(&self, proposal: &Proposal) -> Result<(Arc<Block>, Vec<Transaction>), Verdict> {
        let hashes = &proposal.transaction_hashes;
        let mut raw: Vec<Option<Bytes>> = vec![None; hashes.len()];
        for (index, bytes) in &proposal.prefilled {
            let slot = usize::try_from(*index).ok().filter(|at| hashes.get(*at) == Some(&keccak256(bytes)));
            // Nobody has signed these: what was altered on the way is as good as absent, and fetched.
            if let Some(slot) = slot {
                raw[slot] = Some(bytes.clone());
            }
        }
        let known: Vec<Transaction> = {
            let pool = self.pool.lock();
            hashes.iter().filter_map(|hash| pool.get(*hash).cloned()).collect()
        };
        let mut by_hash: std::collections::HashMap<B256, Bytes> =
            known.iter().map(|it| (it.hash(), it.raw().clone())).collect();
        fill(&mut raw, hashes, &mut by_hash);
        self.fetch_missing(proposal, &mut raw).await?;
        let transactions: Option<Vec<Bytes>> = raw.into_iter().collect();
        let transactions = transactions.ok_or(Verdict::Unavailable)?;
        let block = Arc::new(Block::new(proposal.header.clone(), transactions));
        if !block.is_body_bound() {
            return Err(Verdict::Mismatched { body_hash: proposal.propose.statement.body_hash });
        }
        Ok((block, known))
    }

    async fn fetch_missing(&self, proposal: &Proposal, raw: &mut [Option<Bytes>]) -> Result<(), Verdict> {
        let hashes = &proposal.transaction_hashes;
        let missing: Vec<B256> =
            hashes.iter().zip(&*raw).filter(|(_, raw)| raw.is_none()).map(|(hash, _)| *hash).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let request = Request::Transactions(missing);
        let take = |answer| {
            if let Some(Response::Transactions(found)) = answer {
                let mut by_hash = found.into_iter().map(|raw| (keccak256(&raw), raw)).collect();
                fill(raw, hashes, &mut by_hash);
            }
            raw.iter().all(Option::is_some)
        };
        let order = self.ask_order(&[proposal.propose.signer]);
        let complete = ask_in_turn(order, |peer| self.ask(peer, &request), take).await;
        if complete { Ok(()) } else { Err(Verdict::Unavailable) }
    }

    /// What a peer answers; one that fails is passed over, and the log says why.
    async fn ask(&self, peer: NodeId, request: &Request) -> Option<Response> {
        let answer = self.network.request(peer, request).await;
        answer.inspect_err(|error| tracing::debug!(%peer, %error, "a peer has no part of a block")).ok()
    }

    /// First those who must have it, then everyone else, each [`ROUNDS`] times.
    fn ask_order(&self, first: &[NodeId]) -> Vec<NodeId> {
        let connected: Vec<NodeId> = self.network.peers().iter().map(|peer| peer.id).collect();
        let mut order: Vec<NodeId> = first.iter().filter(|id| connected.contains(id)).copied().collect();
        order.extend(connected.iter().filter(|id| !first.contains(id)));
        let once = order.len();
        order.iter().cycle().take(once * ROUNDS).copied().collect()
    }

    /// Whether a transaction is executable at the head.
    pub(crate) fn has_work(&self) -> bool {
        self.pool.lock().has_work()
    }

    /// Offers what waits here to everyone: a transaction that no other pool has must still get into a block (faults.md,
    /// lone-transaction).
    pub(crate) fn share_work(&self) {
        let waiting = self.pool.lock().to_offer(MAX_OFFERED, 0, clock::now_ms());
        self.sharing.offer(waiting);
    }
}

/// What a header says that executing its block comes to.
pub(crate) fn roots_in(header: &Header) -> Roots {
    Roots { state: header.state_root, receipts: header.receipts_root }
}

/// Answers the replica; what is not to be had is said after a pause, since it is asked for again at once.
fn answer(
    runtime: &tokio::runtime::Handle,
    answers: mpsc::Sender<Event>,
    block_hash: B256,
    verdict: Verdict,
) {
    runtime.spawn(async move {
        if matches!(verdict, Verdict::Unavailable) {
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        // The driver ends with the node.
        let _ = answers.send(Event::Input(Input::Checked { block_hash, verdict })).await;
    });
}

fn fill(raw: &mut [Option<Bytes>], hashes: &[B256], found: &mut std::collections::HashMap<B256, Bytes>) {
    for (slot, hash) in raw.iter_mut().zip(hashes).filter(|(slot, _)| slot.is_none()) {
        *slot = found.remove(hash);
    }
}
