//! Who gives way when the pool is full.

use super::*;
use crate::FAIR_SHARE;

#[test]
fn a_flood_displaces_itself_and_never_an_honest_sender() {
    let mut pool = pool_of(100);
    let (flooder, honest) = (Wallet::new(1), Wallet::new(2));
    (0..100).for_each(|nonce| drop(add(&mut pool, &flooder.send(nonce, 50)).unwrap()));
    for nonce in 0..10 {
        let added = add(&mut pool, &honest.send(nonce, 0)).unwrap();
        assert_eq!((added.executable, added.evicted.len()), (true, 1));
    }
    for nonce in 90..110 {
        let again = add(&mut pool, &flooder.send(nonce, 1_000));
        assert!(matches!(again, Err(PoolError::Full { transactions: 100, .. })), "{again:?}");
    }
    assert_eq!(pool.content_of(honest.address()).pending[&honest.address()].len(), 10);
    assert_eq!(pool.status().pending, 100);
}

#[test]
fn many_senders_within_their_share_compete_by_tip_and_the_earlier_wins() {
    let mut pool = pool_of(4);
    for seed in 1..=4 {
        add(&mut pool, &Wallet::new(seed).send(0, 5)).unwrap();
    }
    assert!(matches!(add(&mut pool, &Wallet::new(5).send(0, 5)), Err(PoolError::Full { .. })));
    let added = add(&mut pool, &Wallet::new(6).send(0, 6)).unwrap();
    let youngest = Wallet::new(4).send(0, 5).hash();
    assert_eq!(added.evicted, [youngest]);
}

#[test]
fn a_high_tip_behind_a_low_one_protects_nothing() {
    let mut pool = pool_of(4);
    let (sly, fair) = (Wallet::new(1), Wallet::new(2));
    add(&mut pool, &sly.send(0, 0)).unwrap();
    add(&mut pool, &sly.send(1, 1_000)).unwrap();
    add(&mut pool, &fair.send(0, 10)).unwrap();
    add(&mut pool, &fair.send(1, 10)).unwrap();
    let added = add(&mut pool, &Wallet::new(3).send(0, 1)).unwrap();
    assert_eq!(added.evicted, [sly.send(1, 1_000).hash()]);
}

#[test]
fn a_heavy_sender_keeps_its_share_against_free_newcomers() {
    let mut pool = pool_of(40);
    let gateway = Wallet::new(1);
    (0..40).for_each(|nonce| drop(add(&mut pool, &gateway.send(nonce, 5)).unwrap()));
    let mut admitted = 0;
    for number in 1..100 {
        let tx = claimed(numbered(number), dynamic(0, 0, 0));
        admitted += usize::from(pool.add(tx, account(0, 0), 0).is_ok());
    }
    pool.assert_consistent();
    assert_eq!(admitted, 40 - FAIR_SHARE);
    assert_eq!(pool.content_of(gateway.address()).pending[&gateway.address()].len(), FAIR_SHARE);
}

#[test]
fn what_waits_behind_a_gap_gives_way_first_and_displaces_nothing() {
    let mut pool = pool_of(6);
    let (gapped, more_gapped, honest) = (Wallet::new(1), Wallet::new(2), Wallet::new(3));
    add(&mut pool, &gapped.send(1, 1_000)).unwrap();
    add(&mut pool, &more_gapped.send(1, 1_000)).unwrap();
    add(&mut pool, &more_gapped.send(2, 1_000)).unwrap();
    (0..3).for_each(|nonce| drop(add(&mut pool, &honest.send(nonce, 0)).unwrap()));

    assert_eq!(add(&mut pool, &honest.send(3, 0)).unwrap().evicted, [more_gapped.send(2, 1_000).hash()]);
    assert!(add(&mut pool, &honest.send(4, 0)).is_ok());
    assert!(add(&mut pool, &honest.send(5, 0)).is_ok());
    assert_eq!((pool.status().pending, pool.status().queued), (6, 0));
    let late = add(&mut pool, &gapped.send(1, 9_000));
    assert!(matches!(late, Err(PoolError::Full { .. })), "{late:?}");
}

#[test]
fn filling_ones_own_gap_in_a_full_pool_keeps_what_it_promotes() {
    let mut pool = pool_of(4);
    let (wallet, other) = (Wallet::new(1), Wallet::new(2));
    add(&mut pool, &wallet.send(1, 5)).unwrap();
    add(&mut pool, &wallet.send(2, 5)).unwrap();
    add(&mut pool, &other.send(0, 1)).unwrap();
    add(&mut pool, &other.send(1, 1)).unwrap();
    let added = add(&mut pool, &wallet.send(0, 5)).unwrap();
    assert_eq!(added.evicted, [other.send(1, 1).hash()], "the lower tip, as all can execute");
    assert_eq!(pool.status().pending, 4);
}

#[test]
fn bytes_are_bounded_too_and_a_refusal_changes_nothing() {
    let mut pool = pool(PoolConfig { max_bytes: 10_000, ..PoolConfig::default() });
    for seed in 1..=9 {
        add(&mut pool, &Wallet::new(seed).bulky(0, u128::from(seed), 900)).unwrap();
    }
    let before = pool.status();
    assert!(before.bytes > 9_000);
    // It would take the place of three, but is worth more than two of them only.
    let middling = Wallet::new(20).bulky(0, 3, 2_900);
    assert!(matches!(add(&mut pool, &middling), Err(PoolError::Full { .. })));
    assert_eq!(pool.status(), before);
    assert_eq!(best(&pool, 0).len(), 9);

    let better = Wallet::new(20).bulky(0, 10, 2_900);
    let evicted = add(&mut pool, &better).unwrap().evicted;
    let cheapest = [1, 2, 3].map(|seed| Wallet::new(seed).bulky(0, u128::from(seed), 900).hash());
    assert_eq!(evicted, cheapest);
    assert!(pool.status().bytes <= 10_000);
}

#[test]
fn a_replacement_that_does_not_fit_leaves_the_old_one() {
    let mut pool = pool(PoolConfig { max_bytes: 2_000, ..PoolConfig::default() });
    let (wallet, other) = (Wallet::new(1), Wallet::new(2));
    let old = wallet.bulky(0, 1, 100);
    add(&mut pool, &old).unwrap();
    add(&mut pool, &other.bulky(0, 100, 1_000)).unwrap();
    assert!(matches!(add(&mut pool, &wallet.bulky(0, 2, 1_500)), Err(PoolError::Full { .. })));
    assert!(pool.contains(old.hash()));
    assert_eq!(best(&pool, 0), [(other.address(), 0), (wallet.address(), 0)]);
}

#[test]
fn what_was_evicted_comes_again_when_there_is_room() {
    let mut pool = pool_of(1);
    let (poor, rich) = (Wallet::new(1), Wallet::new(2));
    let evicted = poor.send(0, 1);
    add(&mut pool, &evicted).unwrap();
    add(&mut pool, &rich.send(0, 2)).unwrap();
    assert!(!pool.contains(evicted.hash()));
    commit(&mut pool, [(rich.address(), account(1, RICH))]);
    assert!(add(&mut pool, &evicted).unwrap().executable);
}
