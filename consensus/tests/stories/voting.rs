//! Prevotes, locks, commits, decisions.

use std::sync::Arc;

use quorate_consensus::{Alarm, BlockSource, Effect, Evidence, Head, Input, Timer, Verdict};
use quorate_types::{B256, Decided, Height, Message, Phase, Roots, View, Vote};

use crate::support::{HEIGHT, Node, has, position, statements, votes};

const ROOTS: Roots = Roots { state: B256::repeat_byte(9), receipts: B256::ZERO };

#[test]
pub fn a_block_goes_from_proposal_to_decision() {
    let mut node = Node::started();
    let block = node.net.block(0);
    node.prevotes(&block);
    // Its own prevote and two more are a quorum.
    node.hears(node.net.vote(1, Phase::Prevote, 0, &block));
    let effects = node.hears(node.net.vote(2, Phase::Prevote, 0, &block));
    assert_eq!(votes(&effects), [(Phase::Commit, View(0), block.hash())]);
    node.hears(node.net.vote(1, Phase::Commit, 0, &block));
    let effects = node.hears(node.net.vote(3, Phase::Commit, 0, &block));
    assert!(has(&effects, |it| matches!(it, Effect::Decide { candidate, .. } if candidate.block == block)));
    assert_eq!(node.replica.height(), HEIGHT.next());
}

/// R8: certificate, body and commit go to disk as one frame.
#[test]
pub fn the_lock_goes_to_disk_with_the_commit() {
    let mut node = Node::started();
    let block = node.net.block(0);
    node.prevotes(&block);
    node.hears(node.net.vote(1, Phase::Prevote, 0, &block));
    let effects = node.hears(node.net.vote(2, Phase::Prevote, 0, &block));
    let lock = effects.iter().find_map(|effect| match effect {
        Effect::Vote(batch) => batch.prepared.clone(),
        _ => None,
    });
    let (certificate, body) = lock.expect("the frame of the commit holds the lock");
    assert_eq!((certificate.block_hash(), &body), (block.hash(), &block));
}

/// faults.md, duplicate-signers: one signature three times passes as a quorum (FISCO, Besu #1671, #989).
#[test]
pub fn duplicate_signers_decide_nothing() {
    let mut node = Node::started();
    let block = node.net.block(0);
    node.prevotes(&block);
    for _ in 0..3 {
        let effects = node.hears(node.net.vote(1, Phase::Prevote, 0, &block));
        assert!(votes(&effects).is_empty(), "two signers are no quorum of four");
    }
}

/// R10: a quorum of commits decides in whatever view it was cast, also one that this node has left.
#[test]
pub fn commits_of_an_older_view_decide() {
    let mut node = Node::started();
    let block = node.net.block(0);
    node.prevotes(&block);
    node.times_out(0);
    assert_eq!(node.view(), View(1));
    node.hears(node.net.vote(1, Phase::Commit, 0, &block));
    node.hears(node.net.vote(2, Phase::Commit, 0, &block));
    let effects = node.hears(node.net.vote(3, Phase::Commit, 0, &block));
    assert!(has(&effects, |it| matches!(it, Effect::Decide { .. })));
}

/// faults.md, timeout-during-commit: the timer fires between the quorum and the slow write (Besu #1734).
#[test]
pub fn timeout_during_commit_changes_nothing() {
    let mut node = Node::started();
    let block = node.net.block(0);
    node.prevotes(&block);
    let effects = node.hears(node.decided(&block, 0));
    let stopped = position(&effects, |it| matches!(it, Effect::CancelTimer(Timer::View(HEIGHT, View(0)))));
    let written = position(&effects, |it| matches!(it, Effect::Decide { .. }));
    assert!(stopped < written && stopped.is_some(), "the timer stops before the write");
    assert!(statements(&node.times_out(0)).is_empty(), "one that fires all the same is of another height");
    assert_eq!(node.view(), View(0));
}

/// R9: the commit of a height waits until the record of the one below is synced; its prevote does not.
#[test]
pub fn a_commit_waits_for_the_disk() {
    let mut node = Node::started();
    let first = node.net.block(0);
    node.prevotes(&first);
    node.hears(node.decided(&first, 0));
    let head = Head { height: HEIGHT, hash: first.hash(), next_validators: node.net.set.clone() };
    let second = node.net.block_on(&head, 0);
    node.hears(node.net.proposed(0, &second, None));
    let effects = node.executes(&second);
    assert_eq!(votes(&effects), [(Phase::Prevote, View(0), second.hash())]);
    node.hears(node.net.vote(1, Phase::Prevote, 0, &second));
    let effects = node.hears(node.net.vote(2, Phase::Prevote, 0, &second));
    assert!(votes(&effects).is_empty(), "the record of {HEIGHT} is not synced");
    let effects = node.feed(Input::Durable(HEIGHT));
    assert_eq!(votes(&effects), [(Phase::Commit, View(0), second.hash())]);
}

/// R20: a power cut takes back two heights at most.
#[test]
pub fn nothing_is_signed_two_blocks_above_the_disk() {
    let mut node = Node::started();
    let mut head = node.net.head();
    for _ in 0..2 {
        let block = node.net.block_on(&head, 0);
        node.hears(node.decided(&block, 0));
        node.executes(&block);
        head = Head { height: block.height(), hash: block.hash(), ..head };
    }
    assert_eq!(node.replica.height(), Height(7));
    let third = node.net.block_on(&head, 0);
    node.hears(node.net.proposed(0, &third, None));
    assert!(votes(&node.executes(&third)).is_empty(), "neither of two records is synced");
    assert_eq!(votes(&node.feed(Input::Durable(HEIGHT))).len(), 1);
}

#[test]
pub fn two_proposals_in_one_view_are_evidence_and_the_first_stays() {
    let mut node = Node::started();
    let (first, second) = (node.net.block(0), node.net.block(1));
    node.hears(node.net.proposed(0, &first, None));
    let effects = node.hears(node.net.proposed(0, &second, None));
    assert!(has(&effects, |it| matches!(it, Effect::Report(Evidence::Proposals(..)))));
    assert!(votes(&node.executes(&second)).is_empty());
    assert_eq!(votes(&node.executes(&first)), [(Phase::Prevote, View(0), first.hash())]);
}

/// R5: a liar that sends its bad offer again makes nobody sign again, and a second one beside it is evidence.
#[test]
pub fn a_bad_offer_is_refused_once() {
    let mut node = Node::started();
    let elsewhere = Head { hash: B256::repeat_byte(5), ..node.net.head() };
    let [bad, worse] = [0, 1].map(|salt| node.net.block_on(&elsewhere, salt));
    let refuses = |effects: &[Effect]| has(effects, |it| matches!(it, Effect::Reject(_)));
    assert!(refuses(&node.hears(node.net.proposed(0, &bad, None))));
    for _ in 0..3 {
        node.feed(Input::Timer(Timer::Resend(HEIGHT)));
        assert!(!refuses(&node.hears(node.net.proposed(0, &bad, None))));
    }
    let effects = node.hears(node.net.proposed(0, &worse, None));
    assert!(!refuses(&effects));
    assert!(has(&effects, |it| matches!(it, Effect::Report(Evidence::Proposals(..)))));
}

/// R5: a leader that signs a header with the transactions of another is refused once. The block is not: the leader of another view
/// offers it with its own list, before or after.
#[test]
pub fn a_list_that_contradicts_its_header_is_refused_once() {
    let refuses = |effects: &[Effect]| has(effects, |it| matches!(it, Effect::Reject(_)));
    let checks = |effects: &[Effect]| has(effects, |it| matches!(it, Effect::Check { .. }));
    for both_wait in [false, true] {
        let mut node = Node::started();
        let block = node.net.block(0);
        let lying = node.net.proposal_with(0, &block, vec![B256::repeat_byte(1)], None);
        let body_hash = lying.propose.statement.body_hash;
        let contradiction =
            || Input::Checked { block_hash: block.hash(), verdict: Verdict::Mismatched { body_hash } };
        let lying = Message::Proposal(Arc::new(lying));
        let wishes = [1, 2, 3].map(|who| node.net.wish(who, 1, None));
        let honest = node.net.proposed(1, &block, Some(node.net.justify(&wishes)));
        assert!(checks(&node.hears(lying.clone())));
        if both_wait {
            assert!(!checks(&node.hears(honest)), "the same block is under way");
            let effects = node.feed(contradiction());
            assert!(refuses(&effects) && checks(&effects), "one list is refused, the other looked at");
        } else {
            assert!(refuses(&node.feed(contradiction())));
            for _ in 0..3 {
                node.feed(Input::Timer(Timer::Resend(HEIGHT)));
                let effects = node.hears(lying.clone());
                assert!(!refuses(&effects) && !checks(&effects), "what is known is not assembled again");
            }
            assert!(checks(&node.hears(honest)));
        }
        assert_eq!(votes(&node.executes(&block)), [(Phase::Prevote, View(1), block.hash())]);
    }
}

/// faults.md, reproposal-too-old: the time check refuses every proposal after an outage (FISCO #4123).
#[test]
pub fn reproposal_too_old_is_not_measured_by_the_clock() {
    let mut node = Node::started();
    let block = node.net.block(0);
    let fresh = |effects: &[Effect]| {
        effects.iter().find_map(|effect| match effect {
            Effect::Check { fresh, source: BlockSource::Proposal(_), .. } => Some(*fresh),
            _ => None,
        })
    };
    let lock = node.net.lock(0, &block, &[1, 2, 3]);
    let wishes = [1, 2, 3].map(|who| node.net.wish(who, 1, Some(&lock)));
    let again = node.net.proposed(1, &block, Some(node.net.justify(&wishes)));
    assert_eq!(fresh(&node.hears(again)), Some(false));
    let mut node = Node::started();
    assert_eq!(fresh(&node.hears(node.net.proposed(0, &block, None))), Some(true));
}

/// R5: a block that waits for its time waits no more once a quorum prevoted for it, whoever says so.
#[test]
pub fn a_lock_ends_the_wait_for_the_clock() {
    let unmeasured = |effects: &[Effect]| has(effects, |it| matches!(it, Effect::Check { fresh: false, .. }));
    let node = Node::started();
    let block = node.net.block(0);
    let lock = node.net.lock(0, &block, &[1, 2, 3]);
    let wishes = [1, 2, 3].map(|who| node.net.wish(who, 1, Some(&lock)));
    let again = node.net.proposed(1, &block, Some(node.net.justify(&wishes)));
    let commits = node.net.proof(0, &block, &[1, 2, 3]);
    let decided = Message::Decided(Decided { certificate: commits, block: None });
    for news in [again, node.net.wished(2, 1, Some(&lock)), decided] {
        let mut node = Node::started();
        assert!(!unmeasured(&node.hears(node.net.proposed(0, &block, None))));
        assert!(unmeasured(&node.hears(news.clone())));
        let effects = node.feed(Input::Timer(Timer::Resend(HEIGHT)));
        assert!(!unmeasured(&effects), "once is enough while it is under way");
    }
}

/// faults.md, silent-divergence: nodes execute differently, and nothing is ever said (FISCO #5528).
#[test]
pub fn silent_divergence_is_said_in_either_order() {
    let diverged = |effects: &[Effect]| {
        has(
            effects,
            |it| matches!(it, Effect::Alarm(Alarm::Diverged { roots: Some(roots), .. }) if *roots == ROOTS),
        )
    };
    let mut node = Node::started();
    let block = node.net.block(0);
    node.hears(node.net.proposed(0, &block, None));
    let effects = node.refuses(&block, ROOTS);
    assert!(has(&effects, |it| matches!(it, Effect::Reject(reject) if reject.roots == Some(ROOTS))));
    assert!(diverged(&node.hears(node.decided(&block, 0))), "refused first, decided then");
    assert_eq!(node.replica.height(), HEIGHT, "nothing of it is applied");
    assert!(statements(&node.times_out(0)).is_empty(), "it signs no more");

    let mut node = Node::started();
    node.hears(node.net.proposed(0, &block, None));
    node.hears(node.decided(&block, 0));
    assert!(diverged(&node.refuses(&block, ROOTS)), "decided first, refused then");
}

#[test]
pub fn two_that_compute_other_roots_raise_the_alarm_everywhere() {
    let mut node = Node::started();
    let block = node.net.block(0);
    node.prevotes(&block);
    let disputed =
        |it: &Effect| matches!(it, Effect::Alarm(Alarm::RootsDisputed { rejects, .. }) if rejects.len() == 2);
    assert!(!has(&node.hears(node.net.reject(2, &block, ROOTS)), disputed), "one may lie");
    assert!(has(&node.hears(node.net.reject(3, &block, ROOTS)), disputed));
}

/// R23: the key runs twice.
#[test]
pub fn a_foreign_signature_ends_all_signing() {
    let mut node = Node::started();
    let (block, other) = (node.net.block(0), node.net.block(1));
    node.prevotes(&block);
    let effects = node.hears_from(node.net.id(2), node.net.vote(0, Phase::Prevote, 0, &block));
    assert!(!has(&effects, |it| matches!(it, Effect::Alarm(_))), "its own prevote, told by another");
    let effects = node.hears_from(node.net.id(2), node.net.vote(0, Phase::Prevote, 0, &other));
    assert!(has(&effects, |it| matches!(it, Effect::Alarm(Alarm::ForeignSignature(Message::Vote(_))))));
    assert!(statements(&node.times_out(0)).is_empty());
}

/// faults.md, flood: far views from one liar cost nobody else's votes.
#[test]
pub fn flood_of_far_views_fills_the_liars_slots_alone() {
    let mut node = Node::started();
    let block = node.net.block(0);
    node.prevotes(&block);
    node.hears(node.net.vote(1, Phase::Prevote, 0, &block));
    for view in 1..500 {
        let far = Vote {
            phase: Phase::Prevote,
            height: HEIGHT,
            view: View(view * 1_000),
            block_hash: B256::repeat_byte(7),
        };
        let effects = node.hears(Message::Vote(node.net.sign(3, far)));
        assert!(statements(&effects).is_empty());
    }
    assert_eq!(node.view(), View(0));
    let effects = node.hears(node.net.vote(2, Phase::Prevote, 0, &block));
    assert_eq!(votes(&effects), [(Phase::Commit, View(0), block.hash())]);
}
