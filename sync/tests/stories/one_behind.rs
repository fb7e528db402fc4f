//! faults.md, sync-one-behind: a node stays one block behind for ever (FISCO #4213, Malachite #971).

use std::time::Duration;

use quorate_sync::{Effect, Input, SyncConfig, SyncPhase, Syncer, Timer};
use quorate_types::{Ed25519, Height};

use crate::{
    chain::{CHAIN, peer},
    world::{Character, World},
};

fn synced_to(height: u64) -> World {
    let mut world = World::new(20, Height(height), [1, 2].map(|number| (peer(number), Character::Honest)));
    world.run_until(Duration::from_secs(10), |world| world.head == Height(height));
    world
}

#[test]
fn sync_one_behind_consensus_has_its_chance_first() {
    let mut world = synced_to(10);
    let asked = world.asked.len();
    // Somebody speaks of block 11, and consensus decides it a moment later.
    world.feed(Input::Target { height: Height(11), from: peer(1) });
    assert_eq!(world.syncer.progress().phase, SyncPhase::Waiting(Height(11)));
    world.decide();
    world.run_for(Duration::from_secs(5));
    assert_eq!((world.head, world.asked.len()), (Height(11), asked));
}

#[test]
fn sync_one_behind_it_is_fetched_when_consensus_does_not_decide() {
    let mut world = synced_to(10);
    world.tip = Height(11);
    world.feed(Input::Target { height: Height(11), from: peer(1) });
    let limit = world.now + Duration::from_secs(1);
    world.run_until(limit, |world| world.head == Height(11));
    assert_eq!(world.asked.last().map(|(_, ask)| (ask.from, ask.count)), Some((Height(11), 1)));
}

#[test]
fn sync_one_behind_catches_up_while_the_chain_runs() {
    let peers = [1, 2].map(|number| (peer(number), Character::Honest));
    let interval = Duration::from_millis(50);
    let mut world = World::new(21, Height(60), peers).growing(interval);
    world.run_until(Duration::from_secs(12), |world| world.head >= Height(200));
    // Peers tell their heads once a second: a second's blocks, and one, is all that it may be behind.
    assert!(world.tip.0 - world.head.0 <= 21, "{} is far behind {}", world.head, world.tip);
    // The chain halts: the last block comes too, though nobody builds on it.
    world.block_interval = None;
    let last = world.tip;
    let limit = world.now + Duration::from_secs(3);
    world.run_until(limit, |world| world.head == last);
}

#[test]
fn a_grace_that_ends_late_changes_nothing() {
    let config = SyncConfig { domain: CHAIN.domain, verifier: std::sync::Arc::new(Ed25519) };
    let mut syncer = Syncer::new(config, CHAIN.head(Height(10)));
    let effects = syncer.step(Input::PeerHead { peer: peer(1), height: Height(11) });
    assert!(matches!(effects[..], [Effect::SetTimer(Timer::Grace(Height(11)), _)]), "{effects:?}");
    let effects = syncer.step(Input::Head(CHAIN.head(Height(11))));
    assert!(matches!(effects[..], [Effect::CancelTimer(Timer::Grace(Height(11)))]), "{effects:?}");
    // It had fired already, and its input was on the way.
    assert!(syncer.step(Input::Timer(Timer::Grace(Height(11)))).is_empty());
    // The next block has a grace of its own.
    let effects = syncer.step(Input::PeerHead { peer: peer(1), height: Height(12) });
    assert!(matches!(effects[..], [Effect::SetTimer(Timer::Grace(Height(12)), _)]), "{effects:?}");
    assert!(syncer.step(Input::Timer(Timer::Grace(Height(11)))).is_empty());
    let effects = syncer.step(Input::Timer(Timer::Grace(Height(12))));
    assert!(matches!(effects[0], Effect::Request { from: Height(12), count: 1, .. }), "{effects:?}");
}
