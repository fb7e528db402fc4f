//! Transactions in streams of batches, for high rates. A batch is read when the one before is answered, so a client goes as fast as the
//! ingress does, and HTTP/2 holds back the rest.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::Mutex;
use quorate_storage::StoredBlock;
use quorate_types::{B256, keccak256};
use tokio::{
    sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore, oneshot},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::{
    Api, messages,
    messages::octets,
    status::late,
    stream::{Answers, Sink, answers},
    transactions::MAX_WAIT,
    v1::{self, submit_response::Outcome},
};
use crate::{Submission, convert, error::RpcError, feed::Feed, turns::Weight};

/// Transactions of one stream that wait for their receipts.
const MAX_AWAITED: usize = 8192;

type Batches = Streaming<v1::SubmitRequest>;

/// Each transaction is taken or refused.
pub(super) fn admissions(api: &Api, mut batches: Batches) -> Result<Answers<v1::SubmitResponse>, RpcError> {
    let (place, api) = (api.place()?, api.clone());
    Ok(answers(place, async move |sink| {
        let mut first = 0;
        while let Some(batch) = api.next_batch(&mut batches).await? {
            let count = batch.len() as u64;
            let outcomes = api.admit(batch).await?;
            for (index, outcome) in (first..).zip(outcomes) {
                push(&sink, index, admitted(outcome)).await?;
            }
            first += count;
        }
        Ok(())
    }))
}

/// The same, and the receipts of those that were taken follow.
pub(super) fn receipts(api: &Api, batches: Batches) -> Result<Answers<v1::SubmitResponse>, RpcError> {
    let place = api.place()?;
    // From before the first is sent, so that no block of theirs is missed.
    let feed = Feed::live(&api.backend, &api.turns);
    let following = Following {
        api: api.clone(),
        awaited: Arc::default(),
        room: Arc::new(Semaphore::new(MAX_AWAITED)),
        order: AsyncMutex::new(()),
        all_sent: CancellationToken::new(),
    };
    Ok(answers(place, async move |sink| {
        tokio::try_join!(following.send(&sink, batches), following.follow(&sink, feed))?;
        Ok(())
    }))
}

fn admitted(outcome: Result<B256, String>) -> Outcome {
    match outcome {
        Ok(hash) => Outcome::Hash(octets(hash)),
        Err(reason) => Outcome::Refused(reason),
    }
}

async fn push(sink: &Sink<v1::SubmitResponse>, index: u64, outcome: Outcome) -> Result<(), Status> {
    sink.push(v1::SubmitResponse { index, outcome: Some(outcome) }).await
}

impl Api {
    /// The transactions that a client sends next; `None` when it has sent all.
    async fn next_batch(&self, batches: &mut Batches) -> Result<Option<Vec<Bytes>>, Status> {
        let Some(batch) = batches.message().await? else { return Ok(None) };
        let (count, most) = (batch.transactions.len(), self.max_batch());
        if count > most {
            let what = format!("{count} transactions in one batch, {most} are allowed");
            return Err(RpcError::InvalidParams(what).into());
        }
        Ok(Some(batch.transactions))
    }

    /// Hands in a batch, and waits until each of it is taken or refused.
    async fn admit(&self, batch: Vec<Bytes>) -> Result<Vec<Result<B256, String>>, RpcError> {
        let stopping = |_| RpcError::Stopping;
        let _room = self.rooms.room_in_time(batch.iter().map(Bytes::len).sum()).await?;
        let count = u32::try_from(batch.len()).unwrap_or(u32::MAX);
        let _window = self.window.acquire_many(count).await.map_err(|_| RpcError::Stopping)?;
        let mut waiting = Vec::with_capacity(batch.len());
        for raw in batch {
            let (reply, answer) = oneshot::channel();
            let submission = Submission { raw: raw.into(), reply };
            self.backend.submissions.send(submission).await.map_err(|_| RpcError::Stopping)?;
            waiting.push(answer);
        }
        let mut outcomes = Vec::with_capacity(waiting.len());
        for answer in waiting {
            outcomes.push(answer.await.map_err(stopping)?);
        }
        Ok(outcomes)
    }
}

/// A transaction that a receipt is waited for: its place in the stream, and the room that it takes up.
type Awaited = (u64, OwnedSemaphorePermit);

/// A stream whose receipts are waited for.
struct Following {
    api: Api,
    awaited: Arc<Mutex<HashMap<B256, Awaited>>>,
    /// For what is awaited.
    room: Arc<Semaphore>,
    /// Held while a batch is answered: the receipt of a transaction comes after the news that it was taken.
    order: AsyncMutex<()>,
    all_sent: CancellationToken,
}

impl Following {
    async fn send(&self, sink: &Sink<v1::SubmitResponse>, mut batches: Batches) -> Result<(), Status> {
        let mut first = 0;
        while let Some(batch) = self.api.next_batch(&mut batches).await? {
            let count = batch.len();
            let units = u32::try_from(count).unwrap_or(u32::MAX);
            let room = timeout(MAX_WAIT, self.room.clone().acquire_many_owned(units)).await;
            let mut room =
                room.map_err(|_| self.waited_in_vain())?.map_err(|_| Status::from(RpcError::Stopping))?;
            let _order = self.order.lock().await;
            let (mut fresh, mut outcomes) = (Vec::with_capacity(count), Vec::with_capacity(count));
            for (index, raw) in (first..).zip(batch) {
                let hash = keccak256(&raw);
                // Before it is sent, since a block may have it at once.
                match self.awaited.lock().entry(hash) {
                    Entry::Vacant(entry) => entry.insert((index, one_of(&mut room)?)),
                    Entry::Occupied(_) => {
                        outcomes.push((index, hash, Err("already known".to_owned())));
                        continue;
                    }
                };
                fresh.push((index, hash, raw));
            }
            let sent = self.api.admit(fresh.iter().map(|(_, _, raw)| raw.clone()).collect()).await?;
            outcomes.extend(fresh.into_iter().zip(sent).map(|((index, hash, _), it)| (index, hash, it)));
            outcomes.sort_unstable_by_key(|(index, ..)| *index);
            for (index, hash, outcome) in outcomes {
                self.tell(sink, index, hash, outcome).await?;
            }
            first += count as u64;
        }
        self.all_sent.cancel();
        Ok(())
    }

    /// Tells whether a transaction was taken. One that was refused because a block has it already gets its receipt instead.
    async fn tell(
        &self,
        sink: &Sink<v1::SubmitResponse>,
        index: u64,
        hash: B256,
        outcome: Result<B256, String>,
    ) -> Result<(), Status> {
        if outcome.is_err() {
            let mut awaited = self.awaited.lock();
            match awaited.get(&hash) {
                Some((own, _)) if *own == index => drop(awaited.remove(&hash)),
                // It came twice in this stream.
                Some(_) => (),
                None => return Ok(()),
            }
        }
        push(sink, index, admitted(outcome)).await
    }

    async fn follow(&self, sink: &Sink<v1::SubmitResponse>, mut feed: Feed) -> Result<(), Status> {
        let mut last = Instant::now();
        loop {
            let all_sent = self.all_sent.is_cancelled();
            if all_sent && self.awaited.lock().is_empty() {
                return Ok(());
            }
            let block = tokio::select! {
                block = feed.block() => block?,
                () = self.all_sent.cancelled(), if !all_sent => {
                    last = Instant::now();
                    continue;
                }
                () = tokio::time::sleep_until(last + MAX_WAIT), if all_sent => {
                    return Err(self.waited_in_vain());
                }
            };
            let found = self.receipts_in(block).await?;
            if found.is_empty() {
                continue;
            }
            last = Instant::now();
            let _order = self.order.lock().await;
            for (index, receipt) in found {
                push(sink, index, Outcome::Receipt(receipt)).await?;
            }
        }
    }

    /// What of a block was waited for.
    async fn receipts_in(&self, block: Arc<StoredBlock>) -> Result<Vec<(u64, v1::Receipt)>, RpcError> {
        if self.awaited.lock().is_empty() {
            return Ok(Vec::new());
        }
        let (awaited, chain_id) = (self.awaited.clone(), self.api.backend.chain.chain_id);
        let find = move || {
            let hashes = block.block.transaction_hashes();
            let own: Vec<_> = {
                let mut awaited = awaited.lock();
                let own = hashes.iter().enumerate();
                own.filter_map(|(place, hash)| Some((place, awaited.remove(hash)?.0))).collect()
            };
            if own.is_empty() {
                return Ok(Vec::new());
            }
            let mut receipts: Vec<_> = convert::receipts(&block, chain_id)?.into_iter().map(Some).collect();
            let receipt =
                |(place, index): (usize, u64)| Some((index, messages::receipt(receipts[place].take()?)));
            Ok(own.into_iter().filter_map(receipt).collect())
        };
        self.api.turns.run_patiently(Weight::Read, find).await
    }

    fn waited_in_vain(&self) -> Status {
        let (count, seconds) = (self.awaited.lock().len(), MAX_WAIT.as_secs());
        late(format!(
            "{count} transactions are in the pool, and none of them came into a block for {seconds} s"
        ))
    }
}

fn one_of(room: &mut OwnedSemaphorePermit) -> Result<OwnedSemaphorePermit, RpcError> {
    room.split(1).ok_or_else(|| RpcError::Internal("room for a transaction is missing".to_owned()))
}
