//! Any bytes as its answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate_proto::*;

#[path = "../../proto/src/tests/format.rs"]
mod format;

fuzz_target!(|bytes: &[u8]| format::Format::Response.check(bytes));
