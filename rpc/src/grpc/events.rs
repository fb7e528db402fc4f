//! `EventService`: subscriptions, and what they are made of, over gRPC.

use std::sync::Arc;

use quorate_types::Height;
use tokio::sync::broadcast::error::RecvError;
use tonic::{Request, Response, Status, async_trait};

use super::{
    Api, fields, messages,
    messages::octets,
    stream::{Answers, Sink, answers},
    v1::{self, event_service_server::EventService},
};
use crate::{convert, criteria::to_filter, cursor::Cursor, error::RpcError, feed::Feed};

#[async_trait]
impl EventService for Api {
    type FollowHeadersStream = Answers<v1::Header>;
    type FollowLogsStream = Answers<v1::LogEvent>;
    type FollowPoolStream = Answers<v1::PooledTransaction>;

    async fn follow_headers(
        &self,
        request: Request<v1::FollowHeadersRequest>,
    ) -> Result<Response<Self::FollowHeadersStream>, Status> {
        let mut feed = match request.into_inner().from_height {
            Some(from) => Feed::from(&self.backend, &self.turns, Height(from)),
            None => Feed::live(&self.backend, &self.turns),
        };
        Ok(Response::new(answers(self.place()?, async move |sink: Sink<v1::Header>| {
            loop {
                let (header, hash) = feed.header().await?;
                sink.push(messages::header(&header, hash)).await?;
            }
        })))
    }

    async fn follow_logs(
        &self,
        request: Request<v1::FollowLogsRequest>,
    ) -> Result<Response<Self::FollowLogsStream>, Status> {
        let v1::FollowLogsRequest { filter, from_height, cursor } = request.into_inner();
        let asked = fields::filter(filter)?;
        let room = self.criteria.room_for(&asked)?;
        let start = match (cursor.as_ref(), from_height) {
            ([], None) => Cursor::at(self.backend.store.head().height.next()),
            ([], Some(from)) => Cursor::at(Height(from)),
            (cursor, _) => Cursor::read(cursor)?,
        };
        // Over the whole chain: the feed says from where.
        let filter = Arc::new(to_filter(&asked, Height::ZERO, Height(u64::MAX)));
        let mut feed = Feed::from(&self.backend, &self.turns, start.height());
        let limits = self.limits;
        Ok(Response::new(answers(self.place()?, async move |sink: Sink<v1::LogEvent>| {
            let _room = room;
            loop {
                let found = feed.logs(&filter, limits).await?;
                for log in found.into_iter().filter(|log| start.precedes(log)) {
                    let cursor = Cursor::behind(&log).encode().0;
                    let log = Some(messages::log(convert::found_log(log)));
                    sink.push(v1::LogEvent { log, cursor }).await?;
                }
            }
        })))
    }

    async fn follow_pool(
        &self,
        _: Request<v1::FollowPoolRequest>,
    ) -> Result<Response<Self::FollowPoolStream>, Status> {
        let mut admitted = self.backend.admitted.subscribe();
        Ok(Response::new(answers(self.place()?, async move |sink: Sink<v1::PooledTransaction>| {
            loop {
                let hash = admitted.recv().await.map_err(|error| match error {
                    RecvError::Closed => RpcError::Stopping,
                    RecvError::Lagged(missed) => {
                        RpcError::Limit(format!("too slow: {missed} transactions were missed; follow again"))
                    }
                })?;
                sink.push(v1::PooledTransaction { hash: octets(hash) }).await?;
            }
        })))
    }
}
