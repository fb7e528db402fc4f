//! Nonces, funds, replacement and the bounds of one sender.

use super::*;

fn refusal(result: Result<Added, PoolError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_gap_that_is_filled_promotes_what_waits_behind_it() {
    let mut pool = pool(PoolConfig::default());
    let wallet = Wallet::new(1);
    assert!(add(&mut pool, &wallet.send(0, 0)).unwrap().executable);
    assert!(!add(&mut pool, &wallet.send(2, 0)).unwrap().executable);
    assert!(!add(&mut pool, &wallet.send(3, 0)).unwrap().executable);
    assert_eq!((pool.status().pending, pool.status().queued), (1, 2));
    assert_eq!(pool.pending_nonce(wallet.address(), 0), 1);

    assert!(add(&mut pool, &wallet.send(1, 0)).unwrap().executable);
    assert_eq!((pool.status().pending, pool.status().queued), (4, 0));
    assert_eq!(pool.pending_nonce(wallet.address(), 0), 4);
}

#[test]
fn used_and_far_nonces_are_refused_in_geths_words() {
    let mut pool = pool(PoolConfig::default());
    let wallet = Wallet::new(1);
    let low = refusal(add_at(&mut pool, &wallet.send(3, 0), 5));
    assert_eq!(low, "nonce too low: next nonce 5, tx nonce 3");
    add_at(&mut pool, &wallet.send(5 + 1_024, 0), 5).unwrap();
    let high = refusal(add_at(&mut pool, &wallet.send(5 + 1_025, 0), 5));
    assert!(high.starts_with("nonce too high: tx nonce 1030, next nonce 5, at most 1024 ahead"), "{high}");
}

#[test]
fn the_balance_must_cover_each_and_all() {
    let mut pool = pool(PoolConfig::default());
    let wallet = Wallet::new(1);
    let mut pay = |nonce, value| {
        let added = pool.add(wallet.pay(nonce, value), account(0, 10), 0).map(|added| added.executable);
        pool.assert_consistent();
        added.map_err(|error| error.to_string())
    };
    let alone = "insufficient funds for gas * price + value: balance 10, tx cost 11, overshot 1";
    assert_eq!(pay(0, 11), Err(alone.to_owned()));
    assert_eq!(pay(0, 6), Ok(true));
    let all = "insufficient funds for gas * price + value: balance 10, queued cost 6, tx cost 5, overshot 1";
    assert_eq!(pay(1, 5), Err(all.to_owned()));
    assert_eq!(pay(1, 4), Ok(true));
    assert_eq!(pay(2, 0), Ok(true), "what costs nothing always fits");
}

#[test]
fn a_cost_beyond_256_bits_is_no_panic() {
    let mut pool = pool(PoolConfig::default());
    let all = Wallet::new(1).sign(TxLegacy { value: U256::MAX, gas_price: 1, ..legacy(0) });
    let added = pool.add(all, AccountState { balance: U256::MAX, ..account(0, 0) }, 0);
    assert_eq!(added, Err(PoolError::CostOverflow));

    // Two that each take all: the sum does not wrap around either.
    let wallet = Wallet::new(2);
    let rich = AccountState { balance: U256::MAX, ..account(0, 0) };
    pool.add(wallet.sign(TxLegacy { value: U256::MAX, ..legacy(0) }), rich, 0).unwrap();
    let second = pool.add(wallet.sign(TxLegacy { value: U256::MAX, ..legacy(1) }), rich, 0);
    assert!(matches!(second, Err(PoolError::Overdraft { .. })), "{second:?}");
    pool.assert_consistent();
}

#[test]
fn a_replacement_pays_ten_percent_more_on_both_fields() {
    let mut pool = pool(PoolConfig::default());
    let wallet = Wallet::new(1);
    let old = wallet.send_1559(0, 1_000, 100);
    add(&mut pool, &old).unwrap();
    let underpriced = "replacement transaction underpriced";
    assert_eq!(refusal(add(&mut pool, &wallet.send_1559(0, 1_099, 110))), underpriced);
    assert_eq!(refusal(add(&mut pool, &wallet.send_1559(0, 1_100, 109))), underpriced);
    assert!(pool.contains(old.hash()));

    let new = wallet.send_1559(0, 1_100, 110);
    assert_eq!(add(&mut pool, &new).unwrap().replaced, Some(old.hash()));
    assert!(!pool.contains(old.hash()) && pool.contains(new.hash()));
    assert_eq!(pool.status().pending, 1);
}

#[test]
fn at_price_0_a_replacement_pays_1_wei_more_on_both_fields() {
    let mut pool = pool(PoolConfig::default());
    let wallet = Wallet::new(1);
    add(&mut pool, &wallet.send_1559(0, 0, 0)).unwrap();
    assert_eq!(add(&mut pool, &wallet.send_1559(0, 1, 0)), Err(PoolError::ReplacementUnderpriced));
    assert!(add(&mut pool, &wallet.send_1559(0, 1, 1)).unwrap().replaced.is_some());
    // 10 % of 1 is nothing: it takes 1 wei again.
    let same_price = wallet.sign(TxEip1559 { gas_limit: 21_001, ..dynamic(0, 1, 1) });
    assert_eq!(add(&mut pool, &same_price), Err(PoolError::ReplacementUnderpriced));
    assert!(add(&mut pool, &wallet.send(0, 2)).unwrap().replaced.is_some());
}

#[test]
fn the_bump_of_the_highest_price_does_not_overflow() {
    let config = PoolConfig::default();
    assert_eq!(config.bumped(u128::MAX), u128::MAX);
    assert_eq!([0, 1, 9, 19, 20, 100, 1_005].map(|fee| config.bumped(fee)), [1, 2, 10, 20, 22, 110, 1_105]);
}

#[test]
fn the_same_transaction_twice_is_already_known() {
    let mut pool = pool(PoolConfig::default());
    let tx = Wallet::new(1).send(0, 0);
    add(&mut pool, &tx).unwrap();
    assert_eq!(refusal(add(&mut pool, &tx)), "already known");
}

#[test]
fn one_sender_has_a_limit() {
    let mut pool = pool(PoolConfig { max_per_sender: 3, ..PoolConfig::default() });
    let (wallet, other) = (Wallet::new(1), Wallet::new(2));
    (0..3).for_each(|nonce| drop(add(&mut pool, &wallet.send(nonce, 0)).unwrap()));
    let refused = refusal(add(&mut pool, &wallet.send(3, 100)));
    assert!(refused.starts_with("account limit exceeded: pooled 3 txs"), "{refused}");
    assert!(add(&mut pool, &wallet.send(1, 1)).unwrap().replaced.is_some(), "replacing needs no room");
    add(&mut pool, &other.send(0, 0)).unwrap();

    commit(&mut pool, [(wallet.address(), account(1, RICH))]);
    assert!(add_at(&mut pool, &wallet.send(3, 0), 1).unwrap().executable);
}

#[test]
fn after_a_block_its_nonces_are_too_low_and_the_rest_moves_up() {
    let mut pool = pool(PoolConfig::default());
    let wallet = Wallet::new(1);
    let [first, second, third] = [0, 1, 2].map(|nonce| wallet.send(nonce, 0));
    [&first, &second, &third].into_iter().for_each(|tx| drop(add(&mut pool, tx).unwrap()));

    let departed = commit(&mut pool, [(wallet.address(), account(2, RICH))]);
    assert_eq!(departed.stale, [first.hash(), second.hash()]);
    assert_eq!(best(&pool, 0), [(wallet.address(), 2)]);
    assert_eq!(refusal(add_at(&mut pool, &wallet.send(1, 9), 2)), "nonce too low: next nonce 2, tx nonce 1");
}

#[test]
fn an_account_read_before_the_last_block_brings_nothing_back() {
    let mut pool = pool(PoolConfig::default());
    let wallet = Wallet::new(1);
    (0..3).for_each(|nonce| drop(add(&mut pool, &wallet.send(nonce, 0)).unwrap()));
    commit(&mut pool, [(wallet.address(), account(2, RICH))]);
    // The pool knows the account better than this reader does.
    assert_eq!(add_at(&mut pool, &wallet.send(0, 5), 0), Err(PoolError::NonceTooLow { next: 2, nonce: 0 }));
    assert_eq!(best(&pool, 0), [(wallet.address(), 2)]);
}

#[test]
fn an_account_read_after_a_block_that_the_pool_has_not_seen_is_followed() {
    let mut pool = pool(PoolConfig::default());
    let wallet = Wallet::new(1);
    (0..3).for_each(|nonce| drop(add(&mut pool, &wallet.send(nonce, 0)).unwrap()));
    assert!(add_at(&mut pool, &wallet.send(3, 0), 2).unwrap().executable);
    assert_eq!(best(&pool, 0), [(wallet.address(), 2), (wallet.address(), 3)]);
    assert_eq!(pool.pending_nonce(wallet.address(), 2), 4);
    assert_eq!(pool.pending_nonce(wallet.address(), 7), 7, "a head further on than the pool");
    // The late news of an older block changes nothing.
    commit(&mut pool, [(wallet.address(), account(1, RICH))]);
    assert_eq!(best(&pool, 0).len(), 2);
}

#[test]
fn what_left_can_come_again() {
    let mut pool = pool(PoolConfig::default());
    let wallet = Wallet::new(1);
    let tx = wallet.send(0, 0);
    add(&mut pool, &tx).unwrap();
    assert_eq!(pool.remove(tx.hash()).map(|removed| removed.hash()), Some(tx.hash()));
    assert!(pool.remove(tx.hash()).is_none());
    assert!(!pool.has_work());
    assert!(add(&mut pool, &tx).unwrap().executable);
}

#[test]
fn contents_are_shown_by_sender_and_nonce() {
    let mut pool = pool(PoolConfig::default());
    let (wallet, other) = (Wallet::new(1), Wallet::new(2));
    let sent = [wallet.send(0, 0), wallet.send(2, 0), other.send(0, 0)];
    sent.iter().for_each(|tx| drop(add(&mut pool, tx).unwrap()));
    let content = pool.content();
    assert_eq!(content.pending[&wallet.address()].keys().collect::<Vec<_>>(), [&0]);
    assert_eq!(content.queued[&wallet.address()].keys().collect::<Vec<_>>(), [&2]);
    assert_eq!((content.pending.len(), content.queued.len()), (2, 1));
    let own = pool.content_of(other.address());
    assert_eq!((own.pending.len(), own.queued.len()), (1, 0));
    assert_eq!(pool.get(sent[1].hash()).map(Transaction::nonce), Some(2));
    assert_eq!(pool.status().bytes, sent.iter().map(|tx| tx.raw().len()).sum::<usize>());
}
