//! Any bytes as a batch of transactions.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate_proto::*;

#[path = "../../proto/src/tests/format.rs"]
mod format;

fuzz_target!(|bytes: &[u8]| format::Format::Batch.check(bytes));
