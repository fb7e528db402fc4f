use alloy_consensus::{EthereumTxEnvelope, SignableTransaction as _, TxEip4844, TxLegacy};
use alloy_eips::Encodable2718 as _;
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use quorate_p2p::{NetworkEvent, NetworkEvents, Responder};
use quorate_types::TxKind;
use tokio::time::timeout;

use super::*;
use crate::test_network::{self, DOMAIN, PATIENCE, key};

fn transaction(nonce: u64) -> Transaction {
    let signer = PrivateKeySigner::from_bytes(&B256::repeat_byte(1)).expect("a key");
    let to = TxKind::Call(signer.address());
    let unsigned =
        TxLegacy { chain_id: Some(DOMAIN.chain_id), nonce, gas_limit: 21_000, to, ..TxLegacy::default() };
    let signature = signer.sign_hash_sync(&unsigned.signature_hash()).expect("it signs");
    let envelope: EthereumTxEnvelope<TxEip4844> = unsigned.into_signed(signature).into();
    Transaction::decode(envelope.encoded_2718().into(), DOMAIN.chain_id).expect("sound")
}

/// A peer that answers nothing.
struct Silent {
    events: NetworkEvents,
    unanswered: Vec<Responder>,
}

impl Silent {
    /// The hashes of the next offer; everything else that comes before is passed over.
    async fn next_offer(&mut self) -> Vec<B256> {
        let offer = async {
            loop {
                if let NetworkEvent::Request { request: Request::Offer(hashes), respond, .. } =
                    self.events.recv().await.expect("the network runs")
                {
                    self.unanswered.push(respond);
                    return hashes;
                }
            }
        };
        timeout(PATIENCE, offer).await.expect("an offer comes")
    }
}

/// Given transactions that wait and a peer that comes, then it is offered them at once, also where an offer to it from before
/// it left is open; and once in a while however often it comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_comes_is_offered_what_waits() {
    let (here, _events) = test_network::start(1, &[]).await;
    let (_network, mut events) = test_network::start(2, &[&here]).await;
    let connected = async {
        while !matches!(events.recv().await, Some(NetworkEvent::PeerConnected { .. })) {}
        while here.peer_count() == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, connected).await.expect("they meet");

    let (sharing, peer) = (Sharing::new(here), key(2).id());
    let mut there = Silent { events, unanswered: vec![] };
    let offers = [1, 2, 3].map(transaction);
    let hashes = offers.clone().map(|it| it.hash());
    let [older, greeting, again] = offers;
    sharing.offer(vec![older.clone()]);
    assert_eq!(there.next_offer().await, [hashes[0]]);
    sharing.offer(vec![older]);
    sharing.greet(peer, move || vec![greeting]);
    assert_eq!(there.next_offer().await, [hashes[1]], "the one that is open is no reason");

    let (asked_for, asks) = std::sync::mpsc::channel();
    sharing.greet(peer, move || {
        let _ = asked_for.send(());
        vec![again]
    });
    assert!(asks.recv().is_err(), "a second greeting asks for nothing");
}
