//! Errors in geth's words: clients match on them, and test suites hold that `-32602` carries no data. And batches within a
//! time, as the framework knows none.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use jsonrpsee::{
    BatchResponseBuilder, MethodResponse,
    core::middleware::{Batch, BatchEntry, Notification, RpcServiceT},
    types::{ErrorObject, Request, Response, ResponsePayload, error::ErrorCode},
};
use serde_json::Value;
use tower::Layer;

use crate::arity::Arities;

/// geth's code for what a batch has no time left for.
const TIMED_OUT: i32 = -32002;

/// Puts a [`Wording`] around a service.
#[derive(Clone, Debug)]
pub(crate) struct WordingLayer {
    /// How many parameters each method takes.
    pub(crate) arities: Arc<Arities>,
    /// The most bytes of all answers to one batch.
    pub(crate) max_response_bytes: u32,
    /// After so long the rest of a batch is refused.
    pub(crate) max_batch_time: Duration,
}

impl<S> Layer<S> for WordingLayer {
    type Service = Wording<S>;

    fn layer(&self, inner: S) -> Wording<S> {
        let max_response_bytes = usize::try_from(self.max_response_bytes).unwrap_or(usize::MAX);
        Wording {
            inner,
            arities: self.arities.clone(),
            max_response_bytes,
            max_batch_time: self.max_batch_time,
        }
    }
}

/// The service that runs the methods, with its refusals reworded.
#[derive(Clone, Debug)]
pub(crate) struct Wording<S> {
    inner: S,
    arities: Arc<Arities>,
    max_response_bytes: usize,
    max_batch_time: Duration,
}

/// What stands in a refusal by the framework is put as geth puts it; everything else is passed on untouched.
fn reworded(response: MethodResponse, method: &str) -> MethodResponse {
    if response.as_error_code().is_none_or(|code| !REWORDED.iter().any(|it| it.code() == code)) {
        return response;
    }
    let Ok(read) = serde_json::from_str::<Response<'_, Value>>(response.as_json().get()) else {
        return response;
    };
    let ResponsePayload::Error(error) = &read.payload else { return response };
    match in_geths_words(error, method) {
        Some((code, message)) => {
            MethodResponse::error(read.id, ErrorObject::owned(code.code(), message, None::<()>))
        }
        None => response,
    }
}

/// What the framework refuses with.
const REWORDED: [ErrorCode; 3] =
    [ErrorCode::MethodNotFound, ErrorCode::InvalidParams, ErrorCode::InternalError];

fn in_geths_words(error: &ErrorObject<'_>, method: &str) -> Option<(ErrorCode, String)> {
    let unknown = ErrorCode::MethodNotFound;
    // Methods of ours refuse with these codes as well, in words that geth has.
    if error.message() == unknown.message() {
        return Some((unknown, format!("the method {method} does not exist/is not available")));
    }
    if error.code() == ErrorCode::InternalError.code() {
        // Over HTTP there is nowhere to send them.
        return method.ends_with("subscribe").then(|| (unknown, "notifications not supported".to_owned()));
    }
    let reason: String = serde_json::from_str(error.data()?.get()).ok()?;
    // Where in a text that the client never saw as such.
    let what = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(what, _)| what);
    Some((ErrorCode::InvalidParams, format!("invalid argument: {what}")))
}

impl<S> RpcServiceT for Wording<S>
where
    S: RpcServiceT<
            MethodResponse = MethodResponse,
            NotificationResponse = MethodResponse,
            BatchResponse = MethodResponse,
        > + Clone
        + Send
        + Sync
        + 'static,
{
    type MethodResponse = MethodResponse;
    type NotificationResponse = MethodResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let inner = self.inner.clone();
        let refused = self.arities.check(&request.method, request.params.as_deref()).err();
        async move {
            if let Some(refused) = refused {
                return MethodResponse::error(request.id, ErrorObject::from(refused));
            }
            let method = request.method.clone();
            reworded(inner.call(request).await, &method)
        }
    }

    /// The calls one after the other, each as if it came alone: the service below would not pass them through here.
    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let (this, mut answers) =
            (self.clone(), BatchResponseBuilder::new_with_limit(self.max_response_bytes));
        let deadline = Instant::now() + self.max_batch_time;
        async move {
            let mut notified = false;
            for entry in batch {
                let answer = match entry {
                    Ok(BatchEntry::Call(request)) if Instant::now() > deadline => MethodResponse::error(
                        request.id,
                        ErrorObject::borrowed(TIMED_OUT, "request timed out", None),
                    ),
                    Ok(BatchEntry::Call(request)) => this.call(request).await,
                    Ok(BatchEntry::Notification(notification)) => {
                        notified = true;
                        this.notification(notification).await;
                        continue;
                    }
                    Err(malformed) => {
                        let (error, id) = malformed.into_parts();
                        MethodResponse::error(id, error)
                    }
                };
                if let Err(too_large) = answers.append(answer) {
                    return too_large;
                }
            }
            if answers.is_empty() && notified {
                return MethodResponse::notification();
            }
            MethodResponse::from_batch(answers.finish())
        }
    }

    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = MethodResponse> + Send + 'a {
        self.inner.notification(notification)
    }
}

#[cfg(test)]
mod tests {
    use jsonrpsee::{
        ResponsePayload as Payload,
        types::{Id, Request},
    };

    use super::*;
    use crate::methods::description;

    /// Takes its time for each call.
    #[derive(Clone)]
    struct Slow(Duration);

    impl RpcServiceT for Slow {
        type MethodResponse = MethodResponse;
        type NotificationResponse = MethodResponse;
        type BatchResponse = MethodResponse;

        fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
            let time = self.0;
            async move {
                tokio::time::sleep(time).await;
                MethodResponse::response(request.id, Payload::success("done"), usize::MAX)
            }
        }

        fn batch<'a>(&self, _: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
            std::future::ready(MethodResponse::notification())
        }

        fn notification<'a>(&self, _: Notification<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
            std::future::ready(MethodResponse::notification())
        }
    }

    /// Given a batch that takes longer than one may, then what was done is answered and the rest is refused, each by its id.
    #[tokio::test]
    async fn the_rest_of_a_long_batch_is_refused() {
        let max_batch_time = Duration::from_millis(30);
        let arities = Arc::new(Arities::of(&description(None)));
        let layer = WordingLayer { arities, max_response_bytes: 1 << 20, max_batch_time };
        let service = layer.layer(Slow(2 * max_batch_time));
        let mut batch = Batch::new();
        for id in 1..=3 {
            batch.push(Request::owned("eth_chainId".to_owned(), None, Id::Number(id)));
        }
        let answers: Value =
            serde_json::from_str(service.batch(batch).await.as_json().get()).expect("a batch of answers");
        assert_eq!((&answers[0]["id"], &answers[0]["result"]), (&Value::from(1), &Value::from("done")));
        for (place, id) in [(1, 2), (2, 3)] {
            let error = &answers[place]["error"];
            assert_eq!((&answers[place]["id"], &error["code"]), (&Value::from(id), &Value::from(TIMED_OUT)));
            assert_eq!(error["message"], "request timed out");
        }
    }
}
