//! Connections: made once, made again.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use bytes::Bytes;
use quorate_proto::TransactionBatch;

use super::{Chain, address_of, assert_they_talk, connect, eventually, hello};
use crate::{NetworkError, NetworkEvent, PeerAddress};

/// A port that nothing listens on now, below those that the system gives to outgoing connections: one of these could be taken again
/// before it is used.
fn free_port() -> std::net::SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = 10_000 + u16::try_from(std::process::id() % 400).expect("below 400") * 25;
    loop {
        let address = ([127, 0, 0, 1], start + NEXT.fetch_add(1, Ordering::Relaxed)).into();
        if std::net::TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

#[tokio::test]
async fn a_peer_that_restarts_on_its_port_is_connected_again() {
    let chain = Chain::new();
    let identity = chain.identity(1);
    let mut a = identity.start(&[]).await;
    let mut b = chain.identity(2).start(&[&a]).await;
    connect(&mut a, &mut b).await;
    let socket = a.socket();
    for _ in 0..2 {
        a.network.shutdown().await;
        drop(a);
        b.disconnected(identity.id()).await;
        a = identity.start_with(hello(), |config| config.listen = socket).await;
        connect(&mut a, &mut b).await;
        assert_they_talk(&mut a, &mut b).await;
    }
}

#[tokio::test]
async fn simultaneous_dials_end_with_one_connection() {
    let chain = Chain::new();
    for _ in 0..5 {
        let (socket_a, socket_b) = (free_port(), free_port());
        // Without ids neither waits for the other to dial first.
        let (a, b) = (chain.identity(1), chain.identity(2));
        let start_a = a.start_with(hello(), |config| {
            config.listen = socket_a;
            config.peers = vec![address_of(socket_b)];
        });
        let start_b = b.start_with(hello(), |config| {
            config.listen = socket_b;
            config.peers = vec![address_of(socket_a)];
        });
        let (mut a, mut b) = tokio::join!(start_a, start_b);
        connect(&mut a, &mut b).await;
        let (at_a, at_b) = (a.network.clone(), b.network.clone());
        eventually("one connection is left, and both sides are connected over it", || {
            [&at_a, &at_b].iter().all(|network| network.connection_count() == 1 && network.peer_count() == 1)
        })
        .await;
        assert_they_talk(&mut a, &mut b).await;
    }
}

/// Given nodes that all dial each other at once, when of each two connections one is closed, then nobody waits for an
/// answer on a closed one until the greeting's time is over, nobody speaks into one, and all hear all: votes as well as
/// transactions.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_on_a_connection_that_was_closed_as_surplus() {
    let chain = Chain::new();
    for _ in 0..3 {
        let sockets: Vec<_> = (0..8).map(|_| free_port()).collect();
        let mut nodes = Vec::new();
        for (seed, socket) in (1..).zip(&sockets) {
            let others = sockets.iter().filter(|it| *it != socket).map(|it| address_of(*it)).collect();
            let identity = chain.identity(seed);
            let start = identity.start_with(hello(), |config| {
                (config.listen, config.peers) = (*socket, others);
            });
            nodes.push(start.await);
        }
        let networks: Vec<_> = nodes.iter().map(|node| node.network.clone()).collect();
        eventually("everyone is everyone's neighbour", || networks.iter().all(|it| it.peer_count() == 7))
            .await;
        let speaking = tokio::spawn(async move {
            let batch = TransactionBatch { transactions: vec![vec![1].into()], trace_id: None };
            loop {
                for network in &networks {
                    network.broadcast(&Bytes::from_static(b"there"), None);
                    network.publish_transactions(&batch, None);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        for node in &mut nodes {
            let (mut heard, mut fed) = (BTreeSet::new(), BTreeSet::new());
            let mut refused = None;
            node.until("a frame and a batch of each", |event| {
                match event {
                    NetworkEvent::Consensus { from, .. } => drop(heard.insert(from)),
                    NetworkEvent::Transactions { from, .. } => drop(fed.insert(from)),
                    NetworkEvent::Refused { reason, .. } => refused = Some(reason),
                    _ => {}
                }
                (heard.len() == 7 && fed.len() == 7).then_some(())
            })
            .await;
            assert_eq!(refused, None);
        }
        speaking.abort();
    }
}

#[tokio::test]
async fn names_are_dialed_and_ones_own_address_is_not() {
    let chain = Chain::new();
    let mut a = chain.identity(1).start(&[]).await;
    let by_name = PeerAddress { host: "localhost".into(), ..a.address() };
    let socket = free_port();
    let own = address_of(socket);
    let identity = chain.identity(2);
    let start = identity.start_with(hello(), |config| {
        config.listen = socket;
        config.peers = vec![own, by_name];
    });
    let mut b = start.await;
    connect(&mut a, &mut b).await;
    assert_they_talk(&mut a, &mut b).await;
    assert_eq!(b.network.peer_count(), 1);
}

#[tokio::test]
async fn another_node_at_a_configured_address_is_named() {
    let chain = Chain::new();
    let a = chain.identity(1).start(&[]).await;
    let wrong = PeerAddress { node: Some(chain.identity(9).id()), ..a.address() };
    let mut b = chain.identity(2).start_with(hello(), |config| config.peers = vec![wrong]).await;
    let told = b.refused("answers there").await;
    assert!(told.contains(&a.id().to_string()), "{told}");
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_says_so() {
    let chain = Chain::new();
    let a = chain.identity(1).start(&[]).await;
    let mut config = chain.identity(2).config(tokio::sync::watch::channel(hello()).1);
    config.listen = a.socket();
    let error = crate::Network::start(config).await.err().expect("the port is taken");
    assert!(matches!(error, NetworkError::Listen { .. }), "{error}");
}

/// faults.md, flood: given a peer that this node parted with, when it comes back at once, then it is told to wait; when the
/// time is over, then it is welcome.
#[tokio::test]
async fn flood_a_peer_that_was_parted_with_comes_back_later() {
    let chain = Chain::new();
    let mut a = chain.identity(1).start(&[]).await;
    let mut b = chain.identity(2).start(&[&a]).await;
    connect(&mut a, &mut b).await;
    assert_eq!(a.network.name_of(&b.id()).as_deref(), Some("node2"));

    assert!(a.network.part(b.id(), "a hundred invalid frames", std::time::Duration::from_secs(2)));
    a.disconnected(b.id()).await;
    b.refused("a hundred invalid frames").await;
    b.refused("parted with you for what you sent").await;
    connect(&mut a, &mut b).await;
    assert_they_talk(&mut a, &mut b).await;
}
