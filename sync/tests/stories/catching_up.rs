//! An observer at genesis, and peers of all characters.

use std::time::Duration;

use quorate_sync::{Divergence, Effect, Input, RequestId, SyncConfig, SyncError, SyncPhase, Syncer, Timer};
use quorate_types::{Ed25519, Height};

use crate::{
    chain::{CHAIN, LAST, peer},
    world::{Character, LIES, Lie, World},
};

const HUNDRED: Height = Height(100);
/// More than any of these stories needs.
const PATIENCE: Duration = Duration::from_secs(120);

fn all_up_to(last: u64) -> Vec<Height> {
    (1..=last).map(Height).collect()
}

#[test]
fn an_observer_at_genesis_catches_up_a_hundred_blocks() {
    let peers = [1, 2, 3].map(|number| (peer(number), Character::Honest));
    let mut world = World::new(1, HUNDRED, peers);
    world.run_until(Duration::from_secs(3), |world| world.head == HUNDRED);
    assert_eq!(
        world.applied,
        all_up_to(100),
        "the set changed at 50, and each block stood on the one before"
    );
    // Three peers shared the work, and each block was asked for once.
    let shares = [1, 2, 3].map(|number| world.asked_of(peer(number)));
    assert!(shares.iter().all(|share| *share >= 2), "{shares:?}");
    assert_eq!(world.asked.iter().map(|(_, ask)| ask.count).sum::<u32>(), 100);
    assert_eq!((world.syncer.progress().target, world.syncer.progress().phase), (HUNDRED, SyncPhase::Idle));
}

#[test]
fn garbage_boasts_and_silence_cost_their_senders_not_the_observer() {
    let (honest, garbage, boaster, silent) = (peer(1), peer(2), peer(3), peer(4));
    let characters = [Character::Honest, Character::Garbage, Character::Boaster, Character::Silent];
    let mut world = World::new(2, HUNDRED, [honest, garbage, boaster, silent].into_iter().zip(characters));
    world.run_until(Duration::from_secs(20), |world| world.head == HUNDRED);
    assert_eq!(world.applied, all_up_to(100));
    let punished: Vec<_> = world.punished.iter().map(|(who, _)| *who).collect();
    assert!(!punished.is_empty() && punished.iter().all(|who| *who == garbage), "{:?}", world.punished);
    assert!(world.asked_of(silent) <= 4, "the silent one was asked {} times", world.asked_of(silent));
}

/// Not answering, and having nothing, is no proof of a lie: such peers rest, and keep their score.
#[test]
fn who_claims_and_does_not_deliver_is_asked_seldom_and_not_believed() {
    let (honest, boaster) = (peer(1), peer(2));
    let mut world = World::new(3, HUNDRED, [(honest, Character::Honest), (boaster, Character::Boaster)]);
    world.run_until(PATIENCE, |world| world.head == HUNDRED);
    let before = world.asked_of(boaster);
    world.run_for(Duration::from_secs(300));
    let beyond = world.asked_of(boaster) - before;
    assert!((1..=16).contains(&beyond), "asked {beyond} times for blocks that do not exist");
    assert_eq!((world.punished.len(), world.syncer.progress().target), (0, HUNDRED));
}

#[test]
fn every_kind_of_lie_is_punished_and_harmless() {
    for lie in LIES {
        let liars = [1, 2].map(|number| (peer(number), Character::Lies(lie)));
        let mut world = World::new(4, HUNDRED, liars.into_iter().chain([(peer(3), Character::Honest)]));
        world.run_until(PATIENCE, |world| world.head == HUNDRED);
        assert_eq!(world.applied, all_up_to(100), "{lie:?}");
        for liar in [1, 2] {
            assert!(!world.punished(peer(liar)).is_empty(), "{lie:?} went unpunished");
        }
        assert!(world.punished(peer(3)).is_empty(), "{lie:?} was laid to the honest peer's charge");
        assert!(world.diverged.is_none(), "{lie:?} passed for a divergence");
    }
}

/// faults.md, body-not-bound (FISCO audit): other transactions under a certified header would make execution
/// refuse the block, and one liar could stop every syncing node as diverged.
#[test]
fn body_not_bound_other_transactions_are_a_lie_not_a_divergence() {
    let peers = [(peer(1), Character::Lies(Lie::OtherBody)), (peer(2), Character::Honest)];
    let mut world = World::new(5, HUNDRED, peers);
    world.run_until(PATIENCE, |world| world.head == HUNDRED);
    assert!(world.diverged.is_none());
    let reasons = world.punished(peer(1));
    assert!(reasons.iter().all(|it| matches!(it, SyncError::BodyNotBound { .. })), "{reasons:?}");
}

#[test]
fn a_slow_link_is_no_fault_and_works_in_the_end() {
    let mut world = World::new(6, Height(20), [(peer(1), Character::Slow)]);
    world.run_until(Duration::from_secs(600), |world| world.head == Height(20));
    assert!(world.punished.is_empty());
}

#[test]
fn a_peer_that_leaves_when_asked_is_replaced() {
    let peers = [(peer(1), Character::Flapping), (peer(2), Character::Honest)];
    let mut world = World::new(7, HUNDRED, peers);
    world.run_until(Duration::from_secs(5), |world| world.head == HUNDRED);
    assert!(world.asked_of(peer(1)) > 0 && world.punished.is_empty());
}

#[test]
fn after_an_outage_peers_are_asked_within_seconds() {
    // Nobody answers for ten minutes.
    let mut world = World::new(8, HUNDRED, [1, 2].map(|number| (peer(number), Character::Silent)));
    world.run_for(Duration::from_secs(600));
    assert_eq!((world.head, world.syncer.progress().phase), (Height::ZERO, SyncPhase::Fetching));
    // Then they do: what is open may still have to time out.
    world.turn([1, 2].map(|number| (peer(number), Character::Honest)));
    let limit = world.now + Duration::from_secs(80);
    world.run_until(limit, |world| world.head == HUNDRED);
}

/// faults.md, two-importers (Besu #6053): consensus goes on while blocks are fetched and applied.
#[test]
fn two_importers_the_head_moves_by_consensus_meanwhile() {
    let mut world = World::new(9, HUNDRED, [1, 2].map(|number| (peer(number), Character::Honest)));
    world.run_until(PATIENCE, |world| world.head == Height(30));
    // Three at once: the one in execution, one that is buffered or asked for, and one more.
    for _ in 0..3 {
        world.decide();
    }
    world.run_until(PATIENCE, |world| world.head == HUNDRED);
    let by_sync: Vec<_> = all_up_to(100).into_iter().filter(|it| !(31..=33).contains(&it.0)).collect();
    assert_eq!(world.applied, by_sync, "each block once");
}

#[test]
fn a_block_that_execution_refuses_stops_the_syncer_and_nobody_is_punished() {
    let mut world = World::new(10, HUNDRED, [1, 2].map(|number| (peer(number), Character::Honest)));
    world.refuses = Some(Height(40));
    world.run_until(PATIENCE, |world| world.diverged.is_some());
    let Some(Divergence::Refused { certificate, .. }) = &world.diverged else {
        panic!("{:?}", world.diverged);
    };
    assert_eq!((certificate.height(), certificate.block_hash()), (Height(40), CHAIN.hash(Height(40))));
    let asked = world.asked.len();
    world.run_for(Duration::from_secs(60));
    assert_eq!((world.head, world.asked.len(), world.punished.len()), (Height(39), asked, 0));
    assert_eq!(world.syncer.progress().phase, SyncPhase::Diverged);
}

/// The quorum of height 31 stands on another block 30 than this node does.
#[test]
fn a_fork_below_a_certified_block_stops_the_syncer_and_nobody_is_punished() {
    let config = SyncConfig { domain: CHAIN.domain, verifier: std::sync::Arc::new(Ed25519) };
    let ours = quorate_sync::Head { hash: quorate_types::B256::repeat_byte(0xf0), ..CHAIN.head(Height(30)) };
    let mut syncer = Syncer::new(config, ours.clone());
    let effects = syncer.step(Input::PeerHead { peer: peer(1), height: Height(35) });
    let Effect::Request { id, .. } = effects[0] else { panic!("{effects:?}") };
    let blocks = CHAIN.range(Height(31), 5, LAST);
    let effects = syncer.step(Input::Blocks { request: id, peer: peer(1), blocks });
    let fork = effects.iter().find_map(|effect| match effect {
        Effect::Diverged(Divergence::Fork { height, ours, theirs, .. }) => Some((*height, *ours, *theirs)),
        _ => None,
    });
    assert_eq!(fork, Some((Height(30), ours.hash, CHAIN.hash(Height(30)))));
    assert!(
        !effects.iter().any(|it| matches!(it, Effect::Punish { .. } | Effect::Apply { .. })),
        "{effects:?}"
    );
}

/// A block with a quorum's certificate is in execution when consensus reports another one at its height.
#[test]
fn a_fork_between_sync_and_consensus_stops_the_syncer() {
    let (mut syncer, blocks) = (asking_for_five(), CHAIN.range(Height(1), 1, LAST));
    let effects = syncer.step(Input::Blocks { request: RequestId(0), peer: peer(1), blocks });
    assert!(effects.iter().any(|it| matches!(it, Effect::Apply { .. })), "{effects:?}");
    assert_eq!(syncer.progress().in_flight, 1, "the answer was short: the rest is asked for again");
    let ours = quorate_sync::Head { hash: quorate_types::B256::repeat_byte(0xf0), ..CHAIN.head(Height(1)) };
    let effects = syncer.step(Input::Head(ours));
    assert!(
        matches!(
            effects[..],
            [
                Effect::CancelTimer(Timer::Request(_)),
                Effect::Diverged(Divergence::Fork { height: Height(1), .. })
            ]
        ),
        "{effects:?}"
    );
    assert_eq!(syncer.progress().in_flight, 0);
    // What comes now is told in the progress, and changes nothing else.
    assert!(syncer.step(Input::PeerHead { peer: peer(2), height: Height(9) }).is_empty());
    assert!(syncer.step(Input::Head(CHAIN.head(Height(2)))).is_empty());
    assert_eq!((syncer.progress().head, syncer.progress().target), (Height(2), Height(9)));
}

#[test]
fn what_the_chain_has_passed_is_forgotten() {
    let (mut syncer, blocks) = (asking_for_five(), CHAIN.range(Height(1), 5, LAST));
    let _ = syncer.step(Input::Blocks { request: RequestId(0), peer: peer(1), blocks });
    assert_eq!(syncer.progress().buffered, 4);
    let effects = syncer.step(Input::Head(CHAIN.head(Height(3))));
    assert_eq!(syncer.progress().buffered, 1);
    let next =
        effects.iter().any(|it| matches!(it, Effect::Apply { block, .. } if block.height() == Height(4)));
    assert!(next, "{effects:?}");
    // Late news of what is known already.
    assert!(syncer.step(Input::Head(CHAIN.head(Height(2)))).is_empty());
    assert_eq!(syncer.progress().head, Height(3));
}

/// Consensus was faster than the answer.
#[test]
fn of_an_answer_only_what_is_still_missing_is_kept() {
    let (mut syncer, blocks) = (asking_for_five(), CHAIN.range(Height(1), 5, LAST));
    let _ = syncer.step(Input::Head(CHAIN.head(Height(3))));
    let effects = syncer.step(Input::Blocks { request: RequestId(0), peer: peer(1), blocks });
    let next =
        effects.iter().any(|it| matches!(it, Effect::Apply { block, .. } if block.height() == Height(4)));
    assert!(next, "{effects:?}");
    assert_eq!(syncer.progress().buffered, 1);
}

/// A syncer on block 0 that has just asked peer 1 for blocks 1 to 5, with its first request.
fn asking_for_five() -> Syncer {
    let config = SyncConfig { domain: CHAIN.domain, verifier: std::sync::Arc::new(Ed25519) };
    let mut syncer = Syncer::new(config, CHAIN.head(Height::ZERO));
    let effects = syncer.step(Input::PeerHead { peer: peer(1), height: Height(5) });
    assert!(matches!(effects[0], Effect::Request { id: RequestId(0), count: 5, .. }), "{effects:?}");
    syncer
}
