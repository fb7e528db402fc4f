//! Any bytes as a request of sync or fetching.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate_proto::*;

#[path = "../../proto/src/tests/format.rs"]
mod format;

fuzz_target!(|bytes: &[u8]| format::Format::Request.check(bytes));
