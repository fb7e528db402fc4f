//! The choice for a proposal, what is work, and what is shared or offered again.

use std::collections::HashSet;

use super::*;

#[test]
fn the_best_go_by_tip_with_each_senders_nonces_in_order() {
    let mut pool = pool(PoolConfig::default());
    let (low, mixed, high) = (Wallet::new(1), Wallet::new(2), Wallet::new(3));
    let sent = [low.send(0, 1), mixed.send(0, 2), mixed.send(1, 100), high.send(0, 50), high.send(1, 1)];
    sent.iter().for_each(|tx| drop(add(&mut pool, tx).unwrap()));
    let expected = [
        (high.address(), 0),
        (mixed.address(), 0),
        (mixed.address(), 1),
        (low.address(), 0),
        (high.address(), 1),
    ];
    assert_eq!(best(&pool, 0), expected);
    assert_eq!(pool.status().pending, 5, "choosing takes nothing out");
}

#[test]
fn tips_count_above_the_base_fee() {
    let mut pool = pool(PoolConfig::default());
    let (legacy, dynamic, below) = (Wallet::new(1), Wallet::new(2), Wallet::new(3));
    add(&mut pool, &legacy.send(0, 12)).unwrap();
    add(&mut pool, &dynamic.send_1559(0, 100, 5)).unwrap();
    add(&mut pool, &below.send(0, 9)).unwrap();
    add(&mut pool, &below.send(1, 1_000)).unwrap();
    // At 10, the first earns 2 and the second 5; the third cannot go, nor what stands behind it.
    assert_eq!(best(&pool, 10), [(dynamic.address(), 0), (legacy.address(), 0)]);
    assert_eq!(best(&pool, 0)[0], (legacy.address(), 0));
}

#[test]
fn a_replacement_keeps_its_place_among_equals() {
    let mut pool = pool(PoolConfig::default());
    let (first, second) = (Wallet::new(1), Wallet::new(2));
    add(&mut pool, &first.send(0, 0)).unwrap();
    add(&mut pool, &second.send(0, 1)).unwrap();
    add(&mut pool, &first.send(0, 1)).unwrap();
    assert_eq!(best(&pool, 0), [(first.address(), 0), (second.address(), 0)]);
}

#[test]
fn work_is_what_can_execute_at_the_head_and_nothing_else() {
    let mut pool = pool(PoolConfig::default());
    let (gapped, low) = (Wallet::new(1), Wallet::new(2));
    assert!(!pool.has_work());
    add(&mut pool, &gapped.send(1, 1_000)).unwrap();
    assert!(!pool.has_work());
    commit_before(&mut pool, next_block(10), []);
    add(&mut pool, &low.send(0, 9)).unwrap();
    add(&mut pool, &low.send(1, 1_000)).unwrap();
    assert!(!pool.has_work());
    commit_before(&mut pool, next_block(9), []);
    assert!(pool.has_work());
    commit_before(&mut pool, next_block(9), [(low.address(), account(2, RICH))]);
    assert!(!pool.has_work());
}

#[test]
fn a_selection_leaves_out_what_the_undecided_parent_holds_and_whom_the_builder_skips() {
    let mut pool = pool(PoolConfig::default());
    let (a, b, c) = (Wallet::new(1), Wallet::new(2), Wallet::new(3));
    let sent = [a.send(0, 9), a.send(1, 9), b.send(0, 5), b.send(1, 5), c.send(0, 1)];
    sent.iter().for_each(|tx| drop(add(&mut pool, tx).unwrap()));

    let parent = HashSet::from([sent[0].hash()]);
    let mut selection = pool.select(0, 100, &parent);
    assert_eq!(selection.next().map(|tx| tx.hash()), Some(sent[1].hash()));
    assert_eq!(selection.next().map(|tx| tx.hash()), Some(sent[2].hash()));
    // b's first does not fit the block, so its second cannot follow.
    selection.skip_sender(b.address());
    assert_eq!(selection.map(|tx| tx.hash()).collect::<Vec<_>>(), [sent[4].hash()]);
    assert_eq!(pool.select(0, 2, &HashSet::new()).count(), 2);
}

/// Given a backlog, then the best of it is offered, each behind those of its sender that must go before it; and when blocks
/// take those, the next best: whatever the limit, nothing is left out for ever.
#[test]
fn what_the_next_leader_should_take_is_offered() {
    let mut pool = pool(PoolConfig::default());
    let [poor, rich, gapped] = [1, 2, 3].map(Wallet::new);
    let sent = [poor.send(0, 1), rich.send(1, 9), rich.send(0, 5)];
    sent.iter().for_each(|tx| drop(add(&mut pool, tx).unwrap()));
    add(&mut pool, &gapped.send(1, 100)).unwrap();
    let offered =
        |pool: &Pool, limit| pool.to_offer(limit, 0, 0).iter().map(Transaction::hash).collect::<Vec<_>>();
    assert_eq!(offered(&pool, 10), [sent[2].hash(), sent[1].hash(), sent[0].hash()]);
    assert_eq!(offered(&pool, 2), [sent[2].hash(), sent[1].hash()]);
    pool.remove(sent[1].hash());
    pool.remove(sent[2].hash());
    assert_eq!(offered(&pool, 2), [sent[0].hash()]);
}

#[test]
fn what_is_old_is_offered_again() {
    let mut pool = pool(PoolConfig::default());
    let wallets = [1, 2, 3].map(Wallet::new);
    let sent: Vec<_> = wallets.iter().map(|wallet| wallet.send(0, 0)).collect();
    for (at_ms, tx) in [1_000, 2_000, 3_000].into_iter().zip(&sent) {
        pool.add(tx.clone(), account(0, 0), at_ms).unwrap();
    }
    let count = |age_ms, now_ms| pool.to_offer(10, age_ms, now_ms).len();
    assert_eq!((count(1_000, 3_000), count(0, 3_000), count(1_000, 1_500)), (2, 3, 0));
    assert_eq!(count(1_000, 0), 0, "a clock that went back is no panic");
}

#[test]
fn what_stands_behind_a_fee_cap_below_the_base_fee_is_not_ready_either() {
    let config = PoolConfig { queued_lifetime_ms: 1_000, ..PoolConfig::default() };
    let mut pool = pool(config);
    let wallet = Wallet::new(1);
    add(&mut pool, &wallet.send(0, 9)).unwrap();
    add(&mut pool, &wallet.send(1, 1_000)).unwrap();
    let seen = |pool: &Pool| pool.to_offer(10, 0, 0).len();
    assert_eq!(seen(&pool), 2);
    commit_before(&mut pool, next_block(10), []);
    assert_eq!(seen(&pool), 0);
    assert_eq!(pool.expire(1_000).len(), 2);
}
