//! Requests and answers: whoever has not greeted gets nothing, whoever comes too fast is told so.

use bytes::Bytes;
use libp2p::{
    PeerId,
    request_response::{self, Message, ResponseChannel},
};
use quorate_proto::Request;
use quorate_types::NodeId;
use tokio::{runtime::Handle, sync::oneshot};

use super::{
    session::Session,
    task::{Asked, NetworkTask},
};
use crate::{
    NetworkEvent, RequestError,
    events::{Responder, Served},
    identity::peer_id,
    limits::MAX_REQUESTS_PER_PEER,
    requests::Answer,
};

type FetchEvent = request_response::Event<Bytes, Answer>;

impl NetworkTask {
    /// The session of a peer that has greeted.
    fn greeted(&self, peer: &PeerId) -> Option<&Session> {
        self.sessions.get(peer).filter(|session| session.is_greeted())
    }

    /// Sends a request, if its peer has greeted and not too many are open.
    pub(super) fn ask(
        &mut self,
        to: NodeId,
        request: Bytes,
        reply: oneshot::Sender<Result<Bytes, RequestError>>,
    ) {
        let Some(peer) = peer_id(&to).filter(|peer| self.greeted(peer).is_some()) else {
            let _ = reply.send(Err(RequestError::NotConnected(to)));
            return;
        };
        let open = self.asked.values().filter(|asked| asked.peer == to).count();
        if open >= MAX_REQUESTS_PER_PEER {
            let _ = reply.send(Err(RequestError::Busy { peer: to, open }));
            return;
        }
        let id = self.swarm.behaviour_mut().requests.send_request(&peer, request);
        self.asked.insert(id, Asked { peer: to, reply });
    }

    pub(super) fn on_fetch(&mut self, event: FetchEvent) {
        match event {
            request_response::Event::Message { peer, message, .. } => match message {
                Message::Request { request, channel, .. } => self.serve(&peer, request, channel),
                Message::Response { request_id, response } => {
                    if let Some(Asked { peer, reply }) = self.asked.remove(&request_id) {
                        let refused = |reason| RequestError::Refused { peer, reason };
                        let _ = reply.send(response.map_err(refused));
                    }
                }
            },
            request_response::Event::OutboundFailure { request_id, error, .. } => {
                if let Some(Asked { peer, reply }) = self.asked.remove(&request_id) {
                    let _ = reply.send(Err(RequestError::Lost { peer, reason: error.to_string() }));
                }
            }
            request_response::Event::InboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "a request was not answered");
            }
            request_response::Event::ResponseSent { .. } => {}
        }
    }

    /// Hands a request to the node, or says why not.
    fn serve(&mut self, peer: &PeerId, request: Bytes, channel: ResponseChannel<Answer>) {
        if let Err((channel, reason)) = self.offer_request(peer, request, channel) {
            // Fails only when the peer is gone.
            let _ = self.swarm.behaviour_mut().requests.send_response(channel, Err(reason));
        }
    }

    fn offer_request(
        &self,
        peer: &PeerId,
        request: Bytes,
        channel: ResponseChannel<Answer>,
    ) -> Result<(), (ResponseChannel<Answer>, String)> {
        let Some(session) = self.greeted(peer) else {
            return Err((channel, "greet first".into()));
        };
        if !session.traffic.may_ask() {
            return Err((channel, "too many requests a second".into()));
        }
        let request = match Request::decode(request) {
            Ok(request) => request,
            Err(error) => return Err((channel, format!("the request is invalid: {error}"))),
        };
        let lanes = &self.lanes;
        let places =
            if session.traffic.is_validator() { &lanes.served_places } else { &lanes.guests_served_places };
        let Ok(place) = places.clone().try_acquire_owned() else {
            return Err((channel, "too many requests of peers are open".into()));
        };
        let respond = Responder {
            channel,
            answers: self.lanes.answers.clone(),
            traffic: session.traffic.clone(),
            runtime: Handle::current(),
            place,
        };
        // There is room for as many as there are places. Should the node be gone, so is the answer.
        let _ = self.lanes.requests.try_send(NetworkEvent::Request { from: session.node, request, respond });
        Ok(())
    }

    pub(super) fn on_served(&mut self, served: Served) {
        // Fails only when the peer is gone or waits no more.
        let _ = self.swarm.behaviour_mut().requests.send_response(served.channel, served.answer);
    }
}
