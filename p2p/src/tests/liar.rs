//! A peer with a good certificate and bad manners: a bare swarm that does what our own never would.

use std::time::Duration;

use bytes::Bytes;
use futures::{AsyncReadExt, AsyncWriteExt, SinkExt, StreamExt};
use libp2p::{PeerId, Swarm, request_response, swarm, swarm::SwarmEvent};
use quorate_proto::{MAX_FRAME_BYTES, Request, TransactionBatch};
use tokio_util::{
    codec::Framed,
    compat::{Compat, FuturesAsyncReadCompatExt},
};

use super::{Chain, Node, assert_only_good_peers_are_heard, hello};
use crate::{
    NetworkEvent,
    address::multiaddr,
    admission::Admission,
    behaviour::{Behaviour, BehaviourEvent},
    identity::peer_id,
    limits::GREETINGS_AT_ONCE,
    requests::frames,
    stream::{CONSENSUS, TRANSACTIONS},
    transport::{MutualTls, transport},
};

/// A liar's swarm, and the victim's streams as they come.
struct Liar {
    control: libp2p_stream::Control,
    incoming: libp2p_stream::IncomingStreams,
    batches: libp2p_stream::IncomingStreams,
    victim: PeerId,
}

/// A swarm with a good certificate that dials the victim and knows no manners.
fn bare_swarm(chain: &Chain, victim: &Node) -> Swarm<Behaviour> {
    let identity = chain.identity(2);
    let crls: [Vec<u8>; 0] = [];
    let admission = Admission::new(&identity.ca, &crls).expect("a CA");
    let tls = MutualTls::new(&super::key(2), identity.certificates.clone(), admission).expect("an identity");
    let config = swarm::Config::with_tokio_executor().with_idle_connection_timeout(Duration::from_secs(60));
    let own = peer_id(&identity.id()).expect("a point");
    let mut swarm = Swarm::new(transport(tls), Behaviour::new(), own, config);
    swarm.dial(multiaddr(victim.socket())).expect("it dials");
    swarm
}

fn liar(chain: &Chain, victim: &Node) -> Liar {
    let mut swarm = bare_swarm(chain, victim);
    let mut control = swarm.behaviour().streams.new_control();
    let incoming = control.accept(CONSENSUS).expect("the first to accept");
    let batches = control.accept(TRANSACTIONS).expect("the first to accept");
    tokio::spawn(async move { while swarm.next().await.is_some() {} });
    Liar { control, incoming, batches, victim: peer_id(&victim.id()).expect("a point") }
}

impl Liar {
    /// Opens a stream; the victim's appears first, which tells that the connection is there.
    async fn open(
        &mut self,
    ) -> (libp2p::Stream, Framed<Compat<libp2p::Stream>, tokio_util::codec::LengthDelimitedCodec>) {
        let (_, theirs) = self.incoming.next().await.expect("the victim opens its stream");
        let ours = self.control.open_stream(self.victim, CONSENSUS).await.expect("it opens");
        (ours, Framed::new(theirs.compat(), frames(MAX_FRAME_BYTES)))
    }

    /// Greets properly in both directions.
    async fn greet(
        &mut self,
    ) -> (libp2p::Stream, Framed<Compat<libp2p::Stream>, tokio_util::codec::LengthDelimitedCodec>) {
        let (mut ours, mut theirs) = self.open().await;
        theirs.next().await.expect("a greeting").expect("that reads");
        theirs.send(Bytes::new()).await.expect("welcome");
        let greeting = hello().encode();
        write_frame(&mut ours, &greeting).await;
        assert_eq!(read_frame(&mut ours).await, b"", "welcome");
        (ours, theirs)
    }
}

async fn write_frame(stream: &mut libp2p::Stream, frame: &[u8]) {
    try_write_frame(stream, frame).await.expect("it writes");
}

async fn try_write_frame(stream: &mut libp2p::Stream, frame: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(frame.len()).expect("short").to_be_bytes();
    stream.write_all(&length).await?;
    stream.write_all(frame).await?;
    stream.flush().await
}

async fn read_frame(stream: &mut libp2p::Stream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await.expect("a length");
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut frame).await.expect("a frame");
    frame
}

/// The liar connects and sends the head of a frame that no sound node sends; both sides know why it is
/// parted with.
async fn parted_with(words: &str, length: [u8; 4]) {
    let chain = Chain::new();
    let mut victim = chain.identity(1).start(&[]).await;
    let mut liar = liar(&chain, &victim);
    let (mut ours, _theirs) = liar.greet().await;
    let bad = victim.until("the liar's connection", |event| match event {
        NetworkEvent::PeerConnected { id, .. } => Some(id),
        _ => None,
    });
    let bad = bad.await;
    ours.write_all(&length).await.expect("it writes");
    ours.flush().await.expect("it flushes");
    let told = String::from_utf8(read_frame(&mut ours).await).expect("words");
    assert!(told.contains(words), "{told}");
    let reason = victim.refused(words).await;
    assert!(reason.contains(&bad.to_string()), "{reason}");
    victim.heard.clear();
    assert_only_good_peers_are_heard(&mut victim, &chain.identity(3), bad).await;
}

/// faults.md, flood: huge messages (FISCO audit). The length alone is enough to part.
#[tokio::test]
async fn flood_an_oversized_frame_ends_the_connection_in_words() {
    parted_with("a frame is larger than 16777216 bytes", [0xff; 4]).await;
}

#[tokio::test]
async fn an_empty_frame_ends_the_connection_in_words() {
    parted_with("an empty frame", [0; 4]).await;
}

#[tokio::test]
async fn a_greeting_that_is_none_is_refused_in_words() {
    let chain = Chain::new();
    let mut victim = chain.identity(1).start(&[]).await;
    let mut liar = liar(&chain, &victim);
    let (mut ours, _theirs) = liar.open().await;
    write_frame(&mut ours, b"good evening").await;
    let told = String::from_utf8(read_frame(&mut ours).await).expect("words");
    assert!(told.contains("the greeting is invalid: hello"), "{told}");
    // And it stays unconnected until its time is over.
    victim.refused("no greeting was exchanged within 10 s").await;
    assert!(victim.heard.is_empty());
}

#[tokio::test]
async fn frames_before_both_greetings_reach_nobody() {
    let chain = Chain::new();
    let mut victim = chain.identity(1).start(&[]).await;
    let mut liar = liar(&chain, &victim);
    // It greets, and sends frames, but never welcomes the victim's greeting.
    let (mut ours, theirs) = liar.open().await;
    write_frame(&mut ours, &hello().encode()).await;
    assert_eq!(read_frame(&mut ours).await, b"", "welcome");
    for _ in 0..100 {
        write_frame(&mut ours, b"vote").await;
    }
    victim.refused("no greeting was exchanged within 10 s").await;
    assert!(victim.heard.is_empty(), "{:?}", victim.log);
    drop(theirs);
}

#[tokio::test]
async fn requests_before_the_greeting_are_refused() {
    let chain = Chain::new();
    let mut victim = chain.identity(1).start(&[]).await;
    let mut swarm = bare_swarm(&chain, &victim);
    let to = peer_id(&victim.id()).expect("a point");
    let request = Request::Transactions(vec![]).encode();
    let answer = tokio::time::timeout(super::PATIENCE, async {
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::ConnectionEstablished { .. } => {
                    swarm.behaviour_mut().requests.send_request(&to, request.clone());
                }
                SwarmEvent::Behaviour(BehaviourEvent::Requests(request_response::Event::Message {
                    message: request_response::Message::Response { response, .. },
                    ..
                })) => return response,
                _ => {}
            }
        }
    });
    assert_eq!(answer.await.expect("an answer"), Err("greet first".to_owned()));
    tokio::spawn(async move { while swarm.next().await.is_some() {} });
    victim.refused("no greeting was exchanged within 10 s").await;
    assert_eq!(victim.log.len(), 1, "{:?}", victim.log);
}

#[tokio::test]
async fn a_stream_of_transactions_before_the_greeting_is_closed() {
    let chain = Chain::new();
    let mut victim = chain.identity(1).start(&[]).await;
    let mut liar = liar(&chain, &victim);
    let _unanswered = liar.incoming.next().await.expect("the victim opens its stream");
    let mut batches = liar.control.open_stream(liar.victim, TRANSACTIONS).await.expect("it opens");
    write_frame(&mut batches, &batch()).await;
    assert_eq!(batches.read(&mut [0]).await.unwrap_or(0), 0, "the victim closes it");
    victim.refused("no greeting was exchanged within 10 s").await;
    assert_eq!(victim.log.len(), 1, "{:?}", victim.log);
}

/// Given a peer that has greeted, when it sends a batch and then something that is none, then the batch is heard, and the
/// peer parted with in words.
#[tokio::test]
async fn what_is_no_batch_ends_the_connection_in_words() {
    let chain = Chain::new();
    let mut victim = chain.identity(1).start(&[]).await;
    let mut liar = liar(&chain, &victim);
    let (mut ours, _theirs) = liar.greet().await;
    let mut batches = liar.control.open_stream(liar.victim, TRANSACTIONS).await.expect("it opens");
    write_frame(&mut batches, &batch()).await;
    let is_batch = |event: NetworkEvent| matches!(event, NetworkEvent::Transactions { .. }).then_some(());
    victim.until("the batch", is_batch).await;
    write_frame(&mut batches, b"good evening").await;
    let told = String::from_utf8(read_frame(&mut ours).await).expect("words");
    assert!(told.contains("a batch of transactions is invalid"), "{told}");
    victim.refused("a batch of transactions is invalid").await;
}

/// Given a peer whose stream of transactions is lost, when there is something to tell it, then it comes on a new one, and the
/// peer was connected all the time.
#[tokio::test]
async fn a_lost_stream_of_transactions_is_opened_again() {
    let chain = Chain::new();
    let mut victim = chain.identity(1).start(&[]).await;
    let mut liar = liar(&chain, &victim);
    let _streams = liar.greet().await;
    let is_connected = |event| matches!(event, NetworkEvent::PeerConnected { .. }).then_some(());
    victim.until("the liar's connection", is_connected).await;
    for _ in 0..3 {
        drop(liar.batches.next().await.expect("the victim opens one"));
    }
    let (_, mut batches) = liar.batches.next().await.expect("and one more");
    let sent = TransactionBatch::decode(batch()).expect("a batch");
    assert_eq!(victim.network.publish_transactions(&sent, None), 1);
    assert_eq!(read_frame(&mut batches).await, batch());
    assert!(!victim.log.iter().any(|it| it.contains("PeerDisconnected")), "{:?}", victim.log);
}

/// Given a peer that opens one stream of transactions after the other, then each takes the place of the one before, until they
/// are as many as it may have greetings at once: the next is closed unread.
#[tokio::test]
async fn a_second_stream_of_transactions_takes_the_place_of_the_first() {
    let chain = Chain::new();
    let mut victim = chain.identity(1).start(&[]).await;
    let mut liar = liar(&chain, &victim);
    let _streams = liar.greet().await;
    let mut heard = 0;
    let mut before: Option<libp2p::Stream> = None;
    loop {
        let mut next = liar.control.open_stream(liar.victim, TRANSACTIONS).await.expect("it opens");
        if try_write_frame(&mut next, &batch()).await.is_err() {
            break;
        }
        let is_batch = |event| matches!(event, NetworkEvent::Transactions { .. }).then_some(());
        let mut nothing = [0];
        tokio::select! {
            () = victim.until("a batch", is_batch) => heard += 1,
            _ = next.read(&mut nothing) => break,
        }
        if let Some(mut before) = before.replace(next) {
            assert_eq!(before.read(&mut [0]).await.unwrap_or(0), 0, "the victim closes the one before");
        }
    }
    assert!((2..=2 * GREETINGS_AT_ONCE).contains(&heard), "{heard}");
    assert_eq!(victim.network.peer_count(), 1, "it stays connected");
}

fn batch() -> Bytes {
    TransactionBatch { transactions: vec![vec![1].into()], trace_id: None }.encode()
}
