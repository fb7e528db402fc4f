//! What people are told: the notes of a step, and the facts of a snapshot. Nothing in the protocol reads them.

use quorate_consensus::{
    BlockStanding, Effect, Fact, Head, Input, MessageKind, NotVoting, Timer, TimerStanding, ViewChangeReason,
};
use quorate_types::{Height, Message, Phase, RejectReason, View};

use crate::support::{HEIGHT, Net, Node};

fn facts(node: &Node) -> Vec<Fact> {
    node.replica.notes().iter().map(|note| note.fact).collect()
}

fn reasons(node: &Node) -> Vec<ViewChangeReason> {
    let reason = |fact| match fact {
        Fact::ViewChanged { reason, .. } => Some(reason),
        _ => None,
    };
    facts(node).into_iter().filter_map(reason).collect()
}

/// Gives one input without answering what it asks for.
fn step(node: &mut Node, input: Input) -> Vec<Effect> {
    node.replica.step(input)
}

fn has_work(node: &mut Node) {
    step(node, Input::Timer(Timer::BlockInterval(node.replica.height())));
    step(node, Input::Work(true));
}

fn hear(node: &mut Node, message: impl FnOnce(&Net) -> Message) -> Vec<Effect> {
    let message = message(&node.net);
    let from = message.signer().expect("a signer");
    let message = message.verify(node.net.context()).expect("sound");
    step(node, Input::Message { message, from })
}

#[test]
pub fn one_height_is_noted_from_proposal_to_decision() {
    let mut node = Node::started();
    let block = node.net.block(0);
    let (leader, block_hash) = (node.net.id(1), block.hash());
    hear(&mut node, |net| net.proposed(0, &block, None));
    assert_eq!(facts(&node), [Fact::Proposed { leader, block_hash }]);
    node.executes(&block);
    hear(&mut node, |net| net.vote(1, Phase::Prevote, 0, &block));
    hear(&mut node, |net| net.vote(2, Phase::Prevote, 0, &block));
    assert_eq!(facts(&node), [Fact::Locked { view: View(0), block_hash }]);
    for who in 1..3 {
        hear(&mut node, |net| net.vote(who, Phase::Commit, 0, &block));
    }
    hear(&mut node, |net| net.vote(3, Phase::Commit, 0, &block));
    assert_eq!(facts(&node), [Fact::Decided { view: View(0), block_hash }, Fact::Entered]);
}

#[test]
pub fn each_way_out_of_a_view_has_its_reason() {
    let mut node = Node::started();
    has_work(&mut node);
    step(&mut node, Input::Timer(Timer::View(HEIGHT, View(0))));
    assert_eq!(reasons(&node), [ViewChangeReason::Timeout]);

    let mut node = Node::started();
    for who in [2, 3] {
        hear(&mut node, |net| Message::ViewChange(net.wish(who, 3, None)));
    }
    assert_eq!(reasons(&node), [ViewChangeReason::Jump]);

    let mut node = Node::started();
    for _ in 0..4 {
        step(&mut node, Input::Timer(Timer::Tick));
    }
    has_work(&mut node);
    assert_eq!(reasons(&node), [ViewChangeReason::SilentLeader]);

    let mut node = Node::started();
    has_work(&mut node);
    step(&mut node, Input::Timer(Timer::HalfView(HEIGHT)));
    step(&mut node, Input::Timer(Timer::View(HEIGHT, View(0))));
    let head = Head { height: Height(12), ..node.net.head() };
    step(&mut node, Input::Synced(head));
    has_work(&mut node);
    assert_eq!(reasons(&node), [ViewChangeReason::FailingLeader], "the third turn of the same leader");
}

#[test]
pub fn silence_is_noted_when_it_begins_and_when_it_ends() {
    let mut node = Node::started();
    for _ in 0..3 {
        step(&mut node, Input::Timer(Timer::Tick));
        assert!(facts(&node).is_empty());
    }
    step(&mut node, Input::Timer(Timer::Tick));
    let others: Vec<_> = (1..4).map(|who| Fact::Silent(node.net.id(who))).collect();
    assert_eq!(facts(&node), others);
    step(&mut node, Input::Timer(Timer::Tick));
    assert!(facts(&node).is_empty(), "once");
    let block = node.net.block(0);
    hear(&mut node, |net| net.vote(2, Phase::Prevote, 0, &block));
    assert_eq!(facts(&node), [Fact::Heard(node.net.id(2))]);

    let seen = &node.replica.snapshot().validators[2];
    let heard = seen.heard.expect("it was heard");
    assert_eq!((heard.kind, heard.height, heard.view), (MessageKind::Prevote, HEIGHT, View(0)));
    assert!(!seen.silent && node.replica.snapshot().validators[3].silent);
}

#[test]
pub fn who_stops_voting_says_so_and_says_when_it_is_over() {
    let mut node = Node::started();
    step(&mut node, Input::DiskRoom(false));
    assert_eq!(facts(&node), [Fact::Voting(Some(NotVoting::DiskFull))]);
    assert_eq!(node.replica.snapshot().timer, TimerStanding::NotVoting);
    step(&mut node, Input::DiskRoom(false));
    assert!(facts(&node).is_empty(), "once");
    step(&mut node, Input::DiskRoom(true));
    assert_eq!(facts(&node), [Fact::Voting(None)]);
}

#[test]
pub fn a_snapshot_says_what_the_timer_and_the_block_wait_for() {
    let mut node = Node::started();
    assert_eq!(node.replica.snapshot().timer, TimerStanding::NoWork);
    step(&mut node, Input::Work(true));
    assert_eq!(node.replica.snapshot().timer, TimerStanding::TooEarly);
    has_work(&mut node);
    assert_eq!(node.replica.snapshot().timer, TimerStanding::Armed { held_back: 0 });
    node.times_out(0);
    assert_eq!(node.replica.snapshot().timer, TimerStanding::NoQuorum { weight: 1 });

    let mut node = Node::started();
    let block = node.net.block(0);
    hear(&mut node, |net| net.proposed(0, &block, None));
    assert_eq!(node.replica.snapshot().block, Some(BlockStanding::Fetching));
    step(&mut node, Input::Executing(block.hash()));
    assert_eq!(node.replica.snapshot().block, Some(BlockStanding::Executing));
    let roots = quorate_types::Roots { state: block.hash(), receipts: block.hash() };
    node.refuses(&block, roots);
    assert_eq!(node.replica.snapshot().block, Some(BlockStanding::Refused(RejectReason::Divergence)));
}

#[test]
pub fn notes_are_those_of_one_step() {
    let mut node = Node::with(Net::of(4), 0, quorate_consensus::Trust::Full);
    step(&mut node, Input::Timer(Timer::Tick));
    assert!(facts(&node).is_empty(), "so they cannot pile up");
}
