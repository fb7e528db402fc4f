//! How a transaction gets from the node that took it to everyone else.

use quorate_p2p::{NetworkEvent, NetworkEvents, Responder};
use quorate_proto::{Request, Response, TransactionBatch};
use quorate_tests::{
    cluster::Cluster,
    wallet::{Wallet, send},
};
use quorate_types::{B256, Bytes, keccak256};

use crate::stranger::{PATIENCE, Stranger};

/// Given a validator that waits for the others, and a peer of it: what a client sends there is told the peer at once, and
/// offered by hash again and again, however the peer answers; what it lacks follows, and nothing else. What the peer tells it is
/// passed on to the next one, and not back.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_offered_until_nobody_lacks_it() {
    let cluster = Cluster::start(4);
    cluster.wait_for_height(&[0, 1, 2, 3], 1).await;
    (1..=4).for_each(|node| cluster.kill(node));
    let (peer, other) =
        (Stranger::instead_of(&cluster, 4, &[0]).await, Stranger::instead_of(&cluster, 3, &[0]).await);
    let ((peer, mut events), (_other, mut others)) = (peer.dial().await, other.dial().await);
    met(&mut events).await;
    let victim = met(&mut others).await;
    let mut alice = Wallet::development(0);
    let raw = alice.transfer(Wallet::fresh(23).address(), 1);
    let hash = send(&cluster.client(0), &raw).await;

    assert_eq!(next_batch(&mut events).await, std::slice::from_ref(&raw), "at once");
    next_offer(&mut events, hash).await.refuse("not now");
    next_offer(&mut events, hash).await.respond(&Response::Missing(vec![]));
    let again = next_offer(&mut events, hash).await;
    again.respond(&Response::Missing(vec![hash, B256::repeat_byte(1)]));
    assert_eq!(next_batch(&mut events).await, std::slice::from_ref(&raw), "since it said so");

    let asked = Request::Offer(vec![hash, B256::repeat_byte(1)]);
    assert_eq!(peer.request(victim, &asked).await, Ok(Response::Missing(vec![B256::repeat_byte(1)])));
    assert_eq!(next_batch(&mut others).await, std::slice::from_ref(&raw));
    let news = alice.transfer(Wallet::fresh(24).address(), 1);
    let batch = TransactionBatch { transactions: vec![raw, news.clone()], trace_id: None };
    assert_eq!(peer.publish_transactions(&batch, None), 1);
    assert_eq!(next_batch(&mut others).await, std::slice::from_ref(&news), "what is new, and that alone");
    loop {
        // An offer of it shows that the node had it, and told everyone whom it tells.
        match next(&mut events).await {
            NetworkEvent::Transactions { batch, .. } => panic!("it came back: {batch:?}"),
            NetworkEvent::Request { request: Request::Offer(hashes), .. }
                if hashes.contains(&keccak256(&news)) =>
            {
                break;
            }
            _ => {}
        }
    }
}

async fn next(events: &mut NetworkEvents) -> NetworkEvent {
    let event = tokio::time::timeout(PATIENCE, events.recv()).await;
    event.expect("something happens in time").expect("it runs")
}

async fn met(events: &mut NetworkEvents) -> quorate_types::NodeId {
    loop {
        if let NetworkEvent::PeerConnected { id, .. } = next(events).await {
            return id;
        }
    }
}

async fn next_batch(events: &mut NetworkEvents) -> Vec<Bytes> {
    loop {
        if let NetworkEvent::Transactions { batch, .. } = next(events).await {
            return batch.transactions;
        }
    }
}

/// The next offer, of this transaction and before any batch.
async fn next_offer(events: &mut NetworkEvents, hash: B256) -> Responder {
    loop {
        match next(events).await {
            NetworkEvent::Request { request: Request::Offer(hashes), respond, .. } => {
                assert_eq!(hashes, [hash]);
                return respond;
            }
            NetworkEvent::Transactions { batch, .. } => panic!("nobody asked for it: {batch:?}"),
            _ => {}
        }
    }
}
