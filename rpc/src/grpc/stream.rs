//! Answers of many messages. Who does not read is cut off; who is only slow is waited for.

use std::{future::Future, pin::Pin, time::Duration};

use futures::{Stream, StreamExt as _, future, stream};
use tokio::sync::{OwnedSemaphorePermit, mpsc, mpsc::error::SendTimeoutError, oneshot};
use tonic::Status;

use crate::error::RpcError;

/// A client that takes nothing for so long is cut off.
const MAX_STALL: Duration = Duration::from_secs(30);
/// Messages that wait for one client to read, beside what HTTP/2 buffers.
const MAX_WAITING: usize = 16;

/// Messages, and at the end a status when it is a bad one.
pub(super) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Where messages go in.
pub(super) struct Sink<T> {
    sender: mpsc::Sender<T>,
    max_stall: Duration,
}

impl<T> Sink<T> {
    /// Hands the client one message, and waits for a slow one only so long.
    ///
    /// # Errors
    /// When it reads nothing, or has gone.
    pub(super) async fn push(&self, message: T) -> Result<(), Status> {
        self.sender.send_timeout(message, self.max_stall).await.map_err(|error| match error {
            SendTimeoutError::Timeout(_) => {
                let what = format!("cut off: nothing was read for {} s", self.max_stall.as_secs());
                RpcError::Limit(what).into()
            }
            SendTimeoutError::Closed(_) => Status::cancelled("the client has gone"),
        })
    }
}

/// What `work` puts in, until it ends or the client has gone. `place` is free again then.
pub(super) fn answers<T, F>(place: OwnedSemaphorePermit, work: impl FnOnce(Sink<T>) -> F) -> Answers<T>
where
    T: Send + 'static,
    F: Future<Output = Result<(), Status>> + Send + 'static,
{
    answers_within(MAX_STALL, place, work)
}

fn answers_within<T, F>(
    max_stall: Duration,
    place: OwnedSemaphorePermit,
    work: impl FnOnce(Sink<T>) -> F,
) -> Answers<T>
where
    T: Send + 'static,
    F: Future<Output = Result<(), Status>> + Send + 'static,
{
    let (sender, mut receiver) = mpsc::channel(MAX_WAITING);
    let (end, ended) = oneshot::channel();
    let client = sender.clone();
    let work = work(Sink { sender, max_stall });
    tokio::spawn(async move {
        let result = tokio::select! {
            result = work => result,
            () = client.closed() => Ok(()),
        };
        drop(place);
        // The client may have gone.
        let _ = end.send(result);
    });
    let messages = stream::poll_fn(move |context| receiver.poll_recv(context)).map(Ok);
    let last = stream::once(async {
        ended.await.unwrap_or_else(|_| Err(RpcError::Internal("the stream broke".to_owned()).into()))
    });
    Box::pin(messages.chain(last.filter_map(|ended| future::ready(ended.err().map(Err)))))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;
    use tonic::Code;

    use super::*;

    fn counting(max_stall: Duration, places: &Arc<Semaphore>) -> Answers<u32> {
        let place = places.clone().try_acquire_owned().expect("a place");
        answers_within(max_stall, place, async |sink: Sink<u32>| {
            for number in 0.. {
                sink.push(number).await?;
            }
            Ok(())
        })
    }

    async fn wait_for_place(places: &Semaphore) {
        let free = tokio::time::timeout(Duration::from_secs(60), places.acquire());
        drop(free.await.expect("in time").expect("open"));
    }

    /// Given a client that reads nothing, when it comes back after too long, then it gets what waited for it and the reason why there
    /// is no more; and its place was free before.
    #[tokio::test]
    async fn who_reads_nothing_is_cut_off_with_a_reason() {
        let places = Arc::new(Semaphore::new(1));
        let stream = counting(Duration::from_millis(1), &places);
        wait_for_place(&places).await;
        let read: Vec<_> = stream.collect().await;
        let (last, waited) = read.split_last().expect("messages");
        assert_eq!(waited.len(), MAX_WAITING);
        let status = last.as_ref().expect_err("a status");
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.message().starts_with("cut off: nothing was read"), "{}", status.message());
    }

    /// Given a client that is slower than what it reads, then it misses nothing.
    #[tokio::test]
    async fn who_is_slow_is_waited_for() {
        let mut stream = counting(MAX_STALL, &Arc::new(Semaphore::new(1)));
        for expected in 0..40 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            assert_eq!(stream.next().await.expect("a message").expect("no end"), expected);
        }
    }

    /// Given a client that goes, then its place is free.
    #[tokio::test]
    async fn who_goes_leaves_its_place() {
        let places = Arc::new(Semaphore::new(1));
        drop(counting(MAX_STALL * 10, &places));
        wait_for_place(&places).await;
    }
}
