//! What takes long, few at a time: the cores are consensus's first, and the threads that wait for disks are the network's too.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::RpcError;

/// Calls, estimates and searches at a time. More would only share the cores.
const MAX_CALLS: usize = 8;
/// Reads of single blocks and transactions at a time. They are short, and must not stand behind long calls.
const MAX_READS: usize = 16;
/// At a time of what fills memory: traces, and proofs of slots.
const MAX_LARGE: usize = 2;

/// How long a piece of work takes, and how much it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Milliseconds: a few rows of the database.
    Read,
    /// Seconds.
    Call,
    /// Seconds, and much memory.
    Large,
}

/// The places of all clients together.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    reads: Arc<Semaphore>,
    calls: Arc<Semaphore>,
    large: Arc<Semaphore>,
    patience: Duration,
}

impl Turns {
    /// Who asks for a place waits at most `patience`.
    pub(crate) fn new(patience: Duration) -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        Self { reads: places(MAX_READS), calls: places(MAX_CALLS), large: places(MAX_LARGE), patience }
    }

    /// Runs `work` beside the async threads when it is its turn. A panic in it is this call's error alone.
    ///
    /// # Errors
    /// [`RpcError::Limit`] when its turn does not come in time; and those of `work`.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        weight: Weight,
        work: impl FnOnce() -> Result<T, RpcError> + Send + 'static,
    ) -> Result<T, RpcError> {
        let places = tokio::time::timeout(self.patience, self.places(weight)).await;
        let busy = |_| RpcError::Limit("the node is busy with other calls: try again".to_owned());
        run(places.map_err(busy)??, work).await
    }

    /// The same for who has nobody waiting for an answer, and so waits for its turn as long as it takes.
    ///
    /// # Errors
    /// Those of `work`.
    pub(crate) async fn run_patiently<T: Send + 'static>(
        &self,
        weight: Weight,
        work: impl FnOnce() -> Result<T, RpcError> + Send + 'static,
    ) -> Result<T, RpcError> {
        run(self.places(weight).await?, work).await
    }

    async fn places(&self, weight: Weight) -> Result<Vec<OwnedSemaphorePermit>, RpcError> {
        let wanted = match weight {
            Weight::Read => vec![&self.reads],
            Weight::Call => vec![&self.calls],
            // First the rarer one: who waits for it takes nothing from calls.
            Weight::Large => vec![&self.large, &self.calls],
        };
        let mut places = Vec::with_capacity(wanted.len());
        for semaphore in wanted {
            places.push(semaphore.clone().acquire_owned().await.map_err(|error| failed(&error))?);
        }
        Ok(places)
    }
}

async fn run<T: Send + 'static>(
    places: Vec<OwnedSemaphorePermit>,
    work: impl FnOnce() -> Result<T, RpcError> + Send + 'static,
) -> Result<T, RpcError> {
    let done = tokio::task::spawn_blocking(move || {
        let _places = places;
        work()
    });
    done.await.map_err(|error| failed(&error))?
}

fn failed(error: &dyn std::fmt::Display) -> RpcError {
    RpcError::Internal(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Work that takes its place until it is told to end, and has begun when this returns.
    async fn occupy(turns: &Turns, weight: Weight) -> mpsc::Sender<()> {
        let (end, ended) = mpsc::channel::<()>();
        let (begin, begun) = tokio::sync::oneshot::channel();
        let turns = turns.clone();
        tokio::spawn(async move {
            let work = move || {
                begin.send(()).expect("it is waited for");
                // Ends with its sender as well.
                let _ = ended.recv();
                Ok(())
            };
            turns.run(weight, work).await.expect("it works");
        });
        begun.await.expect("it begins");
        end
    }

    /// Given all places taken, when one more call comes, then it is refused after its time, reads go on, and the next call is served
    /// when a place is free.
    #[tokio::test]
    async fn who_waits_too_long_for_a_turn_is_refused() {
        let turns = Turns::new(Duration::from_millis(50));
        let mut busy = Vec::new();
        for _ in 0..MAX_CALLS {
            busy.push(occupy(&turns, Weight::Call).await);
        }
        let refused = turns.run(Weight::Call, || Ok(())).await;
        assert!(matches!(refused, Err(RpcError::Limit(_))), "{refused:?}");
        assert_eq!(turns.run(Weight::Read, || Ok(1)).await.expect("a read has its own places"), 1);
        let patient = tokio::spawn({
            let turns = turns.clone();
            async move { turns.run_patiently(Weight::Call, || Ok(2)).await }
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!patient.is_finished(), "it waits on");
        busy.pop();
        assert_eq!(patient.await.expect("no panic").expect("it works"), 2);
    }

    /// Given two that fill memory, then a third waits while a call does not.
    #[tokio::test]
    async fn what_fills_memory_runs_two_at_a_time() {
        let turns = Turns::new(Duration::from_millis(50));
        let busy = [occupy(&turns, Weight::Large).await, occupy(&turns, Weight::Large).await];
        let refused = turns.run(Weight::Large, || Ok(())).await;
        assert!(matches!(refused, Err(RpcError::Limit(_))), "{refused:?}");
        turns.run(Weight::Call, || Ok(())).await.expect("there are other places");
        drop(busy);
    }
}
