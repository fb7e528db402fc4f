//! What holds however a vote log was damaged: the body of the property tests below, and of the fuzz targets in `fuzz/`,
//! which include this file. So it uses nothing but what this crate offers to all.

use quorate_types::Height;

use crate::{Frame, Origin, Outcome, Segments, Sizes, Write, recover};

const IDENTITY: [u8; 32] = [1; 32];
/// What a segment is at least: its header has a page.
const HEADER_BYTES: usize = 4096;
/// Room for some ten small frames, so that a short log goes round both segments.
const SMALL: Sizes = Sizes { segment: HEADER_BYTES + 600, max_segment: HEADER_BYTES + 4000 };
/// The most frames of a log that is damaged: thrice round.
const MAX_FRAMES: u8 = 64;

/// Any two segments are read without a panic.
pub fn check_any_segments(bytes: &[u8]) {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let _ = recover([first, second], &IDENTITY);
    // And behind headers that are in order.
    let [mut front, mut back] = provisioned();
    front.splice(HEADER_BYTES.., first.iter().copied().chain([0; 600]));
    back.splice(HEADER_BYTES.., second.iter().copied().chain([0; 600]));
    assert!(matches!(recover([&front, &back], &IDENTITY), Outcome::Whole(_) | Outcome::Damaged { .. }));
}

/// An honest log, changed in places: the first byte says how many frames it has, each three behind it name a place and
/// what is done to the byte there. No frame is invented; one changed byte loses the last frame at most, unless the log is
/// called damaged; and a log that is called whole goes on.
///
/// # Panics
/// When that is not so.
pub fn check_damaged_log(bytes: &[u8]) {
    let [count, changes @ ..] = bytes else { return };
    let (mut images, appended) = honest_log(count % MAX_FRAMES);
    let Outcome::Whole(honest) = recover([&images[0], &images[1]], &IDENTITY) else {
        panic!("an honest log is whole")
    };
    let before = images.clone();
    for change in changes.chunks_exact(3) {
        let place = usize::from(u16::from_le_bytes([change[0], change[1]]));
        let image = &mut images[place % 2];
        let place = place / 2 % image.len();
        image[place] ^= change[2];
    }
    let changed = (0..2).flat_map(|at| images[at].iter().zip(&before[at])).filter(|(now, then)| now != then);
    let changed = changed.count();
    match recover([&images[0], &images[1]], &IDENTITY) {
        Outcome::Whole(state) => {
            assert!(state.frames.iter().all(|frame| appended.contains(frame)), "a frame is invented");
            let promised = honest.frames.split_last().map_or(&[][..], |(_, others)| others);
            let kept = promised.iter().all(|frame| state.frames.contains(frame));
            assert!(changed > 1 || kept, "a frame is lost, and nothing is said");
            let next = appended.last().map_or(1, |last| last.height.0 + 1);
            let mut segments = Segments::resume(&state, SMALL);
            // It may be full: a change may bring back the need for old frames.
            let Ok(writes) = segments.append(Height(next), b"it goes on") else { return };
            writes.iter().for_each(|write| perform(write, &mut images));
            let Outcome::Whole(state) = recover([&images[0], &images[1]], &IDENTITY) else {
                panic!("a whole log is damaged by its next frame")
            };
            assert_eq!(state.frames.last().map(|frame| &frame.payload[..]), Some(&b"it goes on"[..]));
        }
        Outcome::Damaged { frames, .. } => {
            assert!(changed > 0, "nothing is wrong with it");
            assert!(frames.iter().all(|frame| appended.contains(frame)), "a frame is invented");
        }
        // Both stand under the header's checksum.
        other => panic!("{other:?} of a damaged header"),
    }
}

fn provisioned() -> [Vec<u8>; 2] {
    [(); 2].map(|()| Segments::provision(IDENTITY, *b"the tag!", Origin::Provisioned, SMALL))
}

/// Two heights are undecided at a time, as on a node.
fn honest_log(count: u8) -> ([Vec<u8>; 2], Vec<Frame>) {
    let mut images = provisioned();
    let mut appended = Vec::new();
    let Outcome::Whole(state) = recover([&images[0], &images[1]], &IDENTITY) else {
        panic!("a new log is whole")
    };
    let mut segments = Segments::resume(&state, SMALL);
    for index in 1..=count {
        let height = Height(index.into());
        segments.release(Height(height.0.saturating_sub(2)));
        let payload = vec![index; usize::from(index) * 7 % 60 + 1];
        let writes = segments.append(height, &payload).expect("two heights fit");
        writes.iter().for_each(|write| perform(write, &mut images));
        let written = writes.last().expect("a frame").bytes[16..24].try_into().expect("its sequence");
        appended.push(Frame { sequence: u64::from_le_bytes(written), height, payload });
    }
    (images, appended)
}

fn perform(write: &Write, images: &mut [Vec<u8>; 2]) {
    let (image, end) = (&mut images[write.segment], write.at + write.bytes.len());
    image.resize(image.len().max(end), 0);
    image[write.at..end].copy_from_slice(&write.bytes);
}

#[cfg(test)]
mod properties {
    use proptest::{collection::vec, prelude::*, test_runner::RngSeed};

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 2048, rng_seed: RngSeed::Fixed(20200), failure_persistence: None, ..ProptestConfig::default()
        })]

        #[test]
        fn any_segments(bytes in vec(any::<u8>(), 0..600)) {
            check_any_segments(&bytes);
        }

        #[test]
        fn one_changed_byte(count in any::<u8>(), place in any::<[u8; 2]>(), mask in any::<u8>()) {
            check_damaged_log(&[count, place[0], place[1], mask]);
        }

        #[test]
        fn changed_bytes(bytes in vec(any::<u8>(), 0..60)) {
            check_damaged_log(&bytes);
        }
    }
}
