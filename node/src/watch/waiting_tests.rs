use quorate_consensus::TimerStanding;
use quorate_types::{B256, Height, RejectReason};

use super::*;
use crate::watch::words::timer;

fn id(index: u8) -> NodeId {
    NodeId([index; 32])
}

/// Four validators at height 7, seen by node0, whose turn it is not.
fn snapshot() -> Snapshot {
    let validator = |index: u8| ValidatorView {
        id: id(index),
        weight: 1,
        height: Some(Height(7)),
        view: Some(View::ZERO),
        heard: None,
        silent_ms: 0,
        silent: false,
        prevote: None,
        commit: None,
        view_change: None,
        reject: None,
    };
    Snapshot {
        me: id(0),
        height: Height(7),
        view: View::ZERO,
        leader: id(1),
        phase: ViewPhase::Idle,
        proposed: None,
        decided: None,
        block: None,
        lock: None,
        building: false,
        interval_passed: true,
        work: false,
        durable: Height(6),
        timer: TimerStanding::NoWork,
        abstaining: None,
        quorum: 3,
        total_weight: 4,
        validators: (0..4).map(validator).collect(),
    }
}

fn proposed() -> Snapshot {
    let block = Some(BlockStanding::Valid);
    Snapshot {
        phase: ViewPhase::Prevote,
        proposed: Some(B256::repeat_byte(7)),
        block,
        work: true,
        ..snapshot()
    }
}

fn says(snapshot: &Snapshot) -> String {
    Teller { snapshot, name: &|id| format!("node{}", id.0[0]) }.waiting_for()
}

fn silence(snapshot: &mut Snapshot, index: usize, seconds: u64) {
    let it = &mut snapshot.validators[index];
    (it.silent, it.silent_ms) = (true, seconds * 1_000);
}

#[test]
fn a_chain_at_rest_waits_for_nothing() {
    assert_eq!(says(&snapshot()), "nothing to decide: no transaction waits");
}

#[test]
fn silent_validators_are_named_with_how_long() {
    let mut it = proposed();
    it.validators[0].prevote = it.proposed;
    it.validators[1].prevote = it.proposed;
    silence(&mut it, 2, 34);
    silence(&mut it, 3, 35);
    assert_eq!(says(&it), "waiting for 1 more of 3 prevotes: node2 and node3 have not been heard for 34 s");
}

#[test]
fn a_vote_for_another_block_is_none() {
    let mut it = proposed();
    it.validators[1].prevote = Some(B256::repeat_byte(1));
    assert!(says(&it).starts_with("waiting for 3 more of 3 prevotes: "), "{}", says(&it));
}

#[test]
fn commits_are_waited_for_once_the_prevotes_are_there() {
    let mut it = Snapshot { phase: ViewPhase::Commit, ..proposed() };
    for index in 0..3 {
        it.validators[index].prevote = it.proposed;
    }
    it.validators[0].commit = it.proposed;
    it.validators[1].height = Some(Height(6));
    it.validators[3].reject = Some(RejectReason::Divergence);
    assert_eq!(
        says(&it),
        "waiting for 2 more of 3 commits: node1 is at height 6; node3 refused the block (divergence); \
         nothing yet from node2"
    );
}

#[test]
fn weights_are_told_where_they_differ() {
    let mut it = proposed();
    (it.quorum, it.validators[0].weight, it.validators[0].prevote) = (5, 3, it.proposed);
    let says = says(&it);
    assert!(says.starts_with("waiting for prevotes of weight 2 more, of 5: "), "{says}");
}

#[test]
fn a_silent_leader_is_told_from_a_slow_one() {
    let mut it = Snapshot { phase: ViewPhase::Propose, work: true, ..snapshot() };
    assert_eq!(says(&it), "waiting for the proposal of node1, who leads view 0");
    silence(&mut it, 1, 12);
    assert_eq!(says(&it), "waiting for the proposal of node1, who leads view 0: not heard for 12 s");
}

#[test]
fn a_view_change_without_a_quorum_names_who_is_missing() {
    let mut it = Snapshot { phase: ViewPhase::ViewChange, view: View(2), work: true, ..snapshot() };
    it.timer = TimerStanding::NoQuorum { weight: 2 };
    it.validators[0].view_change = Some(View(2));
    it.validators[1].view_change = Some(View(3));
    it.validators[3].view = Some(View(1));
    silence(&mut it, 2, 9);
    assert_eq!(
        says(&it),
        "waiting for 1 more of 3 view changes to view 2: node2 has not been heard for 9 s; node3 is in view 1"
    );
    assert_eq!(timer(&it), "not armed: weight 2 of 3 is known to be in view 2");
}

#[test]
fn own_trouble_is_never_hidden() {
    let mut it = proposed();
    it.abstaining = Some(NotVoting::DiskFull);
    assert!(
        says(&it).ends_with("this node does not vote (paused: the disk is almost full)"),
        "{}",
        says(&it)
    );
    it.abstaining = Some(NotVoting::Stopped);
    assert_eq!(says(&it), "this node has stopped voting for safety: see the alarms");
    let it = Snapshot { block: Some(BlockStanding::Executing), ..proposed() };
    assert!(says(&it).ends_with("of the proposed block: it is being executed here"), "{}", says(&it));
    let it = Snapshot { durable: Height(5), ..proposed() };
    assert!(says(&it).ends_with("this node commits once block 6 is on its disk"), "{}", says(&it));
}

#[test]
fn a_decided_block_that_is_not_here_is_said_to_be_missing() {
    let it = Snapshot { decided: Some(B256::ZERO), block: Some(BlockStanding::Missing), ..snapshot() };
    assert_eq!(says(&it), "height 7 is decided; waiting for its block, which others have");
}

#[test]
fn many_names_are_counted() {
    let mut it = proposed();
    let more = (4..20).map(|index| ValidatorView { id: id(index), ..it.validators[3].clone() });
    it.validators.extend(more.collect::<Vec<_>>());
    it.quorum = 14;
    assert!(says(&it).ends_with(" and 12 others"), "{}", says(&it));
}
