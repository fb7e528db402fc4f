//! What shows only after many blocks. Takes half an hour or so: `make observer-memory`.

use quorate_tests::cluster::Cluster;

/// One validator, so that the blocks come as fast as the interval allows, however few cores there are.
const VALIDATORS: usize = 1;
const OBSERVER: usize = 1;
const BLOCKS: u64 = 100_000;
/// Between two looks.
const STRIDE: u64 = 1_000;
/// Blocks that are waited for at a time.
const STEP: usize = 100;
/// By how many percent the second half may pass the first: the write buffer of the database fills and is emptied once in
/// tens of thousands of such blocks, and the allocator keeps what it finds handy.
const MARGIN: u64 = 10;

/// Given empty blocks as fast as they come, when an observer has followed the second half of them, then it has never held more
/// than in the first.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half an hour"]
async fn observer_memory_is_flat_over_100_000_blocks() {
    let cluster =
        Cluster::create_with(VALIDATORS, &["--block-interval", "10ms", "--empty-block-interval", "10ms"]);
    cluster.up();
    let mut halves = [0, 0];
    for height in (STRIDE..=BLOCKS).step_by(usize::try_from(STRIDE).expect("small")) {
        // In steps, for a wait has an end, and a busy machine is slow.
        for step in (height - STRIDE..=height).step_by(STEP) {
            cluster.wait_for_height(&[OBSERVER], step).await;
        }
        let held = cluster.resident_bytes(OBSERVER);
        println!("height {height}: {} MiB", held >> 20);
        let half = &mut halves[usize::from(height > BLOCKS / 2)];
        *half = held.max(*half);
    }
    let [first, second] = halves;
    assert!(second <= first + first * MARGIN / 100, "{second} bytes after {first}");
    cluster.assert_same_chain(&[0, OBSERVER]).await;
}
