//! Timers, wishes, jumps, and what the leader of a later view may propose.

use quorate_consensus::{BlockSource, Effect, Head, Input, Timer, Verdict};
use quorate_types::{Message, Phase, Prepared, SignedViewChange, View, ViewChange};

use crate::support::{BASE, HEIGHT, Node, has, proposals, sets, sets_to, statements, votes, wishes};

/// faults.md, restart-runaway-timers: timers doubled for ever while two of four were down (Besu #7642, Edge #185).
#[test]
pub fn restart_runaway_timers_need_a_quorum() {
    let mut node = Node::started();
    node.has_work();
    node.times_out(0);
    let next = Timer::View(HEIGHT, View(1));
    assert!(!sets(&node.hears(node.net.wished(1, 1, None)), next), "two of four: the view does not age");
    assert!(statements(&node.times_out(1)).is_empty());
    assert_eq!(node.view(), View(1));
    // The third comes back, and it goes on at once.
    assert!(sets(&node.hears(node.net.wished(2, 1, None)), next));
}

/// faults.md, liar-high-view: one node sends a huge view, and all follow (FISCO #2206, #2211).
#[test]
pub fn liar_high_view_moves_nobody() {
    let mut node = Node::started();
    for view in [1, 1_000, u64::MAX] {
        assert!(statements(&node.hears(node.net.wished(3, view, None))).is_empty());
    }
    assert_eq!(node.view(), View(0));
    // With an honest one beside the liar it goes as far as that one.
    let effects = node.hears(node.net.wished(1, 2, None));
    assert_eq!(wishes(&effects).iter().map(|it| it.view).collect::<Vec<_>>(), [View(2)]);
}

/// R12: who asked for a higher view votes in no lower one.
#[test]
pub fn no_vote_after_giving_up() {
    let mut node = Node::started();
    let block = node.net.block(0);
    node.hears(node.net.proposed(0, &block, None));
    node.times_out(0);
    assert!(votes(&node.executes(&block)).is_empty(), "the block came too late for a prevote");
    for who in 1..=3 {
        assert!(votes(&node.hears(node.net.vote(who, Phase::Prevote, 0, &block))).is_empty());
    }
}

/// R12: nor is a commit caught up on that waited for the disk (R9).
#[test]
pub fn no_commit_after_giving_up() {
    let mut node = Node::started();
    let first = node.net.block(0);
    node.prevotes(&first);
    node.hears(node.decided(&first, 0));
    let head = Head { height: first.height(), hash: first.hash(), ..node.net.head() };
    let second = node.net.block_on(&head, 0);
    node.hears(node.net.proposed(0, &second, None));
    node.executes(&second);
    for who in 1..=2 {
        assert!(votes(&node.hears(node.net.vote(who, Phase::Prevote, 0, &second))).is_empty());
    }
    let lock = Prepared { view: View(0), block_hash: second.hash() };
    assert_eq!(wishes(&node.times_out(0))[0].prepared, Some(lock));
    assert!(votes(&node.feed(Input::Durable(first.height()))).is_empty());
}

/// R11: the wish carries the lock.
#[test]
pub fn a_wish_names_the_lock() {
    let mut node = Node::started();
    let block = node.net.block(0);
    node.prevotes(&block);
    node.hears(node.net.vote(1, Phase::Prevote, 0, &block));
    node.hears(node.net.vote(2, Phase::Prevote, 0, &block));
    let lock = Prepared { view: View(0), block_hash: block.hash() };
    assert_eq!(wishes(&node.times_out(0))[0].prepared, Some(lock));
}

/// faults.md, prepared-then-lost: a prepared block must be decided views later (Besu #3785, #6613).
#[test]
pub fn prepared_then_lost_is_proposed_again() {
    let mut node = Node::started();
    let block = node.net.block(0);
    node.hears(node.net.proposed(0, &block, None));
    node.executes(&block);
    // Views 1 and 2 failed. Member 0 leads view 3, and one of the wishes carries the lock.
    let lock = node.net.lock(0, &block, &[1, 2, 3]);
    node.hears(node.net.wished(1, 3, Some(&lock)));
    let mut effects = node.hears(node.net.wished(2, 3, None));
    effects.extend(node.hears(node.net.wished(3, 3, None)));
    assert!(!has(&effects, |it| matches!(it, Effect::Build(_))), "nothing fresh");
    let proposed = proposals(&effects);
    assert_eq!(proposed.len(), 1);
    assert_eq!((proposed[0].view, proposed[0].block_hash), (View(3), block.hash()));
}

/// R6: of two locks the higher one stays, whichever comes last.
#[test]
pub fn a_lower_lock_does_not_replace_a_higher_one() {
    let mut node = Node::started();
    let (old, new) = (node.net.block(0), node.net.block(1));
    node.hears(node.net.proposed(0, &old, None));
    node.executes(&old);
    let quorum = [1, 2, 3];
    let wishes = quorum.map(|who| node.net.wish(who, 1, None));
    node.hears(node.net.proposed(1, &new, Some(node.net.justify(&wishes))));
    node.executes(&new);
    node.hears(node.net.wished(1, 2, Some(&node.net.lock(1, &new, &quorum))));
    node.hears(node.net.wished(3, 2, Some(&node.net.lock(0, &old, &quorum))));
    let wishes = wishes_of(&node.times_out(2));
    assert_eq!(wishes, [Some(Prepared { view: View(1), block_hash: new.hash() })]);
}

/// R6: a lock may come with a wish for a view that is two above the own one, and F + 1 wishes for the view between. A wish
/// for that one would name a lock of its own view, which nobody accepts.
#[test]
pub fn a_lock_of_a_higher_view_shows_that_a_quorum_is_there() {
    let mut node = Node::started();
    let block = node.net.block(0);
    node.prevotes(&block);
    node.hears(node.net.wished(1, 2, Some(&node.net.lock(1, &block, &[0, 1, 3]))));
    assert!(wishes(&node.hears(node.net.wished(3, 1, None))).is_empty());
    assert_eq!(node.view(), View(1));
    let lock = Prepared { view: View(1), block_hash: block.hash() };
    assert_eq!(wishes_of(&node.hears(node.net.wished(3, 2, None))), [Some(lock)], "for view 2");
}

fn wishes_of(effects: &[Effect]) -> Vec<Option<Prepared>> {
    wishes(effects).into_iter().map(|it| it.prepared).collect()
}

/// R3: a leader that lacks the body of the lock asks those who are locked on it, and does without them when a quorum
/// does not carry it.
#[test]
pub fn a_lock_without_its_body_is_fetched_or_left_out() {
    let mut node = Node::started();
    let block = node.net.block(0);
    let lock = node.net.lock(0, &block, &[0, 1, 2]);
    let effects = node.hears(node.net.wished(3, 3, Some(&lock)));
    let asked = effects.iter().find_map(|effect| match effect {
        Effect::Check { source: BlockSource::Peers(peers), .. } => Some(peers.clone()),
        _ => None,
    });
    assert_eq!(
        asked.expect("at once")[0],
        node.net.id(3),
        "who names the lock is asked, though it did not prevote"
    );
    node.feed(Input::Checked { block_hash: block.hash(), verdict: Verdict::Unavailable });
    let effects = node.hears(node.net.wished(1, 3, None));
    // It jumped with the second wish; its own and those two are a quorum, and one of them carries the lock.
    assert!(!has(&effects, |it| matches!(it, Effect::Build(_))));
    let asked = effects.iter().find_map(|effect| match effect {
        Effect::Check { source: BlockSource::Peers(peers), .. } => Some(peers.clone()),
        _ => None,
    });
    assert_eq!(asked.expect("asked again")[0], node.net.id(3), "who is locked has it on disk");
    let effects = node.hears(node.net.wished(2, 3, None));
    assert!(has(&effects, |it| matches!(it, Effect::Build(_))), "three wishes do not carry it");
}

/// R15: each view has twice the time of the one before it, up to 64 times the base.
#[test]
pub fn each_view_takes_twice_as_long_up_to_a_cap() {
    for (view, bases) in [(1, 2), (2, 4), (5, 32), (6, 64), (7, 64), (1_000, 64)] {
        let mut node = Node::started();
        node.hears(node.net.wished(1, view, None));
        // It jumps, and three wish for the view.
        let effects = node.hears(node.net.wished(2, view, None));
        let timer = Timer::View(HEIGHT, View(view));
        assert!(sets_to(&effects, timer, BASE * bases), "view {view}: {effects:?}");
    }
}

/// faults.md, slow-execution: a block takes longer than the timer, and so does each one after it.
#[test]
pub fn slow_execution_holds_the_timer_back_within_bounds() {
    let mut node = Node::started();
    let block = node.net.block(0);
    node.hears(node.net.proposed(0, &block, None));
    node.feed(Input::Executing(block.hash()));
    for _ in 0..16 {
        let effects = node.times_out(0);
        assert!(statements(&effects).is_empty());
        assert!(
            effects.iter().any(|it| matches!(it, Effect::SetTimer(Timer::View(..), after) if *after == BASE))
        );
    }
    assert_eq!(wishes(&node.times_out(0)).len(), 1, "for ever would be too long");
}

/// faults.md, slow-execution: the leaders of later views make smaller blocks.
#[test]
pub fn slow_execution_shrinks_fresh_blocks() {
    let mut node = Node::started();
    node.hears(node.net.wished(1, 3, None));
    // With the second it jumps, and its own wish is the third. Member 0 leads view 3.
    let effects = node.hears(node.net.wished(2, 3, None));
    let plan = effects.iter().find_map(|it| match it {
        Effect::Build(plan) => Some((plan.view, plan.gas_shift, plan.may_be_empty)),
        _ => None,
    });
    assert_eq!(plan, Some((View(3), 2, true)));
}

/// R15: a vote shows as well as a wish in which view its signer is. The leader's proposal, by which it came there, may be
/// lost in a restart together with the leader.
#[test]
pub fn a_vote_shows_the_view_of_its_signer() {
    let mut node = Node::started();
    let block = node.net.block(0);
    node.hears(node.net.wished(1, 1, None));
    let next = Timer::View(HEIGHT, View(1));
    let effects = node.hears(node.net.wished(2, 1, None));
    assert!(sets(&effects, next), "it jumps, and three wish for view 1");

    let mut node = Node::started();
    node.has_work();
    node.times_out(0);
    assert!(!sets(&node.hears(node.net.wished(1, 1, None)), next));
    assert!(sets(&node.hears(node.net.vote(3, Phase::Prevote, 1, &block)), next));
}

/// R13: wishes that come while the disk is full count once there is room, as nobody has to repeat them until then.
#[test]
pub fn wishes_that_came_while_the_disk_was_full_are_followed() {
    let mut node = Node::started();
    node.feed(Input::DiskRoom(false));
    for who in [1, 2] {
        assert!(statements(&node.hears(node.net.wished(who, 2, None))).is_empty());
    }
    let effects = node.feed(Input::DiskRoom(true));
    assert_eq!(wishes(&effects).iter().map(|it| it.view).collect::<Vec<_>>(), [View(2)]);
    assert!(sets(&effects, Timer::View(HEIGHT, View(2))), "and with its own they are a quorum");
}

/// A node with two decided blocks, of which neither record is synced; and the head that the first of them makes.
fn two_blocks_above_the_disk() -> (Node, Head) {
    let mut node = Node::started();
    let [first, _] = [(); 2].map(|()| {
        let block = node.net.block_on(&node.head, 0);
        node.hears(node.decided(&block, 0));
        node.executes(&block);
        node.head = Head { height: block.height(), hash: block.hash(), ..node.net.head() };
        node.head.clone()
    });
    (node, first)
}

/// R13, R14: the same while two decided blocks wait for the disk; however the record of the first one comes to be synced.
#[test]
pub fn wishes_that_came_while_the_disk_was_behind_are_followed() {
    for by_sync in [false, true] {
        let (mut node, synced) = two_blocks_above_the_disk();
        let height = node.replica.height();
        for who in [1, 2] {
            let change = ViewChange { height, view: View(1), prepared: None };
            let signed = node.net.sign(who, change);
            let wish = Message::ViewChange(SignedViewChange { signed, certificate: None });
            assert!(statements(&node.hears(wish)).is_empty());
        }
        let input = if by_sync { Input::Synced(synced) } else { Input::Durable(synced.height) };
        let effects = node.feed(input);
        assert_eq!(wishes(&effects).iter().map(|it| it.view).collect::<Vec<_>>(), [View(1)], "{by_sync}");
        assert!(sets(&effects, Timer::View(height, View(1))));
    }
}

/// R14: a durable head that comes by sync may be all that the timer waited for.
#[test]
pub fn a_head_that_sync_made_durable_starts_the_timer() {
    let (mut node, synced) = two_blocks_above_the_disk();
    let timer = Timer::View(node.replica.height(), View(0));
    assert!(!sets(&node.has_work(), timer), "two records are not synced");
    assert!(sets(&node.feed(Input::Synced(synced)), timer));
}
