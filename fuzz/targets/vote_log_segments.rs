//! Any bytes as the two segments of a vote log.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate_vote_log::*;

#[path = "../../vote_log/src/damage_tests.rs"]
mod damage;

fuzz_target!(|bytes: &[u8]| damage::check_any_segments(bytes));
