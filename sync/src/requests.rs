//! What was asked for and not yet answered.

use std::collections::BTreeMap;

use quorate_types::{Height, NodeId};

use crate::RequestId;

/// Requests at one time: enough to keep several peers and their links busy, few enough for their answers to
/// fit into memory.
pub const MAX_IN_FLIGHT: usize = 8;

/// A range asked of one peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) peer: NodeId,
    pub(crate) from: Height,
    pub(crate) count: u32,
}

impl Request {
    /// The last height asked for.
    const fn last(&self) -> Height {
        Height(self.from.0.saturating_add(self.count as u64 - 1))
    }
}

/// The open requests; no two of them share a height.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    open: BTreeMap<RequestId, Request>,
    next: RequestId,
}

impl Requests {
    pub(crate) fn open(&mut self, request: Request) -> RequestId {
        let id = self.next;
        self.next = RequestId(id.0 + 1);
        self.open.insert(id, request);
        id
    }

    /// Closes a request, if `peer` is who was asked. What answers no open request counts for nothing: it was
    /// never asked for, or came too late and the range is somebody else's now.
    pub(crate) fn close(&mut self, id: RequestId, peer: NodeId) -> Option<Request> {
        self.open.get(&id).filter(|request| request.peer == peer)?;
        self.open.remove(&id)
    }

    pub(crate) fn get(&self, id: RequestId) -> Option<&Request> {
        self.open.get(&id)
    }

    /// Closes all that `peer` was asked.
    pub(crate) fn close_all_of(&mut self, peer: &NodeId) -> Vec<RequestId> {
        self.extract(|request| request.peer == *peer)
    }

    pub(crate) fn close_all(&mut self) -> Vec<RequestId> {
        self.extract(|_| true)
    }

    fn extract(&mut self, which: impl Fn(&Request) -> bool) -> Vec<RequestId> {
        let ids: Vec<_> = self.open.iter().filter(|(_, request)| which(request)).map(|(id, _)| *id).collect();
        for id in &ids {
            self.open.remove(id);
        }
        ids
    }

    /// The last height of the request that covers `height`.
    pub(crate) fn covering(&self, height: Height) -> Option<Height> {
        self.open.values().find(|it| it.from <= height && height <= it.last()).map(Request::last)
    }

    /// The lowest height above `height` where a request begins.
    pub(crate) fn first_above(&self, height: Height) -> Option<Height> {
        self.open.values().map(|it| it.from).filter(|from| *from > height).min()
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.open.len() >= MAX_IN_FLIGHT
    }
}
