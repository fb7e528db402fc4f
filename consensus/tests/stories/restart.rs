//! What a restarted replica may still sign.

use std::{collections::BTreeMap, sync::Arc};

use quorate_consensus::{
    BlockSource, Candidate, Effect, Head, Input, NotVoting, Recovered, Timer, Trust, Verdict,
};
use quorate_types::{B256, Height, Message, Phase, Validator, ValidatorSet, View};

use crate::support::{HEIGHT, Net, Node, has, position, sets, statements, votes, wishes};

/// faults.md, amnesia: votes in memory only; a restart in mid-height signs twice (all peers but two).
#[test]
pub fn amnesia_does_not_come_with_a_restart() {
    let mut node = Node::started();
    let (block, other) = (node.net.block(0), node.net.block(1));
    node.prevotes(&block);
    let (mut node, effects) = node.restarted();
    assert!(statements(&effects).is_empty(), "nothing is signed");
    let again = |it: &Effect| matches!(it, Effect::Broadcast(Message::Vote(vote)) if vote.statement.block_hash == block.hash());
    assert!(has(&effects, again), "what was signed is sent again");
    // The leader, or a liar in its place, offers another block in the same view.
    node.hears(node.net.proposed(0, &other, None));
    assert!(votes(&node.executes(&other)).is_empty());
}

#[test]
pub fn the_lock_survives_a_restart() {
    let mut node = Node::started();
    let block = node.net.block(0);
    node.prevotes(&block);
    node.hears(node.net.vote(1, Phase::Prevote, 0, &block));
    node.hears(node.net.vote(2, Phase::Prevote, 0, &block));
    let (mut node, effects) = node.restarted();
    assert!(has(
        &effects,
        |it| matches!(it, Effect::Check { block_hash, .. } if *block_hash == block.hash())
    ));
    node.has_work();
    let wish = wishes(&node.times_out(0)).pop().expect("a wish");
    assert_eq!(wish.prepared.map(|lock| lock.block_hash), Some(block.hash()));
}

/// Found by the simulator (harsh, seed 10092): the only one that was locked could not execute the block after its restart, and asked the
/// others for it, who had lost it.
#[test]
pub fn a_lock_that_could_not_be_executed_is_tried_again() {
    let mut node = Node::started();
    let block = node.net.block(0);
    let is_tried = |effects: &[Effect]| {
        has(
            effects,
            |it| matches!(it, Effect::Check { source: BlockSource::Block(it), .. } if it.hash() == block.hash()),
        )
    };
    node.prevotes(&block);
    node.hears(node.net.vote(1, Phase::Prevote, 0, &block));
    node.hears(node.net.vote(2, Phase::Prevote, 0, &block));
    let (mut node, effects) = node.restarted();
    assert!(is_tried(&effects));
    let failed = Input::Checked { block_hash: block.hash(), verdict: Verdict::Unavailable };
    assert!(
        !has(&node.feed(failed), |it| matches!(it, Effect::Check { .. })),
        "not at once, nor over and over"
    );
    assert!(is_tried(&node.feed(Input::Timer(Timer::Resend(HEIGHT)))));
}

/// Found by the simulator (harsh, seed 7): told of its disk before its start, a replica proposed anew what its log held.
#[test]
pub fn nothing_happens_before_the_start() {
    let net = Net::of(4);
    let genesis = Head { height: Height::ZERO, hash: B256::ZERO, next_validators: net.set.clone() };
    // Member 1 leads height 1, which is due at once.
    let mut node = Node::new(net, 1, genesis, Recovered { records: BTreeMap::new(), trust: Trust::Full });
    assert!(node.feed(Input::DiskRoom(true)).is_empty() && node.has_work().is_empty());
    assert!(has(&node.feed(Input::Start), |it| matches!(it, Effect::Build(_))));
}

/// Found by the simulator (crash, 2 nodes, seed 33): with no fault tolerated an own wish, counted from view 0, looked like
/// a reason to jump, and was signed anew.
#[test]
pub fn a_restored_wish_is_not_signed_again() {
    let mut node = Node::with(Net::of(2), 0, Trust::Full);
    node.has_work();
    assert_eq!(wishes(&node.times_out(0)).len(), 1);
    let (node, effects) = node.restarted();
    assert!(statements(&effects).is_empty(), "{effects:?}");
    assert_eq!(node.view(), View(1));
}

/// Found by the simulator (crash, seed 310): at height 1 the timer of view 0 was set during the restore and taken for
/// that of view 1.
#[test]
pub fn a_restored_view_has_a_timer_of_its_own() {
    let net = Net::of(4);
    let genesis = Head { height: Height::ZERO, hash: B256::ZERO, next_validators: net.set.clone() };
    let mut node = Node::new(net, 0, genesis, Recovered { records: BTreeMap::new(), trust: Trust::Full });
    node.feed(Input::Start);
    node.feed(Input::Timer(Timer::View(Height(1), View(0))));
    let (mut node, effects) = node.restarted();
    assert_eq!(node.view(), View(1));
    assert!(!sets(&effects, Timer::View(Height(1), View(0))));
    let wish = |who: usize, net: &Net| {
        let change = quorate_types::ViewChange { height: Height(1), view: View(1), prepared: None };
        let signed = net.sign(who, change);
        Message::ViewChange(quorate_types::SignedViewChange { signed, certificate: None })
    };
    node.hears(wish(1, &node.net));
    assert!(sets(&node.hears(wish(2, &node.net)), Timer::View(Height(1), View(1))));
}

/// faults.md, wiped-ahead: a node that lost its data signs again (own study).
#[test]
pub fn wiped_ahead_abstains_for_three_heights() {
    let mut node = Node::with(Net::of(4), 2, Trust::None);
    // One of the others is a block ahead, so this node may have signed at the height after that one.
    node.hears(node.net.status(0, 5));
    node.hears(node.net.status(1, 5));
    let effects = node.hears(node.net.status(3, 6));
    assert!(has(&effects, |it| matches!(it, Effect::Sync { .. })));
    let mut head = node.net.head();
    for height in 5..=9 {
        let block = node.net.block_on(&head, 0);
        assert_eq!(block.height(), Height(height));
        node.hears(node.net.proposed(0, &block, None));
        let voted = !votes(&node.executes(&block)).is_empty();
        assert_eq!(voted, height >= 8, "the highest head was 5, so it votes from 8 on; at {height}");
        node.hears(node.decided(&block, 0));
        node.feed(Input::Durable(block.height()));
        head = Head { height: block.height(), hash: block.hash(), ..head };
    }
}

/// R21: its first frame makes the log one to trust. So a power cut must not take it back to a height that it forgot.
#[test]
pub fn who_abstained_signs_only_where_a_power_cut_leaves_it() {
    let mut node = Node::with(Net::of(4), 2, Trust::None);
    for who in [0, 1, 3] {
        node.hears(node.net.status(who, 5));
    }
    let mut head = node.net.head();
    let mut decide = |node: &mut Node| {
        let block = node.net.block_on(&head, 0);
        node.hears(node.net.proposed(0, &block, None));
        let effects = node.executes(&block);
        head = Head { height: block.height(), hash: block.hash(), ..head.clone() };
        (block, effects)
    };
    for _ in 5..=6 {
        let (block, effects) = decide(&mut node);
        assert!(votes(&effects).is_empty());
        node.hears(node.decided(&block, 0));
    }
    let (_, effects) = decide(&mut node);
    assert!(votes(&effects).is_empty(), "heads were 4, so it votes from 7 on, but 6 is not on disk");
    assert!(votes(&node.feed(Input::Durable(Height(5)))).is_empty());
    assert_eq!(votes(&node.feed(Input::Durable(Height(6)))).len(), 1);
}

/// R21: sync has the block of the height in flight on disk before this node goes on from it. Its key may have signed for that height.
#[test]
pub fn who_abstained_signs_nothing_at_a_height_that_sync_has_ended() {
    let mut node = Node::with(Net::of(4), 3, Trust::None);
    for who in [0, 1, 2] {
        node.hears(node.net.status(who, 5));
    }
    let fifth = node.net.block(0);
    node.executes(&fifth);
    node.hears(node.decided(&fifth, 0));
    node.feed(Input::Durable(Height(5)));
    assert_eq!(node.replica.height(), Height(6));
    let head = Head { height: fifth.height(), hash: fifth.hash(), ..node.net.head() };
    let sixth = node.net.block_on(&head, 0);
    node.hears(node.net.proposed(0, &sixth, None));
    assert!(votes(&node.executes(&sixth)).is_empty(), "heads were 4, so it votes from 7 on");
    for who in [0, 1] {
        node.hears(node.net.vote(who, Phase::Prevote, 0, &sixth));
    }
    assert!(statements(&node.feed(Input::Durable(Height(6)))).is_empty());
}

/// R21 with a set that changes: the quorum that was heard has left it. The key of node 3 may have signed far above with those
/// that came, of whom nothing was heard.
#[test]
pub fn whoever_abstains_hears_a_quorum_of_those_who_vote_now() {
    let mut net = Net::of(7);
    let set = |members: std::ops::Range<usize>| {
        let members = members.map(|who| Validator::new(net.id(who), 1));
        Arc::new(ValidatorSet::new(members).expect("sound keys of weight 1"))
    };
    let (left, came) = (set(0..4), set(3..7));
    net.set = left;
    let mut node = Node::with(net, 3, Trust::None);
    for who in 0..3 {
        node.hears(node.net.status(who, 5));
    }
    node.net.set = came.clone();
    let mut votes_on = |height: u64, statuses: &[usize]| {
        let (hash, next_validators) = (B256::repeat_byte(9), came.clone());
        let head = Head { height: Height(height - 1), hash, next_validators };
        node.feed(Input::Synced(head.clone()));
        for who in statuses {
            node.hears(node.net.status(*who, height));
        }
        let block = node.net.block_on(&head, 0);
        node.hears(node.net.proposed(0, &block, None));
        !votes(&node.executes(&block)).is_empty()
    };
    // Member 3 itself leads every fourth height.
    for (height, statuses, votes) in [
        (6, vec![], false),
        (7, vec![], false),
        (9, vec![4, 5, 6], false),
        (10, vec![], false),
        (11, vec![], true),
    ] {
        assert_eq!(votes_on(height, &statuses), votes, "at {height}");
    }
}

/// R25: a node that is taken out follows without a vote, and votes again once it is back.
#[test]
pub fn who_is_taken_out_follows_and_who_is_taken_in_votes() {
    let net = Net::of(5);
    let without = |out: usize| {
        let members = (0..5).filter(|who| *who != out).map(|who| Validator::new(net.id(who), 1));
        Arc::new(ValidatorSet::new(members).expect("four sound members"))
    };
    let (with_me, without_me) = (without(4), without(0));
    let mut head = Head { next_validators: with_me.clone(), ..net.head() };
    let recovered = Recovered { records: BTreeMap::new(), trust: Trust::Full };
    let mut node = Node::new(Net::of(5), 0, head.clone(), recovered);
    node.feed(Input::Start);
    for set in [&without_me, &without_me, &with_me] {
        let votes_here = head.next_validators.contains(&node.net.id(0));
        // The stories' net signs for the whole of it: only who leads and votes at this height counts.
        node.net.set = head.next_validators.clone();
        let block = node.net.block_on(&head, 0);
        node.hears(node.net.proposed(0, &block, None));
        let verdict = Verdict::Valid(Candidate { block: block.clone(), next_validators: set.clone() });
        let effects = node.feed(Input::Checked { block_hash: block.hash(), verdict });
        assert_eq!(!votes(&effects).is_empty(), votes_here, "at {}", block.height());
        let effects = node.hears(node.decided(&block, 0));
        assert!(has(&effects, |it| matches!(it, Effect::Enter { validators, .. } if validators == set)));
        node.feed(Input::Durable(block.height()));
        head = Head { height: block.height(), hash: block.hash(), next_validators: set.clone() };
    }
    let abstaining = node.replica.snapshot().abstaining;
    assert_eq!(abstaining, None, "it is a validator again");
}

/// R21: a status that somebody passes on may be older than the loss of the log.
#[test]
pub fn a_head_counts_only_when_told_in_person() {
    let mut node = Node::with(Net::of(4), 0, Trust::None);
    let liar = node.net.id(3);
    for who in 1..=3 {
        node.hears_from(liar, node.net.status(who, 3));
    }
    let waits = node.replica.snapshot().abstaining.expect("it abstains");
    assert!(matches!(waits, NotVoting::LogIncomplete { heard: 1, .. }), "{waits:?}");
}

/// R21: who lost its log before the first block may have signed for it, though nobody has one.
#[test]
pub fn a_log_lost_at_birth_is_lost() {
    let net = Net::of(4);
    let genesis = Head { height: Height::ZERO, hash: B256::ZERO, next_validators: net.set.clone() };
    // Member 1 leads height 1.
    let mut node = Node::new(net, 1, genesis, Recovered { records: BTreeMap::new(), trust: Trust::None });
    let mut effects = node.feed(Input::Start);
    for who in [0, 2, 3] {
        effects.extend(node.hears(node.net.status(who, 1)));
    }
    assert!(position(&effects, |it| matches!(it, Effect::Build(_))).is_none());
    let waits = node.replica.snapshot().abstaining.expect("it abstains");
    assert!(matches!(waits, NotVoting::LogIncomplete { resume_at: Some(Height(3)), .. }), "{waits:?}");
}
