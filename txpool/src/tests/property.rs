//! Random histories: after every step the books agree, and the choice is what a slow, plain reckoning says.

use std::{cmp::Reverse, collections::BTreeSet};

use alloy_consensus::Transaction as _;
use proptest::{collection::vec, prelude::*};

use super::*;

const SENDERS: u64 = 5;

#[derive(Clone, Debug)]
enum Step {
    Add {
        sender: u64,
        ahead: u64,
        cap: u64,
        tip: u64,
        value: u64,
        bytes: usize,
    },
    /// A block of the first `count` of the best, and one of `stranger`'s that this pool never saw.
    Block {
        count: usize,
        stranger: Option<u64>,
        base_fee: u64,
    },
    Balance {
        sender: u64,
        wei: u64,
    },
    Remove {
        index: usize,
    },
    Expire {
        at_ms: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let add = (0..SENDERS, 0..8u64, 0..6u64, 0..6u64, 0..300_000u64, 0..400usize).prop_map(
        |(sender, ahead, cap, tip, value, bytes)| Step::Add { sender, ahead, cap, tip, value, bytes },
    );
    let block = (0..6usize, prop::option::of(0..SENDERS), 0..4u64)
        .prop_map(|(count, stranger, base_fee)| Step::Block { count, stranger, base_fee });
    let balance = (0..SENDERS, 0..2_000_000u64).prop_map(|(sender, wei)| Step::Balance { sender, wei });
    prop_oneof![
        16 => add,
        3 => block,
        1 => balance,
        1 => (0..20usize).prop_map(|index| Step::Remove { index }),
        1 => (0..300u64).prop_map(|at_ms| Step::Expire { at_ms }),
    ]
}

/// The chain as the pool is told about it.
struct World {
    pool: Pool,
    accounts: BTreeMap<Address, AccountState>,
    base_fee: u64,
    now_ms: u64,
}

impl World {
    fn new() -> Self {
        let pool = pool(PoolConfig {
            max_transactions: 20,
            max_bytes: 5_000,
            max_per_sender: 7,
            max_nonce_gap: 6,
            queued_lifetime_ms: 100,
            ..PoolConfig::default()
        });
        let accounts = (0..SENDERS).map(|number| (numbered(number), account(0, 1_000_000))).collect();
        Self { pool, accounts, base_fee: 0, now_ms: 0 }
    }

    fn take(&mut self, step: Step) {
        self.now_ms += 1;
        match step {
            Step::Add { sender, ahead, cap, tip, value, bytes } => {
                let sender = numbered(sender);
                let nonce = self.accounts[&sender].nonce + ahead;
                let content = TxEip1559 {
                    gas_limit: 60_000,
                    value: U256::from(value),
                    input: vec![0; bytes].into(),
                    ..dynamic(nonce, cap.into(), tip.into())
                };
                self.add(claimed(sender, content));
            }
            Step::Block { count, stranger, base_fee } => self.block(count, stranger, base_fee),
            Step::Balance { sender, wei } => self.change(numbered(sender), |account| {
                account.balance = U256::from(wei);
            }),
            Step::Remove { index } => {
                let hash = self.pool.best(self.base_fee).nth(index).map(Transaction::hash);
                assert_eq!(hash.is_some(), hash.and_then(|hash| self.pool.remove(hash)).is_some());
            }
            Step::Expire { at_ms } => {
                let ready = self.pool.best(self.base_fee).count();
                self.pool.expire(at_ms);
                assert_eq!(self.pool.best(self.base_fee).count(), ready);
            }
        }
    }

    fn add(&mut self, transaction: Transaction) {
        let before = hashes(&self.pool);
        let hash = transaction.hash();
        let account = self.accounts[&transaction.sender()];
        match self.pool.add(transaction, account, self.now_ms) {
            Ok(added) => {
                let left: BTreeSet<_> = added.evicted.into_iter().chain(added.replaced).collect();
                let mut expected: BTreeSet<_> = before.difference(&left).copied().collect();
                expected.insert(hash);
                assert_eq!(hashes(&self.pool), expected);
            }
            Err(_) => assert_eq!(hashes(&self.pool), before, "a refusal changes nothing"),
        }
    }

    fn block(&mut self, count: usize, stranger: Option<u64>, base_fee: u64) {
        let included: Vec<_> = self.pool.best(self.base_fee).take(count).cloned().collect();
        let mut changed = BTreeSet::new();
        for transaction in &included {
            let account = self.accounts.get_mut(&transaction.sender()).unwrap();
            assert_eq!(account.nonce, transaction.nonce(), "the best execute one after the other");
            let used = U256::from(21_000 * transaction.envelope().max_fee_per_gas());
            account.nonce += 1;
            account.balance -= used + transaction.envelope().value();
            changed.insert(transaction.sender());
        }
        if let Some(stranger) = stranger.map(numbered) {
            self.accounts.get_mut(&stranger).unwrap().nonce += 1;
            changed.insert(stranger);
        }
        self.base_fee = base_fee;
        let accounts: Vec<_> =
            changed.into_iter().map(|address| (address, self.accounts[&address])).collect();
        commit_before(&mut self.pool, next_block(base_fee), accounts);
        assert!(included.iter().all(|transaction| !self.pool.contains(transaction.hash())));
    }

    fn change(&mut self, sender: Address, change: impl FnOnce(&mut AccountState)) {
        let account = self.accounts.get_mut(&sender).unwrap();
        change(account);
        let after = *account;
        commit_before(&mut self.pool, next_block(self.base_fee), [(sender, after)]);
    }

    /// Everything that the pool says, against a plain walk over all that it holds.
    fn check(&self) {
        self.pool.assert_consistent();
        let mut ready: BTreeMap<Address, Vec<Transaction>> = BTreeMap::new();
        let mut executable = 0;
        for (sender, all) in everything(&self.pool) {
            let mut expected = self.accounts[&sender];
            let mut payable = true;
            for (nonce, transaction) in all {
                let cost = transaction.max_cost().unwrap();
                if nonce != expected.nonce || cost > expected.balance {
                    break;
                }
                executable += 1;
                expected.nonce += 1;
                expected.balance -= cost;
                payable &= transaction.envelope().max_fee_per_gas() >= u128::from(self.base_fee);
                if payable {
                    ready.entry(sender).or_default().push(transaction);
                }
            }
        }
        assert_eq!(self.pool.status().pending, executable);
        assert_eq!(self.pool.has_work(), !ready.is_empty());
        self.check_best(ready);
    }

    /// Each of the best is first among the senders' next ones by tip, then by arrival; in the end none is left.
    fn check_best(&self, mut ready: BTreeMap<Address, Vec<Transaction>>) {
        let rank = |tx: &Transaction| {
            let tip = tx.envelope().effective_tip_per_gas(self.base_fee).unwrap();
            (tip, Reverse(self.pool.entry(tx.hash()).unwrap().arrival.order))
        };
        for best in self.pool.best(self.base_fee) {
            let first = ready.values().filter_map(|rest| rest.first()).map(rank).max();
            assert_eq!(Some(rank(best)), first);
            let own = ready.get_mut(&best.sender()).unwrap();
            assert_eq!(own.remove(0).hash(), best.hash());
        }
        assert!(ready.values().all(Vec::is_empty));
    }
}

fn everything(pool: &Pool) -> BTreeMap<Address, BTreeMap<u64, Transaction>> {
    let content = pool.content();
    let mut all = content.pending;
    for (sender, queued) in content.queued {
        all.entry(sender).or_default().extend(queued);
    }
    all
}

fn hashes(pool: &Pool) -> BTreeSet<B256> {
    everything(pool)
        .into_values()
        .flat_map(BTreeMap::into_values)
        .map(|transaction| transaction.hash())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_histories_keep_the_books_and_the_order(steps in vec(step(), 1..120)) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
            world.check();
        }
    }
}
