//! What good peers exchange.

use bytes::Bytes;
use quorate_proto::{MAX_BATCH_BYTES, MAX_FRAME_BYTES, Request, Response, TransactionBatch};
use quorate_types::Height;

use super::{Chain, Node, connect};
use crate::{
    NetworkEvent, Place, RequestError,
    limits::{BATCHES_IN_HAND, FRAMES_IN_HAND, GUEST_FRAMES_IN_HAND},
};

async fn pair(chain: &Chain) -> (Node, Node) {
    let mut a = chain.identity(1).start(&[]).await;
    let mut b = chain.identity(2).start(&[&a]).await;
    connect(&mut a, &mut b).await;
    (a, b)
}

#[tokio::test]
async fn frames_arrive_in_order_up_to_the_largest() {
    let chain = Chain::new();
    let (a, mut b) = pair(&chain).await;
    for number in 0..500_u32 {
        assert_eq!(a.network.broadcast(&Bytes::copy_from_slice(&number.to_be_bytes()), None), 1);
    }
    let largest = Bytes::from(vec![5; MAX_FRAME_BYTES]);
    assert_eq!(a.network.broadcast(&largest, None), 1);
    for number in 0..500_u32 {
        assert_eq!(b.frame_from(a.id()).await, number.to_be_bytes().as_slice());
    }
    assert_eq!(b.frame_from(a.id()).await, largest);
    let seen = &b.network.peers()[0];
    assert_eq!((seen.frames_in, seen.id), (501, a.id()));
    assert!(seen.last_frame.is_some() && seen.dialed);
    assert_eq!(a.network.peers()[0].bytes_out, 2000 + MAX_FRAME_BYTES as u64);
    // Larger ones do not leave.
    assert_eq!(a.network.broadcast(&Bytes::from(vec![5; MAX_FRAME_BYTES + 1]), None), 0);
}

/// Given a guest whose frames fill its share of a node that finishes with none, when it becomes a validator, then as many
/// frames as a validator's share holds follow on the same connection.
#[tokio::test]
async fn a_connected_peers_share_follows_the_validator_set() {
    let chain = Chain::new();
    let (mut a, b) = pair(&chain).await;
    for number in 0..2 * FRAMES_IN_HAND {
        assert!(b.network.send(a.id(), &Bytes::copy_from_slice(&number.to_be_bytes())));
    }
    let mut held = Vec::new();
    for _ in 0..GUEST_FRAMES_IN_HAND {
        held.push(place(&mut a).await);
    }
    a.network.set_validators([b.id()].into());
    assert!(a.network.peers()[0].validator);
    // One frame waits as a guest's.
    held.pop();
    for _ in 0..=FRAMES_IN_HAND {
        held.push(place(&mut a).await);
    }
}

/// The next frame, not finished with.
async fn place(node: &mut Node) -> Place {
    node.until("a frame", |event| match event {
        NetworkEvent::Consensus { place, .. } => Some(place),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn broadcast_spares_the_one_it_came_from() {
    let chain = Chain::new();
    let (mut a, mut b) = pair(&chain).await;
    let mut c = chain.identity(3).start(&[&a]).await;
    connect(&mut a, &mut c).await;
    assert_eq!(a.network.broadcast(&"relay".into(), Some(b.id())), 1);
    assert_eq!(c.frame_from(a.id()).await, "relay");
    assert_eq!(a.network.broadcast(&"all".into(), None), 2);
    assert_eq!(b.frame_from(a.id()).await, "all", "and nothing before it");
}

#[tokio::test]
async fn a_request_is_answered_or_refused_in_words() {
    let chain = Chain::new();
    let (a, b) = pair(&chain).await;
    let (to, asker) = (b.id(), a.network.clone());
    let server = tokio::spawn(answer_two(b));
    let request = Request::Blocks { from: Height(1), count: 2 };
    assert_eq!(asker.request(to, &request).await, Ok(Response::Blocks(vec![])));
    let refused = asker.request(to, &request).await;
    assert_eq!(refused, Err(RequestError::Refused { peer: to, reason: "snapshot running".into() }));
    let mut b = server.await.expect("it served");

    // Dropped without an answer, the asker learns that there is none.
    let asking = tokio::spawn({
        let asker = asker.clone();
        async move { asker.request(to, &Request::Blocks { from: Height(1), count: 1 }).await }
    });
    b.until("a request", |event| matches!(event, NetworkEvent::Request { .. }).then_some(())).await;
    let lost = asking.await.expect("it ran");
    assert!(matches!(lost, Err(RequestError::Lost { .. })), "{lost:?}");

    let stranger = super::key(9).id();
    assert_eq!(asker.request(stranger, &request).await, Err(RequestError::NotConnected(stranger)));
}

async fn answer_two(mut node: Node) -> Node {
    for turn in 0..2 {
        let (request, respond) = node
            .until("a request", |event| match event {
                NetworkEvent::Request { request, respond, .. } => Some((request, respond)),
                _ => None,
            })
            .await;
        assert_eq!(request, Request::Blocks { from: Height(1), count: 2 });
        if turn == 0 {
            respond.respond(&Response::Blocks(vec![]))
        } else {
            respond.refuse("snapshot running")
        }
    }
    node
}

#[tokio::test]
async fn many_requests_at_once_are_answered_or_told_to_wait() {
    let chain = Chain::new();
    let (a, mut b) = pair(&chain).await;
    let to = b.id();
    let server = tokio::spawn(async move {
        while let Some(event) = b.events.recv().await {
            if let NetworkEvent::Request { respond, .. } = event {
                respond.respond(&Response::Transactions(vec![]));
            }
        }
    });
    let ask = || {
        let network = a.network.clone();
        async move { network.request(to, &Request::Transactions(vec![])).await }
    };
    let answers = futures::future::join_all((0..200).map(|_| ask())).await;
    let answered = answers.iter().filter(|answer| answer.is_ok()).count();
    assert!(answered >= 1, "{answers:?}");
    for answer in answers {
        assert!(
            matches!(answer, Ok(_) | Err(RequestError::Busy { .. } | RequestError::Refused { .. })),
            "{answer:?}"
        );
    }
    server.abort();
}

/// Given batches up to the largest, when they are published, then all come in order, to everyone but the one that is spared.
#[tokio::test]
async fn batches_arrive_in_order_up_to_the_largest() {
    let chain = Chain::new();
    let (mut a, mut b) = pair(&chain).await;
    let mut c = chain.identity(3).start(&[&a]).await;
    connect(&mut a, &mut c).await;
    let largest = vec![9; MAX_BATCH_BYTES - 32];
    let sent: Vec<_> = (0..100).map(|number| vec![number]).chain([largest]).map(batch).collect();
    for it in &sent {
        assert_eq!(a.network.publish_transactions(it, Some(c.id())), 1);
    }
    for it in &sent {
        assert_eq!(received(&mut b).await, (a.id(), it.clone()));
    }
    // Larger ones do not leave.
    assert_eq!(a.network.publish_transactions(&batch(vec![9; MAX_BATCH_BYTES]), None), 0);

    assert!(a.network.send_transactions(c.id(), &batch(vec![1])).await);
    assert_eq!(received(&mut c).await, (a.id(), batch(vec![1])), "and nothing before it");
    assert!(!a.network.send_transactions(super::key(9).id(), &batch(vec![1])).await, "nobody there");
}

/// faults.md, flood: given a peer that sends more batches than the node finishes with, then those beyond its share wait, and
/// its votes do not wait behind them; what has a place of the outbox alone waits there.
#[tokio::test]
async fn flood_of_batches_waits_and_votes_pass_it() {
    let chain = Chain::new();
    let (mut a, b) = pair(&chain).await;
    for _ in 0..2 * BATCHES_IN_HAND {
        assert_eq!(b.network.publish_transactions(&batch(vec![7; 1000]), None), 1);
    }
    let mut held = Vec::new();
    while held.len() < BATCHES_IN_HAND {
        held.push(batch_place(&mut a).await);
    }
    assert!(b.network.send(a.id(), &"vote".into()));
    let first = a.until("a batch or a vote", |event| match event {
        NetworkEvent::Transactions { .. } => Some("a batch".into()),
        NetworkEvent::Consensus { frame, .. } => Some(frame),
        _ => None,
    });
    assert_eq!(first.await, "vote");
    held.clear();
    for _ in 0..BATCHES_IN_HAND {
        batch_place(&mut a).await;
    }
}

async fn batch_place(node: &mut Node) -> Place {
    node.until("a batch", |event| match event {
        NetworkEvent::Transactions { place, .. } => Some(place),
        _ => None,
    })
    .await
}

async fn received(node: &mut Node) -> (quorate_types::NodeId, TransactionBatch) {
    node.until("a batch", |event| match event {
        NetworkEvent::Transactions { from, batch, .. } => Some((from, batch)),
        _ => None,
    })
    .await
}

fn batch(transaction: Vec<u8>) -> TransactionBatch {
    TransactionBatch { transactions: vec![transaction.into()], trace_id: None }
}

#[tokio::test]
async fn shutdown_ends_the_events_and_frees_the_port() {
    let chain = Chain::new();
    let (mut a, mut b) = pair(&chain).await;
    let socket = a.socket();
    a.network.shutdown().await;
    assert_eq!(a.network.peer_count(), 0);
    while a.events.recv().await.is_some() {}
    b.disconnected(a.id()).await;
    let again = chain.identity(1).start_with(super::hello(), |config| config.listen = socket).await;
    assert_eq!(again.socket(), socket);
}
