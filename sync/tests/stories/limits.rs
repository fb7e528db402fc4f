//! Bounds: what was not asked for, came late, or is too much.

use quorate_sync::{
    CertifiedBlock, Effect, Input, MAX_BUFFERED_BLOCKS, MAX_BUFFERED_BYTES, MAX_IN_FLIGHT, RequestId,
    SyncConfig, Syncer, Timer,
};
use quorate_types::{B256, Block, Bytes, Ed25519, Height};

use crate::{
    chain::{CHAIN, LAST, peer},
    world::{Character, World},
};

fn syncer() -> Syncer {
    let config = SyncConfig { domain: CHAIN.domain, verifier: std::sync::Arc::new(Ed25519) };
    Syncer::new(config, CHAIN.head(Height::ZERO))
}

/// The requests among the effects: id, first height, count.
fn requests(effects: &[Effect]) -> Vec<(RequestId, Height, u32)> {
    let request = |effect: &Effect| match effect {
        Effect::Request { id, from, count, .. } => Some((*id, *from, *count)),
        _ => None,
    };
    effects.iter().filter_map(request).collect()
}

#[test]
fn answers_that_nobody_asked_for_leave_no_trace() {
    let mut syncer = syncer();
    let asked = requests(&syncer.step(Input::PeerHead { peer: peer(1), height: LAST }));
    assert_eq!(asked[0].1, Height(1));
    for id in 0..10_000 {
        let unasked = RequestId(1_000 + id);
        let blocks = CHAIN.range(Height(1 + id % 300), 32, LAST);
        let effects = syncer.step(Input::Blocks { request: unasked, peer: peer(2), blocks });
        assert!(effects.is_empty(), "{effects:?}");
    }
    // The right id from somebody else is no answer either.
    let blocks = CHAIN.range(Height(1), 8, LAST);
    assert!(syncer.step(Input::Blocks { request: asked[0].0, peer: peer(2), blocks }).is_empty());
    assert_eq!((syncer.progress().buffered, syncer.progress().in_flight), (0, asked.len()));
}

#[test]
fn an_answer_counts_once_and_not_after_its_time() {
    let mut syncer = syncer();
    let asked = requests(&syncer.step(Input::PeerHead { peer: peer(1), height: Height(8) }));
    let (request, blocks) = (asked[0].0, CHAIN.range(Height(1), 8, LAST));
    let _ = syncer.step(Input::Timer(Timer::Request(request)));
    let late = syncer.step(Input::Blocks { request, peer: peer(1), blocks: blocks.clone() });
    assert!(late.is_empty(), "{late:?}");
    // A second peer has the range now, and answers twice.
    let asked = requests(&syncer.step(Input::PeerHead { peer: peer(2), height: Height(8) }));
    let answer = Input::Blocks { request: asked[0].0, peer: peer(2), blocks };
    let first = syncer.step(answer.clone());
    assert_eq!(first.iter().filter(|it| matches!(it, Effect::Apply { .. })).count(), 1);
    assert!(syncer.step(answer).is_empty());
}

/// The first range never comes; the others do, as long as there is room for them.
#[test]
fn nothing_is_asked_for_far_above_the_head() {
    let mut syncer = syncer();
    let mut queue = Vec::new();
    for number in 1..=20 {
        queue.extend(syncer.step(Input::PeerHead { peer: peer(number), height: Height(u64::MAX) }));
    }
    assert_eq!(syncer.progress().in_flight, MAX_IN_FLIGHT);
    let mut highest = 0;
    while let Some(effect) = queue.pop() {
        let Effect::Request { id, peer, from, count } = effect else { continue };
        highest = highest.max(from.0 + u64::from(count) - 1);
        if from > Height(1) {
            let blocks = chain_of(from, count, &Bytes::new());
            queue.extend(syncer.step(Input::Blocks { request: id, peer, blocks }));
        }
    }
    assert_eq!(highest, MAX_BUFFERED_BLOCKS);
    assert_eq!(syncer.progress().buffered as u64, MAX_BUFFERED_BLOCKS - 8, "all but the first range");
    assert_eq!(syncer.progress().in_flight, 1);
}

/// The answers come in reverse, and are applied in order.
#[test]
fn answers_out_of_order_wait_for_their_turn() {
    let mut syncer = syncer();
    let mut asked = Vec::new();
    for number in 1..=3 {
        let effects = syncer.step(Input::PeerHead { peer: peer(number), height: Height(40) });
        asked.extend(effects);
    }
    let asks: Vec<_> = asked
        .iter()
        .filter_map(|effect| match effect {
            Effect::Request { id, peer, from, count } => Some((*id, *peer, *from, *count)),
            _ => None,
        })
        .collect();
    assert!(asks.len() >= 4, "{asks:?}");
    let mut applied = Vec::new();
    for (id, peer, from, count) in asks.iter().rev() {
        assert!(applied.is_empty(), "block 1 is not here yet");
        let blocks = CHAIN.range(*from, *count, LAST);
        let effects = syncer.step(Input::Blocks { request: *id, peer: *peer, blocks });
        applied.extend(effects.into_iter().filter_map(applied_height));
    }
    while let Some(last) = applied.last().copied().filter(|last| *last < Height(40)) {
        let effects = syncer.step(Input::Head(CHAIN.head(last)));
        applied.extend(effects.into_iter().filter_map(applied_height));
    }
    assert_eq!(applied, (1..=40).map(Height).collect::<Vec<_>>());
}

fn applied_height(effect: Effect) -> Option<Height> {
    match effect {
        Effect::Apply { block, .. } => Some(block.height()),
        _ => None,
    }
}

/// Blocks of megabytes: when they fill the buffer only the next block is asked for.
#[test]
fn heavy_blocks_stop_the_fetching_ahead() {
    let mut syncer = syncer();
    let mut asked = requests(&syncer.step(Input::PeerHead { peer: peer(1), height: LAST }));
    let heavy = Bytes::from(vec![0; MAX_BUFFERED_BYTES / 8]);
    // The second range arrives, the first does not: nothing can be applied.
    let (second, from, count) = asked.remove(1);
    let blocks = chain_of(from, count, &heavy);
    let effects = syncer.step(Input::Blocks { request: second, peer: peer(1), blocks });
    assert_eq!(requests(&effects), [], "the buffer is full");
    // The first is lost: its first block is the only one that may be asked for.
    let _ = syncer.step(Input::PeerHead { peer: peer(2), height: LAST });
    let effects = syncer.step(Input::PeerGone(peer(1)));
    let again: Vec<_> = requests(&effects).into_iter().map(|(_, from, count)| (from, count)).collect();
    assert_eq!(again, [(Height(1), 1)]);
}

/// Linked blocks with their own certificates' names, but nobody's signatures: not looked at before their turn.
fn chain_of(from: Height, count: u32, transaction: &Bytes) -> Vec<CertifiedBlock> {
    let mut parent = B256::ZERO;
    let mut blocks = Vec::new();
    for height in (from.0..).take(usize::try_from(count).expect("few")) {
        let block = Block::new(CHAIN.header(Height(height), parent), vec![transaction.clone()]);
        parent = block.hash();
        let certificate = CHAIN.certify(Height(height), parent, &CHAIN.voters(Height(height))[..1]);
        blocks.push((std::sync::Arc::new(block), certificate));
    }
    blocks
}

#[test]
fn a_flood_costs_the_flooder_alone() {
    let peers = [(peer(1), Character::Flooder), (peer(2), Character::Honest)];
    let mut world = World::new(30, Height(300), peers);
    world.run_until(std::time::Duration::from_secs(60), |world| world.head == Height(300));
    assert!(!world.punished(peer(1)).is_empty() && world.punished(peer(2)).is_empty());
}

#[test]
fn more_peers_than_there_are_places_do_no_harm() {
    let mut syncer = syncer();
    for number in 0..2_000_u32 {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let _ = syncer.step(Input::PeerHead { peer: quorate_types::NodeId(id), height: Height(1) });
    }
    assert_eq!(syncer.progress().peers, 512);
}
