//! What a peer without manners sends, as fast as it can.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use quorate_p2p::NetworkHandle;
use quorate_proto::{Hello, MAX_FRAME_BYTES, encode_message};
use quorate_types::{
    B256, Bytes, Domain, Height, Message, Phase, Signable, Signed, SignedViewChange, View, ViewChange, Vote,
};

use crate::stranger::{PATIENCE, Stranger};

/// How often a flooder looks how far it has come.
const LOOK: Duration = Duration::from_millis(2);

impl Stranger {
    /// Connects to each victim over and over for ever: greets, or breaks off when the handshake is made, and hangs up.
    pub(super) async fn come_and_go(&self, counted: &AtomicU64) {
        futures::future::join_all(self.victims.iter().map(async |victim| {
            let mut alone = self.clone();
            alone.victims = vec![*victim];
            for number in 0_u64.. {
                let greets = number % 2 == 0;
                let (network, _events) = alone.dial().await;
                // A victim takes part in so many handshakes a second, so this may take a while.
                while network.connection_count() == 0 || greets && network.peer_count() == 0 {
                    tokio::time::sleep(LOOK).await;
                }
                network.shutdown().await;
                counted.fetch_add(1, Ordering::Relaxed);
            }
        }))
        .await;
    }

    fn sign<S: Signable>(&self, statement: S) -> Signed<S> {
        let Hello { chain_id, genesis_hash, .. } = self.hello;
        Signed::sign(statement, &Domain { chain_id, genesis_hash }, &self.key())
            .expect("a key in memory signs")
    }

    /// Votes of heights that nobody will live to see.
    pub(super) fn far_height(&self) -> impl FnMut(u64) -> Bytes + Send + use<> {
        let vote = Vote { phase: Phase::Prevote, height: Height(0), view: View(0), block_hash: B256::ZERO };
        let mut signed = self.sign(vote);
        move |number| {
            signed.statement.height = Height(1_000_000_000 + number);
            encode_message(&Message::Vote(signed)).into()
        }
    }

    /// View changes to views that nobody is at, signed for one of them; the signature is wrong for all others.
    pub(super) fn far_view(&self, height: u64) -> impl FnMut(u64) -> Bytes + Send + use<> {
        let change = ViewChange { height: Height(height), view: View(1), prepared: None };
        let mut signed = self.sign(change);
        move |number| {
            signed.statement.view = View(1_000_000_000 + number);
            encode_message(&Message::ViewChange(SignedViewChange { signed, certificate: None })).into()
        }
    }

    /// The same with a signature for each: a validator's own.
    pub(super) fn signed_far_view(&self, height: u64, number: u64) -> Bytes {
        let view = View(1_000_000_000 + number);
        let signed = self.sign(ViewChange { height: Height(height), view, prepared: None });
        encode_message(&Message::ViewChange(SignedViewChange { signed, certificate: None })).into()
    }

    /// As large as a frame may be, and nothing in it.
    pub(super) fn largest() -> impl FnMut(u64) -> Bytes + Send {
        let mut frame = vec![0xff; MAX_FRAME_BYTES];
        move |number| {
            frame[..8].copy_from_slice(&number.to_be_bytes());
            frame.clone().into()
        }
    }
}

/// Sends frames to everyone until `done`, as fast as they are taken.
pub(super) async fn flood(
    network: &NetworkHandle,
    mut frame: impl FnMut(u64) -> Bytes,
    mut done: impl AsyncFnMut() -> bool,
) {
    let sending = async {
        let mut number = 0;
        while !done().await {
            for _ in 0..256 {
                network.broadcast(&frame(number).into(), None);
                number += 1;
            }
        }
    };
    tokio::time::timeout(PATIENCE, sending).await.expect("the flood has its effect in time");
}
