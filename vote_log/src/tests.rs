//! Stories about the vote log: what survives which stop.

use std::fs;

use rand::{Rng, SeedableRng, rngs::StdRng};

use quorate_types::Height;

use super::*;
use crate::{
    files::{DAMAGED_FOLDER, FOLDER, SEGMENTS, UNFINISHED_FOLDER, provision},
    frame::{FRAME_BYTES, HEADER_BYTES, RawFrame, SegmentHeader},
    recovery::{Condition, Outcome, recover},
    segments::{Refusal, SEGMENT_BYTES, Sizes},
};

const ALICE: [u8; 32] = [1; 32];
const BOB: [u8; 32] = [2; 32];
/// Room for some ten small frames, so that tests go round both segments often.
const SMALL: Sizes = Sizes { segment: HEADER_BYTES + 600, max_segment: HEADER_BYTES + 4000 };

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn provisioned() -> Self {
        let folder = Self::new();
        provision(folder.path(), ALICE, Origin::Provisioned, SMALL).expect("provisions");
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// For a node without a block.
    fn open(&self) -> (VoteLog, Recovery) {
        self.open_at(0)
    }

    fn open_at(&self, head: u64) -> (VoteLog, Recovery) {
        VoteLog::open_with(self.path(), ALICE, Height(head), SMALL).expect("opens")
    }

    fn segment(&self, at: usize) -> PathBuf {
        self.path().join(FOLDER).join(SEGMENTS[at])
    }

    /// Both segments as they are now: what a power cut at this instant leaves.
    fn images(&self) -> [Vec<u8>; 2] {
        [0, 1].map(|at| fs::read(self.segment(at)).expect("a segment"))
    }

    fn put(&self, images: &[Vec<u8>; 2]) {
        for (at, image) in images.iter().enumerate() {
            fs::write(self.segment(at), image).expect("writes");
        }
    }
}

fn append(log: &mut VoteLog, height: u64) -> Vec<u8> {
    let payload = format!("vote {}", log.segments.next_sequence).into_bytes();
    log.append(Height(height), &payload).expect("appends");
    payload
}

fn sequences(recovery: &Recovery) -> Vec<u64> {
    recovery.frames.iter().map(|frame| frame.sequence).collect()
}

fn recovered(images: &[Vec<u8>; 2]) -> Outcome {
    recover([&images[0], &images[1]], &ALICE)
}

fn whole(images: &[Vec<u8>; 2]) -> State {
    match recovered(images) {
        Outcome::Whole(state) => state,
        other => panic!("not whole: {other:?}"),
    }
}

fn is_damaged(images: &[Vec<u8>; 2]) -> bool {
    matches!(recovered(images), Outcome::Damaged { .. })
}

#[test]
fn a_provisioned_log_is_fresh_until_its_first_frame_and_intact_after_it() {
    let folder = Folder::new();
    VoteLog::create(folder.path(), ALICE).expect("creates");
    assert!(matches!(VoteLog::create(folder.path(), ALICE), Err(VoteLogError::Exists { .. })));

    let (mut log, recovery) = VoteLog::open(folder.path(), ALICE, Height::ZERO).expect("opens");
    assert_eq!(recovery, Recovery { frames: vec![], condition: Condition::Fresh });
    log.append(Height(7), b"prevote").expect("appends");
    drop(log);

    let (_, recovery) = VoteLog::open(folder.path(), ALICE, Height::ZERO).expect("opens");
    let frame = Frame { sequence: 1, height: Height(7), payload: b"prevote".to_vec() };
    assert_eq!(recovery, Recovery { frames: vec![frame], condition: Condition::Intact });
    assert_eq!(fs::metadata(folder.segment(1)).expect("a file").len(), SEGMENT_BYTES as u64);
}

/// faults.md, wiped-node: a log that is gone must not pass for that of a new node, however often the
/// node starts before it signs again.
#[test]
fn wiped_node_is_told_that_its_log_is_missing_until_it_signs_again() {
    let folder = Folder::new();
    for _ in 0..3 {
        assert_eq!(folder.open().1.condition, Condition::Missing);
    }
    append(&mut folder.open().0, 9);
    assert_eq!(folder.open().1.condition, Condition::Intact);
}

#[test]
fn a_log_is_bound_to_its_node_and_opened_once() {
    let folder = Folder::provisioned();
    let (log, _) = folder.open();
    let second = VoteLog::open_with(folder.path(), ALICE, Height::ZERO, SMALL);
    assert!(matches!(second, Err(VoteLogError::InUse { .. })));
    drop(log);
    let before = folder.images();
    assert!(matches!(
        VoteLog::open_with(folder.path(), BOB, Height::ZERO, SMALL),
        Err(VoteLogError::Foreign { .. })
    ));
    assert_eq!(folder.images(), before, "a stranger leaves no trace");
}

/// How the log came to the append that a power cut tears.
#[derive(Clone, Copy, Debug)]
enum Before {
    /// Behind it are zeros.
    FirstUse,
    /// Behind it are old, valid frames.
    Reused,
    /// All frames of both segments were needed until just now: it begins to overwrite the older ones.
    ReleasedAtOnce,
}

fn log_before_a_power_cut(folder: &Folder, story: Before) -> VoteLog {
    let (mut log, _) = folder.open();
    let mut height = 0;
    let enough = |log: &VoteLog, height| match story {
        Before::FirstUse => height == 3,
        Before::Reused => height == 30,
        Before::ReleasedAtOnce => log.segments.active == 1 && log.segments.chains[1].end + 60 > SMALL.segment,
    };
    while !enough(&log, height) {
        height += 1;
        append(&mut log, height);
        if matches!(story, Before::Reused) {
            log.release(Height(height.saturating_sub(2)));
        }
    }
    if matches!(story, Before::ReleasedAtOnce) {
        log.release(Height(height));
    }
    log
}

/// faults.md, power-cut-before-write: whatever part of the last write reached the disk, all frames
/// before it are there, it is there as a whole or not at all, and the log goes on.
#[test]
fn power_cut_at_every_byte_of_the_last_frame_loses_at_most_that_frame() {
    for story in [Before::FirstUse, Before::Reused, Before::ReleasedAtOnce] {
        let folder = Folder::provisioned();
        let mut log = log_before_a_power_cut(&folder, story);
        let old = folder.images();
        let frame = FRAME_BYTES + append(&mut log, 100).len();
        let (active, end) = (log.segments.active, log.segments.chains[log.segments.active].end);
        let after = folder.images();
        // All writes before the last one were synced.
        let mut before = after.clone();
        before[active][end - frame..end].copy_from_slice(&old[active][end - frame..end]);
        let expected = whole(&before).frames;
        for cut in 0..=frame {
            let mut torn = before.clone();
            let written = end - frame..end - frame + cut;
            torn[active][written.clone()].copy_from_slice(&after[active][written]);
            let state = whole(&torn);
            // What is missing may be what stood there before: one last byte of 256 is.
            let arrived = torn[active] == after[active];
            assert!(arrived || cut < frame);
            let lost = if arrived { 0 } else { 1 };
            assert_eq!(state.next_sequence, log.segments.next_sequence - lost, "{story:?}, cut at {cut}");
            assert!(arrived || state.frames == expected, "{story:?}, cut at {cut}");
        }
        drop(log);
        before[active][end - frame..end - 1].copy_from_slice(&after[active][end - frame..end - 1]);
        folder.put(&before);
        append(&mut folder.open_at(99).0, 101);
        assert_eq!(folder.open_at(99).1.condition, Condition::Intact, "{story:?}");
    }
}

/// Sectors of one write may reach the disk in any order: any mixture of old and new bytes is a torn frame.
#[test]
fn a_power_cut_may_keep_any_sectors_of_the_last_write() {
    let mut random = StdRng::seed_from_u64(5);
    let folder = Folder::provisioned();
    let (mut log, _) = folder.open();
    for height in 1..200 {
        log.release(Height(height - 1));
        let before = folder.images();
        append(&mut log, height);
        let after = folder.images();
        let mut torn = before;
        for (torn, after) in torn.iter_mut().zip(&after) {
            torn.resize(after.len(), 0);
            for (torn, after) in torn.chunks_mut(16).zip(after.chunks(16)) {
                if random.random() {
                    torn.copy_from_slice(after);
                }
            }
        }
        let newest = whole(&torn).next_sequence;
        assert!(
            [log.segments.next_sequence, log.segments.next_sequence - 1].contains(&newest),
            "height {height}"
        );
    }
}

/// A flipped bit anywhere but in the last frame is found.
#[test]
fn a_flipped_byte_in_the_middle_of_the_log_is_damage() {
    let folder = Folder::provisioned();
    let (mut log, _) = folder.open();
    (1..=5).for_each(|height| drop(append(&mut log, height)));
    let images = folder.images();
    let (end, frame) = (log.segments.chains[0].end, FRAME_BYTES + "vote 5".len());
    for at in (0..68).chain(HEADER_BYTES..end - frame) {
        let mut flipped = images.clone();
        flipped[0][at] ^= 0x10;
        let version = (8..12).contains(&at);
        assert!(version || !matches!(recovered(&flipped), Outcome::Whole(_)), "byte {at}");
    }
    // The same in the last frame cannot be told from a torn write.
    let mut flipped = images;
    flipped[0][end - 1] ^= 1;
    assert_eq!(whole(&flipped).next_sequence, 5);
}

#[test]
fn a_damaged_log_is_set_aside_and_stays_untrusted_until_it_is_used_again() {
    let folder = Folder::provisioned();
    let (mut log, _) = folder.open();
    (1..=4).for_each(|height| drop(append(&mut log, height)));
    drop(log);
    let mut images = folder.images();
    images[0][HEADER_BYTES + 60] ^= 1;
    folder.put(&images);

    let (log, recovery) = folder.open();
    let Condition::Damaged { why } = &recovery.condition else { panic!("{recovery:?}") };
    assert!(why.contains("frame 3 is whole, but the frames after 1 are not"), "{why}");
    assert_eq!(sequences(&recovery), [1, 3, 4], "what could be read is shown");
    drop(log);
    assert_eq!(fs::read(folder.path().join(DAMAGED_FOLDER).join("0")).expect("kept"), images[0]);
    assert_eq!(folder.open().1.condition, Condition::Missing);
}

#[test]
fn a_lost_or_shortened_or_older_segment_is_damage() {
    let folder = Folder::provisioned();
    let (mut log, _) = folder.open();
    let mut old = folder.images();
    for height in 1..=20 {
        append(&mut log, height);
        if height == 9 {
            old = folder.images();
        }
        log.release(Height(height.saturating_sub(12)));
    }
    assert_eq!(log.segments.active, 1, "both segments are needed");
    let images = folder.images();
    assert_eq!(whole(&images).frames.len(), 12 + 1, "what was needed at the last append");

    assert!(is_damaged(&[Vec::new(), images[1].clone()]));
    assert!(is_damaged(&[images[0].clone(), Vec::new()]));
    assert!(is_damaged(&[images[0][..HEADER_BYTES + 300].to_vec(), images[1].clone()]));
    assert!(is_damaged(&[old[0].clone(), images[1].clone()]), "a gap between the segments");
    let other = Folder::provisioned();
    assert!(is_damaged(&[images[0].clone(), other.images()[1].clone()]), "segments of two logs");
}

/// A copy of the database is put in, however little older, and perhaps it has grown again when the
/// node restarts. Frames that would be needed there are gone, or may be.
#[test]
fn a_store_that_went_back_is_noticed_until_it_has_again_what_was_released() {
    let folder = Folder::provisioned();
    let (mut log, _) = folder.open();
    for height in 1..=7 {
        append(&mut log, height);
        log.release(Height(height - 1));
    }
    append(&mut log, 7);
    drop(log);
    for head in [0, 1, 5] {
        let (mut log, recovery) = folder.open_at(head);
        assert_eq!(recovery.condition, Condition::StoreWentBack { released: Height(6) }, "with {head}");
        // What is synced on the way back up releases nothing anew.
        log.release(Height(head + 1));
    }
    let (_, recovery) = folder.open_at(6);
    assert_eq!((sequences(&recovery), &recovery.condition), (vec![7, 8], &Condition::Intact));
    // The block of height 7 was put on disk after the last frame: all frames of 7 are there, so
    // without that block nothing is unknown.
    let (mut log, _) = folder.open_at(7);
    log.release(Height(7));
    drop(log);
    assert_eq!(folder.open_at(6).1, recovery);
}

/// Given a store that went back and an operator who says that nothing is missing, when the node has signed again, then the log
/// is whole at the next start.
#[test]
fn a_log_that_is_told_to_trust_an_older_store_does() {
    let folder = Folder::provisioned();
    let (mut log, _) = folder.open();
    append(&mut log, 7);
    log.release(Height(7));
    append(&mut log, 8);
    drop(log);
    let (mut log, _) = folder.open_at(3);
    log.trust(Height(3));
    append(&mut log, 4);
    drop(log);
    assert_eq!(folder.open_at(3).1.condition, Condition::Intact);
}

/// Round and round both segments, with restarts: nothing that is needed is ever lost, and the files
/// keep their size.
#[test]
fn the_log_goes_round_its_segments_for_ever() {
    let mut random = StdRng::seed_from_u64(11);
    let folder = Folder::provisioned();
    let (mut log, _) = folder.open();
    let mut kept: Vec<Frame> = Vec::new();
    for height in 1..400 {
        for round in 0..random.random_range(1..4) {
            let sequence = log.segments.next_sequence;
            let payload = vec![round; random.random_range(1..60)];
            log.append(Height(height), &payload).expect("appends");
            kept.push(Frame { sequence, height: Height(height), payload });
        }
        log.release(Height(height - 1));
        kept.retain(|frame| frame.height >= Height(height));
        if random.random_bool(0.3) {
            drop(log);
            let recovery;
            (log, recovery) = folder.open_at(height - 1);
            assert_eq!(recovery.condition, Condition::Intact);
            assert_eq!(recovery.frames, kept, "height {height}");
        }
    }
    assert!(log.segments.next_sequence > 400);
    for image in folder.images() {
        assert!(image.len() < SMALL.segment + 200, "{} bytes", image.len());
    }
}

#[test]
fn a_log_grows_while_frames_are_needed_and_is_full_at_its_bound() {
    let folder = Folder::provisioned();
    let (mut log, _) = folder.open();
    let payload = [7; 200];
    let full = loop {
        match log.append(Height(5), &payload) {
            Ok(()) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(full, VoteLogError::Refused(Refusal::Full(17))), "{full}");
    assert_eq!(log.segments.active, 1, "all of the other segment is needed");
    assert!(fs::metadata(folder.segment(1)).expect("a file").len() <= SMALL.max_segment as u64);

    log.release(Height(5));
    log.append(Height(6), &payload).expect("room again, in the other segment");
    assert_eq!(log.segments.active, 0);
    drop(log);
    assert_eq!(sequences(&folder.open_at(5).1), [19], "18 was the marker");
    assert!(matches!(
        folder.open().0.append(Height(6), &[]),
        Err(VoteLogError::Refused(Refusal::Payload(0)))
    ));
}

/// After a failed write nobody knows what is on disk: it is never tried again.
#[test]
fn a_failed_write_is_final() {
    let folder = Folder::provisioned();
    let (mut log, _) = folder.open();
    append(&mut log, 1);
    let writable = std::mem::replace(&mut log.files[0], File::open(folder.segment(0)).expect("opens"));
    assert!(matches!(log.append(Height(2), b"vote"), Err(VoteLogError::Io { .. })));
    log.files[0] = writable;
    assert!(matches!(log.append(Height(2), b"vote"), Err(VoteLogError::Poisoned(_))));
    drop(log);
    assert_eq!(sequences(&folder.open().1), [1]);
}

/// Peers choose what stands in payloads: it must not pass for frames of the log.
#[test]
fn frames_within_payloads_are_not_frames() {
    let folder = Folder::provisioned();
    let (mut log, _) = folder.open();
    append(&mut log, 1);
    let forged =
        RawFrame { sequence: 1000, height: 1, start: 1000, released: 0, payload: b"forged" }.encode([9; 8]);
    log.append(Height(1), &forged).expect("appends");
    let mut images = folder.images();
    // The frame that carries it is torn at its head; its payload reached the disk.
    let torn = log.segments.chains[0].end - forged.len() - FRAME_BYTES;
    images[0][torn..torn + 8].fill(0);
    assert_eq!(whole(&images).next_sequence, 2);
}

#[test]
fn a_stop_while_provisioning_leaves_no_half_log() {
    let folder = Folder::new();
    fs::create_dir_all(folder.path().join(UNFINISHED_FOLDER)).expect("makes");
    fs::write(folder.path().join(UNFINISHED_FOLDER).join("0"), b"half a seg").expect("writes");
    VoteLog::create(folder.path(), ALICE).expect("creates");
    let (_, recovery) = VoteLog::open(folder.path(), ALICE, Height::ZERO).expect("opens");
    assert_eq!(recovery.condition, Condition::Fresh);
}

/// The bytes on disk are a format: a change of them needs a new version number.
#[test]
fn golden_bytes_of_header_and_frame() {
    let header =
        SegmentHeader { origin: Origin::Provisioned, tag: *b"the tag!", identity: ALICE, provisioned: 8192 };
    let encoded = header.encode();
    assert_eq!(SegmentHeader::decode(&encoded), Ok(header));
    assert_eq!(
        quorate_types::hex::encode(&encoded[..68]),
        concat!(
            "71756f72766f746502000000000000007468652074616721010101010101010101010101010101010101",
            "0101010101010101010101010101002000000000000032d1e9e4",
        )
    );
    let frame =
        RawFrame { sequence: 258, height: 3, start: 2, released: 1, payload: b"yes" }.encode(*b"the tag!");
    assert_eq!(
        quorate_types::hex::encode(frame),
        concat!(
            "7468652074616721a2e1ba5c030000000201000000000000030000000000000002000000000000000100000000000000",
            "796573",
        )
    );
}
