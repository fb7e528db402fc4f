//! Faults of other pools (the design's `faults.md`), each as the story of how it would come about here.

use super::*;

/// pool-stuck-sender: Besu #9598, a sender whose transactions reverted is never chosen again.
#[test]
fn pool_stuck_sender_reverted() {
    let mut pool = pool(PoolConfig::default());
    let wallet = Wallet::new(1);
    (0..10).for_each(|nonce| drop(add(&mut pool, &wallet.send(nonce, 1)).unwrap()));
    // A reverted transaction uses its nonce and pays: for the pool it is like any other.
    for nonce in 1..10 {
        commit(&mut pool, [(wallet.address(), account(nonce, RICH - 21_000))]);
        assert_eq!(best(&pool, 0).first(), Some(&(wallet.address(), nonce)));
        assert_eq!(pool.status().queued, 0);
    }
}

/// pool-stuck-sender: the transaction that was replaced is the one that got into a block, or another
/// node's with the same nonce did.
#[test]
fn pool_stuck_sender_replaced() {
    let mut pool = pool(PoolConfig::default());
    let wallet = Wallet::new(1);
    add(&mut pool, &wallet.send(0, 10)).unwrap();
    add(&mut pool, &wallet.send(1, 10)).unwrap();
    let replacement = wallet.send(0, 11);
    add(&mut pool, &replacement).unwrap();
    // The leader had only the old one.
    assert_eq!(commit(&mut pool, [(wallet.address(), account(1, RICH))]).stale, [replacement.hash()]);
    assert_eq!(best(&pool, 0), [(wallet.address(), 1)]);
    assert!(add_at(&mut pool, &wallet.send(2, 1), 1).unwrap().executable);
}

/// pool-stuck-sender: Besu #7589, hundreds wait behind a gap; once it is filled, all go.
#[test]
fn pool_stuck_sender_gap() {
    let mut pool = pool(PoolConfig::default());
    let wallet = Wallet::new(1);
    (5..805).for_each(|nonce| drop(pool.add(wallet.send(nonce, 0), account(0, 0), 0).unwrap()));
    assert!(!pool.has_work());
    (0..5).for_each(|nonce| drop(add(&mut pool, &wallet.send(nonce, 0)).unwrap()));
    let nonces: Vec<_> = best(&pool, 0).into_iter().map(|(_, nonce)| nonce).collect();
    assert_eq!(nonces, (0..805).collect::<Vec<_>>());
}

/// pool-stuck-sender: a queue at its limit, all of it behind a gap, must still take the missing nonce.
#[test]
fn pool_stuck_sender_gap_at_the_limit() {
    let mut pool = pool(PoolConfig { max_per_sender: 4, ..PoolConfig::default() });
    let wallet = Wallet::new(1);
    (1..5).for_each(|nonce| drop(add(&mut pool, &wallet.send(nonce, 0)).unwrap()));
    let last = pool.content_of(wallet.address()).queued[&wallet.address()][&4].hash();
    let added = add(&mut pool, &wallet.send(0, 0)).unwrap();
    assert_eq!((added.executable, added.evicted), (true, vec![last]));
    assert_eq!(pool.status().pending, 4);
}

/// pool-stuck-sender: Besu #1891, a gap that nobody fills stays, and slows every block, for ever.
#[test]
fn pool_stuck_sender_abandoned_gap_expires() {
    let mut pool = pool(PoolConfig { queued_lifetime_ms: 1_000, ..PoolConfig::default() });
    let (gone, present) = (Wallet::new(1), Wallet::new(2));
    let abandoned: Vec<_> = [1, 2].map(|nonce| gone.send(nonce, 0)).to_vec();
    abandoned.iter().for_each(|tx| drop(pool.add(tx.clone(), account(0, 0), 5_000).unwrap()));
    pool.add(present.send(0, 0), account(0, 0), 5_000).unwrap();
    pool.add(gone.send(3, 0), account(0, 0), 5_500).unwrap();

    assert!(pool.expire(5_999).is_empty());
    let expired = pool.expire(6_000);
    pool.assert_consistent();
    assert_eq!(expired, abandoned.iter().map(Transaction::hash).collect::<Vec<_>>());
    assert_eq!((pool.status().pending, pool.status().queued), (1, 1), "what is ready never expires");
}

/// pool-stuck-sender: Besu #10751 (free gas): a sender without any balance sends, is served in its turn, and
/// one with a thousand does not keep one with a single transaction waiting.
#[test]
fn pool_stuck_sender_free_gas() {
    let mut pool = pool(PoolConfig::default());
    let (busy, quiet) = (Wallet::new(1), Wallet::new(2));
    let poor = account(0, 0);
    (0..100).for_each(|nonce| drop(pool.add(busy.send(nonce, 0), poor, 0).unwrap()));
    pool.add(quiet.send(0, 0), poor, 1).unwrap();
    (100..200).for_each(|nonce| drop(pool.add(busy.send(nonce, 0), poor, 2).unwrap()));
    assert_eq!(best(&pool, 0)[100], (quiet.address(), 0), "first come, first served");

    // A priced flood overtakes, but cannot push out what has its fair share.
    let config = PoolConfig { max_transactions: 20, ..PoolConfig::default() };
    let mut small = super::pool(config);
    small.add(quiet.send(0, 0), poor, 0).unwrap();
    for nonce in 0..100 {
        drop(small.add(busy.send(nonce, 5), account(0, RICH), 0));
    }
    small.assert_consistent();
    assert_eq!(small.status().pending, 20);
    assert!(best(&small, 0).contains(&(quiet.address(), 0)));
}

/// pool-stuck-sender: the balance falls below what waits. What it no longer covers leaves, the rest goes on,
/// and the sender may replace by something cheaper.
#[test]
fn pool_stuck_sender_balance_gone() {
    let mut pool = pool(PoolConfig::default());
    let wallet = Wallet::new(1);
    let rich = account(0, 100);
    let sent = [(0, 10), (1, 50), (2, 10), (3, 20)].map(|(nonce, value)| wallet.pay(nonce, value));
    sent.iter().for_each(|tx| drop(pool.add(tx.clone(), rich, 0).unwrap()));

    let departed = commit(&mut pool, [(wallet.address(), account(0, 25))]);
    assert_eq!(departed.unaffordable, [sent[1].hash()]);
    assert_eq!(best(&pool, 0), [(wallet.address(), 0)]);
    // 40 wait, 25 are there: a cheaper one takes nonce 3 all the same, and nonce 1 fills the gap.
    let cheaper = wallet.sign(TxLegacy { value: U256::from(19), ..legacy(3) });
    assert_eq!(pool.add(cheaper, account(0, 25), 0), Err(PoolError::ReplacementUnderpriced));
    let free = wallet.send_1559(3, 0, 0);
    assert_eq!(pool.add(free, account(0, 25), 0), Err(PoolError::ReplacementUnderpriced));
    assert!(pool.add(wallet.pay(1, 0), account(0, 40), 0).unwrap().executable);
    assert_eq!(best(&pool, 0).len(), 4);
}

/// A queue that the balance covers only in part goes on as far as it does, and further when money comes.
#[test]
fn pool_stuck_sender_money_comes() {
    let mut pool = pool(PoolConfig::default());
    let wallet = Wallet::new(1);
    for nonce in 0..3 {
        pool.add(wallet.pay(nonce, 10), account(0, 30), 0).unwrap();
    }
    commit(&mut pool, [(wallet.address(), account(0, 20))]);
    assert_eq!(best(&pool, 0).len(), 2);
    assert_eq!(pool.pending_nonce(wallet.address(), 0), 2);
    let just_enough_for_one = commit(&mut pool, [(wallet.address(), account(0, 10))]);
    assert!(just_enough_for_one.unaffordable.is_empty());
    assert_eq!(best(&pool, 0).len(), 1);
    commit(&mut pool, [(wallet.address(), account(0, 30))]);
    assert_eq!(best(&pool, 0).len(), 3);
    // An account that is gone altogether has nothing left to pay with.
    let gone = StateChanges {
        accounts: BTreeMap::from([(wallet.address(), AccountChange::default())]),
        ..StateChanges::default()
    };
    assert_eq!(pool.on_committed(next_block(0), &gone).unaffordable.len(), 3);
    assert!(!pool.has_work());
}

/// pool-stuck-sender: execution refuses one; it leaves, those behind it wait, a new one at its nonce goes.
#[test]
fn pool_stuck_sender_found_invalid() {
    let mut pool = pool(PoolConfig::default());
    let wallet = Wallet::new(1);
    let invalid = wallet.send(0, 0);
    add(&mut pool, &invalid).unwrap();
    add(&mut pool, &wallet.send(1, 0)).unwrap();
    pool.remove(invalid.hash()).unwrap();
    pool.assert_consistent();
    assert!(!pool.has_work(), "no reason for a block that nobody could fill");
    add(&mut pool, &wallet.send(0, 0)).unwrap();
    assert_eq!(best(&pool, 0).len(), 2);
}

/// pool-full: FISCO #2525, a full pool never drains; #2124, what a full pool refused is lost.
#[test]
fn pool_full_drains_and_takes_again() {
    let mut pool = pool_of(10);
    let (busy, late) = (Wallet::new(1), Wallet::new(2));
    (0..10).for_each(|nonce| drop(add(&mut pool, &busy.send(nonce, 5)).unwrap()));
    let refused = add(&mut pool, &late.send(0, 4));
    assert!(refused.unwrap_err().to_string().starts_with("txpool is full: 10 transactions"));

    commit(&mut pool, [(busy.address(), account(3, RICH))]);
    assert_eq!(pool.status().pending, 7);
    // It is offered again, and taken.
    assert!(add(&mut pool, &late.send(0, 4)).unwrap().executable);
    commit(&mut pool, [(busy.address(), account(10, RICH)), (late.address(), account(1, RICH))]);
    assert_eq!(pool.status(), crate::PoolStatus::default());
    assert!(!pool.has_work());
}

/// pool-full on a chain with a moving base fee: what it has left behind gives way to what can go.
#[test]
fn pool_full_of_what_the_base_fee_left_behind() {
    let mut pool = pool_of(4);
    for seed in 1..=4 {
        add(&mut pool, &Wallet::new(seed).send(0, 10 + u128::from(seed))).unwrap();
    }
    commit_before(&mut pool, next_block(100), []);
    assert!(!pool.has_work());
    // Its tip is below all of theirs, but it can go.
    let ready = Wallet::new(9).send_1559(0, 100, 0);
    assert_eq!(add(&mut pool, &ready).unwrap().evicted.len(), 1);
    assert!(pool.has_work());
    assert_eq!(best(&pool, 100), [(Wallet::new(9).address(), 0)]);
    assert!(pool.content_of(Wallet::new(1).address()).pending.is_empty(), "the lowest fee cap left");
    // One that cannot go either is refused.
    assert!(matches!(add(&mut pool, &Wallet::new(8).send(0, 5)), Err(PoolError::Full { .. })));
}
