//! Log searches against reading every receipt.

use std::time::Duration;

use proptest::prelude::*;
use quorate_types::{Address, B256, Bytes, Height, Log, StateChanges, keccak256};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::{Chain, raw_transaction};
use crate::{FoundLog, LogBounds, LogFilter, StorageError, Store};

const EVERYTHING: LogFilter = LogFilter {
    from: Height::ZERO,
    to: Height(u64::MAX),
    addresses: vec![],
    topics: [const { vec![] }; 4],
    least_topics: 0,
};

/// Bounds that only the number of logs meets.
const fn at_most(results: usize) -> LogBounds {
    LogBounds { results, bytes: usize::MAX, time: Duration::from_secs(600) }
}

fn address(number: u8) -> Address {
    Address::repeat_byte(number)
}

fn topic(number: u8) -> B256 {
    B256::repeat_byte(number)
}

fn random_log(random: &mut StdRng) -> Log {
    let topics = (0..random.random_range(0..=4)).map(|_| topic(random.random_range(0..6))).collect();
    Log::new(address(random.random_range(0..5)), topics, Bytes::from(vec![random.random()]))
        .expect("4 topics")
}

fn random_filter(blocks: u64, random: &mut StdRng) -> LogFilter {
    let some = |random: &mut StdRng, of: u8| -> Vec<u8> {
        let all: Vec<_> = (0..of).collect();
        let count = *[0, 0, 1, 2].choose(random).expect("not empty");
        all.choose_multiple(random, count).copied().collect()
    };
    LogFilter {
        from: Height(random.random_range(0..=blocks)),
        to: Height(random.random_range(0..=blocks + 3)),
        addresses: some(random, 6).into_iter().map(address).collect(),
        topics: [0; 4].map(|_| some(random, 7).into_iter().map(topic).collect()),
        least_topics: random.random_range(0..=2),
    }
}

fn all_logs(store: &Store) -> Vec<FoundLog> {
    let mut all = Vec::new();
    for height in (0..=store.head().height.0).map(Height) {
        let block = store.block(height).expect("reads").expect("there");
        let mut log_index = 0;
        for (transaction_index, receipt) in (0..).zip(&block.receipts) {
            for log in receipt.logs() {
                all.push(FoundLog {
                    log: log.clone(),
                    height,
                    block_hash: block.hash,
                    timestamp: block.block.header().timestamp,
                    transaction_hash: keccak256(raw_transaction(height.0, transaction_index as usize)),
                    transaction_index,
                    log_index,
                });
                log_index += 1;
            }
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn searches_find_what_reading_everything_finds(seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        let chain = Chain::new();
        for block in 0..40 {
            let logs: Vec<Vec<Log>> = (0..random.random_range(0..3))
                .map(|_| (0..random.random_range(0..3)).map(|_| random_log(&mut random)).collect())
                .collect();
            let next = chain.candidate_with(StateChanges::default(), &logs);
            // The last blocks are decided, but not in the index.
            if block < 37 { next.commit(&chain.store).expect("commits") } else { next.decide(&chain.store) }
        }
        let all = all_logs(&chain.store);
        prop_assert_eq!(&chain.store.logs(&EVERYTHING, at_most(1000)).expect("few"), &all);
        for _ in 0..200 {
            let filter = random_filter(40, &mut random);
            let within = |found: &&FoundLog| filter.from <= found.height && found.height <= filter.to;
            let expected: Vec<_> =
                all.iter().filter(within).filter(|found| filter.matches(&found.log)).cloned().collect();
            prop_assert_eq!(&chain.store.logs(&filter, at_most(1000)).expect("few"), &expected, "{:?}", filter);
        }
    }
}

#[test]
fn too_many_results_are_an_error_that_says_how_many() {
    let chain = Chain::new();
    let log = Log::new(address(1), vec![], Bytes::new()).expect("no topics");
    for _ in 0..5 {
        let next = chain.candidate_with(StateChanges::default(), &[vec![log.clone(); 3]]);
        next.commit(&chain.store).expect("commits");
    }
    assert_eq!(chain.store.logs(&EVERYTHING, at_most(15)).expect("just as many").len(), 15);
    let error = chain.store.logs(&EVERYTHING, at_most(10)).expect_err("more");
    assert!(matches!(error, StorageError::TooManyLogs { found: 12, reached: Height(4), .. }), "{error}");
    let nothing = LogFilter { from: Height(3), to: Height(2), ..EVERYTHING };
    assert_eq!(chain.store.logs(&nothing, at_most(10)).expect("an empty range"), []);
}

/// Given blocks whose logs exceed what a page holds, then each page ends with a whole block, a block that alone is too much is
/// a page of its own, and the pages together are all logs.
#[test]
fn pages_end_between_blocks() {
    let chain = Chain::new();
    for count in [3, 3, 9, 1, 2] {
        let log = Log::new(address(1), vec![], Bytes::from(vec![7; 1000])).expect("no topics");
        let next = chain.candidate_with(StateChanges::default(), &[vec![log; count]]);
        next.commit(&chain.store).expect("commits");
    }
    let pages = |bounds: LogBounds| {
        let (mut pages, mut from) = (Vec::new(), Height(1));
        while from <= Height(5) {
            let page = chain.store.log_page(&LogFilter { from, ..EVERYTHING }, bounds).expect("reads");
            assert!(page.next > from, "it goes on");
            pages.push(page.logs.len());
            from = page.next;
        }
        pages
    };
    assert_eq!(pages(at_most(6)), [6, 9, 3]);
    assert_eq!(pages(LogBounds { bytes: 6 * 1400, ..at_most(1000) }), [6, 9, 3]);
    assert_eq!(pages(at_most(1000)), [18]);
    let too_large = chain.store.logs(&EVERYTHING, LogBounds { bytes: 10_000, ..at_most(1000) });
    assert!(matches!(too_large, Err(StorageError::TooLargeLogs { reached: Height(3), .. })), "{too_large:?}");
}

/// Given no time at all, then a search says so instead of going on.
#[test]
fn a_search_ends_in_time() {
    let chain = Chain::new();
    let log = Log::new(address(1), vec![], Bytes::new()).expect("no topics");
    let next = chain.candidate_with(StateChanges::default(), &[vec![log]]);
    next.commit(&chain.store).expect("commits");
    let bounds = LogBounds { time: Duration::ZERO, ..at_most(10) };
    assert!(matches!(chain.store.logs(&EVERYTHING, bounds), Err(StorageError::TimeLimit { .. })));
    assert!(matches!(chain.store.log_page(&EVERYTHING, bounds), Err(StorageError::TimeLimit { .. })));
}

/// A search goes through more than one section of the index.
#[test]
fn searches_cross_sections() {
    let chain = Chain::new();
    let with_logs = [1, 4094, 4095, 4096, 4097, 4200];
    for height in 1..=4200 {
        let log = Log::new(address(1), vec![topic(2)], Bytes::new()).expect("one topic");
        let logs = if with_logs.contains(&height) { vec![vec![log]] } else { vec![] };
        chain.candidate_with(StateChanges::default(), &logs).commit(&chain.store).expect("commits");
    }
    let found = |from: u64, to: u64, addresses: Vec<Address>| -> Vec<u64> {
        let filter = LogFilter { from: Height(from), to: Height(to), addresses, ..EVERYTHING };
        chain.store.logs(&filter, at_most(100)).expect("few").iter().map(|found| found.height.0).collect()
    };
    assert_eq!(found(0, u64::MAX, vec![address(1)]), with_logs);
    assert_eq!(found(0, u64::MAX, vec![]), with_logs);
    assert_eq!(found(4095, 4096, vec![address(1)]), [4095, 4096]);
    assert_eq!(found(2, 4094, vec![]), [4094]);
    assert_eq!(found(0, u64::MAX, vec![address(2)]), [0_u64; 0]);
}
