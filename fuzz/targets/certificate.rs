//! Any bytes as a commit certificate on its own.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate_proto::*;

#[path = "../../proto/src/tests/format.rs"]
mod format;

fuzz_target!(|bytes: &[u8]| format::Format::Certificate.check(bytes));
