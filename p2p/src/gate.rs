//! The gate before the handshake: how often and how many at a time from one address.
//!
//! Without it, whoever can open TCP connections could keep the node busy with handshakes that all
//! fail. Dials of our own never pass it, so that a flooded node still reaches its peers.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    task::{Context, Poll},
};

use governor::{DefaultKeyedRateLimiter, Quota};
use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    multiaddr::Protocol,
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm, behaviour::ListenFailure, dummy,
    },
};

use crate::limits::{HANDSHAKE_BURST, HANDSHAKES_PER_SECOND, MAX_PENDING_PER_ADDRESS, MAX_TRACKED_ADDRESSES};

/// Counts handshakes by address.
pub(crate) struct Gate {
    rate: DefaultKeyedRateLimiter<IpAddr>,
    pending: HashMap<ConnectionId, IpAddr>,
}

/// Why a connection did not even get to its handshake.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Turned {
    #[error("{0} begins more than {HANDSHAKES_PER_SECOND} handshakes a second")]
    TooOften(IpAddr),
    #[error("{0} has {MAX_PENDING_PER_ADDRESS} handshakes under way")]
    TooMany(IpAddr),
}

impl Gate {
    pub(crate) fn new() -> Self {
        let rate = NonZeroU32::new(HANDSHAKES_PER_SECOND).unwrap_or(NonZeroU32::MIN);
        let burst = NonZeroU32::new(HANDSHAKE_BURST).unwrap_or(NonZeroU32::MIN);
        let rate = DefaultKeyedRateLimiter::keyed(Quota::per_second(rate).allow_burst(burst));
        Self { rate, pending: HashMap::new() }
    }

    fn admit(&mut self, connection: ConnectionId, address: IpAddr) -> Result<(), Turned> {
        if self.rate.len() > MAX_TRACKED_ADDRESSES {
            self.rate.retain_recent();
        }
        self.rate.check_key(&address).map_err(|_| Turned::TooOften(address))?;
        if self.pending.values().filter(|pending| **pending == address).count() >= MAX_PENDING_PER_ADDRESS {
            return Err(Turned::TooMany(address));
        }
        self.pending.insert(connection, address);
        Ok(())
    }
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        match origin(remote) {
            Some(address) => self.admit(connection, address).map_err(ConnectionDenied::new),
            None => Ok(()),
        }
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.pending.remove(&connection);
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ListenFailure(ListenFailure { connection_id, .. }) = event {
            self.pending.remove(&connection_id);
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

/// Who answers for an address: an IPv4 address, or an IPv6 network of 64 bits, which one customer has.
fn origin(remote: &Multiaddr) -> Option<IpAddr> {
    remote.iter().find_map(|part| match part {
        Protocol::Ip4(address) => Some(IpAddr::V4(address)),
        Protocol::Ip6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            Some(IpAddr::V6(Ipv6Addr::from(network)))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    #[test]
    fn one_address_cannot_take_the_places_of_others() {
        let mut gate = Gate::new();
        let (flood, good) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let admitted = (0..1000).filter(|n| gate.admit(connection(*n), flood).is_ok()).count();
        assert_eq!(admitted, MAX_PENDING_PER_ADDRESS);
        assert!(gate.admit(connection(1001), good).is_ok());
    }

    #[test]
    fn churn_is_slowed_down_even_when_nothing_is_pending() {
        let mut gate = Gate::new();
        let flood = IpAddr::from([192, 0, 2, 1]);
        let admitted = (0..1000).filter(|n| {
            let admitted = gate.admit(connection(*n), flood).is_ok();
            gate.pending.clear();
            admitted
        });
        let admitted = admitted.count();
        assert!(admitted >= HANDSHAKE_BURST as usize, "the burst passes: {admitted}");
        assert!(admitted < 2 * HANDSHAKE_BURST as usize, "and little more: {admitted}");
    }

    #[test]
    fn an_ipv6_customer_is_one_address() {
        let of = |text: &str| origin(&text.parse::<Multiaddr>().expect("an address"));
        assert_eq!(of("/ip6/2001:db8:1:2::1/tcp/9"), of("/ip6/2001:db8:1:2:ffff::9/tcp/9"));
        assert_ne!(of("/ip6/2001:db8:1:2::1/tcp/9"), of("/ip6/2001:db8:1:3::1/tcp/9"));
    }
}
