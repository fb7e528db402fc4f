//! Dialing what is due.

use std::net::SocketAddr;

use libp2p::swarm::dial_opts::DialOpts;
use quorate_types::NodeId;

use super::{redial::Due, task::NetworkTask};
use crate::{address::multiaddr, identity::peer_id, transport::in_words};

impl NetworkTask {
    pub(super) fn on_due(&mut self, due: Due) {
        let Due { index, addresses } = due;
        let expected = self.redials.expected(index);
        if let Some(node) = expected.filter(|node| self.is_linked(*node)) {
            // The peer was faster.
            return self.redials.linked(index, node);
        }
        match addresses {
            Ok(addresses) => self.dial(index, addresses),
            Err(error) => self.dial_failed(index, &format!("its name cannot be resolved: {error}")),
        }
    }

    fn is_linked(&self, node: NodeId) -> bool {
        peer_id(&node).is_some_and(|peer| self.sessions.contains_key(&peer))
    }

    /// Dials from a port of its own: from the listening port, a dial in each direction would be one
    /// and the same TCP connection.
    fn dial(&mut self, index: usize, addresses: Vec<SocketAddr>) {
        let configured = self.redials.address(index).node.and_then(|node| peer_id(&node));
        let options = match configured {
            Some(peer) => DialOpts::peer_id(peer)
                .addresses(addresses.into_iter().map(multiaddr).collect())
                .allocate_new_port()
                .build(),
            None => {
                let turn = self.redials.turn(index) % addresses.len();
                DialOpts::unknown_peer_id().address(multiaddr(addresses[turn])).allocate_new_port().build()
            }
        };
        let connection = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => self.redials.dialing(index, connection),
            Err(error) => self.dial_failed(index, &in_words(&error).0),
        }
    }

    fn dial_failed(&mut self, index: usize, reason: &str) {
        if self.redials.failed(index, reason) {
            let address = self.redials.address(index);
            tracing::info!(%address, %reason, "cannot dial a peer; trying again");
        }
    }
}
