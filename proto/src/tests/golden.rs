//! The bytes of every frame, on record: a change of the format shows here and must be meant.

use std::collections::BTreeMap;

use quorate_types::hex;

use super::samples;

/// Lines of `name hex`.
const GOLDEN: &str = include_str!("golden.txt");

#[test]
fn every_frame_has_the_bytes_on_record() {
    let recorded: BTreeMap<_, _> = GOLDEN.lines().filter_map(|line| line.split_once(' ')).collect();
    let now: Vec<_> = samples::frames().iter().map(|(name, _, frame)| (*name, hex::encode(frame))).collect();
    let changed: Vec<_> = now
        .iter()
        .filter(|(name, bytes)| recorded.get(name) != Some(&bytes.as_str()))
        .map(|(name, bytes)| format!("{name} {bytes}"))
        .collect();
    assert!(
        changed.is_empty(),
        "the format has changed: nodes and logs in the field do not read it. If it is meant, raise the \
         version and record these lines in golden.txt:\n{}",
        changed.join("\n")
    );
    assert_eq!(recorded.len(), now.len(), "a recorded frame is no longer tested");
}

#[test]
fn every_recorded_frame_is_read_and_written_back() {
    for (name, format, frame) in samples::frames() {
        assert_eq!(format.reencode(frame.clone()), Ok(frame.clone()), "{name}");
    }
}
