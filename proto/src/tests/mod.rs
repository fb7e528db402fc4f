//! Tests of the whole wire format; those of one helper stand beside it.

mod bounds;
mod format;
mod generators;
mod golden;
mod junk;
mod memory;
mod round_trip;
mod samples;
mod shapes;

use format::Format;
use proptest::test_runner::{Config, RngSeed};

/// Property tests whose cases are the same on every run.
fn seeded(cases: u32) -> Config {
    Config { cases, rng_seed: RngSeed::Fixed(20200), failure_persistence: None, ..Config::default() }
}
