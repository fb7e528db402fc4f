//! Bytes that no honest node sends are refused, or are the one encoding of what they decode to; they
//! never panic.

use proptest::{collection::vec, prelude::*, sample::Index};

use super::{Format, samples, seeded};

/// Tries every decoder, as the fuzz targets do.
fn check_refused_or_canonical(bytes: &[u8]) {
    Format::ALL.into_iter().for_each(|format| format.check(bytes));
}

/// A change that a faulty link, disk or peer may make.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    /// Writes a part of the frame into it once more.
    Repeat(Index, Index, usize),
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let part = |start: usize, len: usize, of: &Vec<u8>| start..(start + len).min(of.len());
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Flip(at, mask) => *at.get_mut(bytes) ^= mask,
            Self::Insert(at, new) => {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, new.iter().copied());
            }
            Self::Remove(at, len) => {
                bytes.drain(part(at.index(bytes.len()), *len, bytes));
            }
            Self::Repeat(from, to, len) => {
                let copy = bytes[part(from.index(bytes.len()), *len, bytes)].to_vec();
                let to = to.index(bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => (any::<Index>(), 1..=255_u8).prop_map(|(at, mask)| Damage::Flip(at, mask)),
        1 => (any::<Index>(), vec(any::<u8>(), 1..8)).prop_map(|(at, new)| Damage::Insert(at, new)),
        1 => (any::<Index>(), 1..80_usize).prop_map(|(at, len)| Damage::Remove(at, len)),
        1 => (any::<Index>(), any::<Index>(), 1..80_usize)
            .prop_map(|(from, to, len)| Damage::Repeat(from, to, len)),
    ]
}

proptest! {
    #![proptest_config(seeded(4096))]

    #[test]
    fn random_bytes(bytes in vec(any::<u8>(), 0..600)) {
        check_refused_or_canonical(&bytes);
    }

    #[test]
    fn random_bytes_behind_a_known_version(bytes in vec(any::<u8>(), 0..600)) {
        check_refused_or_canonical(&[&[8, 1], &bytes[..]].concat());
    }

    #[test]
    fn damaged_frames(which in any::<Index>(), damages in vec(damage(), 1..4)) {
        let mut bytes = which.get(samples::frames()).2.to_vec();
        damages.iter().for_each(|damage| damage.apply(&mut bytes));
        check_refused_or_canonical(&bytes);
    }
}

/// A frame stands for nothing when its end is missing. The few prefixes that are whole frames of their
/// own (a field less) must be read as what they are.
#[test]
fn truncated_frames() {
    for (_, _, frame) in samples::frames() {
        (0..frame.len()).for_each(|end| check_refused_or_canonical(&frame[..end]));
    }
}

#[test]
fn a_frame_has_one_encoding() {
    let (_, format, frame) = &samples::frames()[2];
    let unknown_field = [&frame[..], &[0x7a, 0]].concat();
    let version_twice = [&[8, 1], &frame[..]].concat();
    let long_varint = [&[8, 0x81, 0], &frame[2..]].concat();
    // The envelope's body is a vote of one-byte phase: its `view`, 0, is spelled out behind the rest.
    let mut default_spelled_out = [&frame[..], &[0x18, 0]].concat();
    assert_eq!(default_spelled_out[2], 0x1a, "field 3, the vote");
    default_spelled_out[3] += 2;
    for bytes in [unknown_field, version_twice, long_varint, default_spelled_out] {
        let error = format.reencode(bytes.into()).expect_err("a second encoding");
        assert!(error.to_string().starts_with("message: not canonical"), "{error}");
    }
}
