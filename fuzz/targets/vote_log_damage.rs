//! Any bytes as changes to an honest vote log.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate_vote_log::*;

#[path = "../../vote_log/src/damage_tests.rs"]
mod damage;

fuzz_target!(|bytes: &[u8]| damage::check_damaged_log(bytes));
