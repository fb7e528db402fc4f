//! Idle chains, lone transactions, silent leaders, neighbours that are behind.

use std::collections::BTreeMap;

use quorate_consensus::{Effect, Head, Input, Recovered, Timer, Trust};
use quorate_types::{B256, Height, Message, Phase, Roots, View};

use crate::support::{BASE, HEIGHT, Net, Node, has, sets, sets_to, statements, wishes};

const VIEW_0: Timer = Timer::View(HEIGHT, View(0));

/// faults.md, empty-interval: frozen transactions, starvation (GoQuorum #1630, Besu #10917).
#[test]
pub fn empty_interval_the_chain_rests_until_there_is_work() {
    let mut leader = Node::with(Net::of(4), 1, Trust::Full);
    let effects = leader.feed(Input::Timer(Timer::BlockInterval(HEIGHT)));
    assert!(!has(&effects, |it| matches!(it, Effect::Build(_))) && !sets(&effects, VIEW_0));
    let effects = leader.feed(Input::Work(true));
    assert!(has(&effects, |it| matches!(it, Effect::Build(plan) if !plan.may_be_empty)));
    assert!(sets(&effects, VIEW_0), "and the others watch the leader from then on");
    // The work went away: the timer must not age a chain that rests.
    let effects = leader.feed(Input::Work(false));
    assert!(has(&effects, |it| matches!(it, Effect::CancelTimer(timer) if *timer == VIEW_0)));
}

/// R14: where empty blocks are wanted, one is work once its interval is over, for its leader and for those who watch it.
#[test]
pub fn an_empty_block_is_due_after_its_interval() {
    let (interval, due) = (BASE * 8, Timer::EmptyBlock(HEIGHT));
    let (mut leader, effects) = Node::wanting_empty_blocks(Net::of(4), 1, interval);
    assert!(sets_to(&effects, due, interval));
    let effects = leader.feed(Input::Timer(Timer::BlockInterval(HEIGHT)));
    assert!(!has(&effects, |it| matches!(it, Effect::Build(_))), "not yet");
    let effects = leader.feed(Input::Timer(due));
    assert!(has(&effects, |it| matches!(it, Effect::Build(plan) if plan.may_be_empty)));
    let (mut other, _) = Node::wanting_empty_blocks(Net::of(4), 0, interval);
    other.feed(Input::Timer(Timer::BlockInterval(HEIGHT)));
    assert!(!sets(&other.feed(Input::Timer(Timer::EmptyBlock(quorate_types::Height(4)))), VIEW_0));
    assert!(sets(&other.feed(Input::Timer(due)), VIEW_0), "the leader may be dead");
}

/// R1: the leader waits for the interval, however much there is to do, and nobody takes it for late: else a long interval would end
/// every view 0, and where a leader is passed over the next one would propose at once.
#[test]
pub fn blocks_keep_their_distance() {
    let builds = |effects: &[Effect]| has(effects, |it| matches!(it, Effect::Build(_)));
    let mut leader = Node::with(Net::of(4), 1, Trust::Full);
    let mut other = Node::started();
    (0..4).for_each(|_| drop(other.feed(Input::Timer(Timer::Tick))));
    assert!(!builds(&leader.feed(Input::Work(true))));
    let effects = other.feed(Input::Work(true));
    assert!(!sets(&effects, VIEW_0) && wishes(&effects).is_empty());
    let interval = || Input::Timer(Timer::BlockInterval(HEIGHT));
    assert!(builds(&leader.feed(interval())));
    let effects = other.feed(interval());
    assert!(
        sets(&effects, VIEW_0) && wishes(&effects).len() == 1,
        "a leader that is silent is passed over then"
    );
}

/// faults.md, lone-transaction: in one node's pool only; that node alone times out for ever (own study).
#[test]
pub fn lone_transaction_is_shared_until_it_is_in_a_block() {
    let shares = |effects: &[Effect]| has(effects, |it| matches!(it, Effect::ShareWork));
    let mut node = Node::started();
    assert!(sets(&node.has_work(), Timer::HalfView(HEIGHT)));
    assert!(shares(&node.feed(Input::Timer(Timer::HalfView(HEIGHT)))));
    assert!(shares(&node.times_out(0)), "with the wish");
    let resend = || Input::Timer(Timer::Resend(HEIGHT));
    assert!(shares(&node.feed(resend())), "and with each repetition of it: one delivery proves nothing");
    let mut observer = Node::with(Net::of(4), 0, Trust::None);
    observer.feed(Input::Work(true));
    let ticks = [(); 2].map(|()| observer.feed(Input::Timer(Timer::Tick)));
    assert!(ticks.iter().any(|it| shares(it)), "who may not vote has nothing else to get it into a block");
}

/// faults.md, dead-leader-tax: one dead validator slows every n-th block by a full timeout (Besu #6398).
#[test]
pub fn dead_leader_tax_is_paid_once() {
    let mut node = Node::started();
    for _ in 0..4 {
        node.feed(Input::Timer(Timer::Tick));
        node.hears(node.net.vote(2, Phase::Prevote, 0, &node.net.block(0)));
    }
    // Two seconds of silence are known before there is work, so the wish comes with it.
    assert_eq!(wishes(&node.has_work()).len(), 1);
    assert_eq!(node.view(), View(1));
    // The leader of view 1 was heard; and only F timers of a height end early.
    assert!(statements(&node.feed(Input::Timer(Timer::Tick))).is_empty());
}

/// R18: F timers of a height end early and no more. Whoever hears nobody would race through the views alone.
#[test]
pub fn dead_leader_tax_is_saved_f_times_at_a_height() {
    let mut node = Node::started();
    (0..4).for_each(|_| drop(node.feed(Input::Timer(Timer::Tick))));
    assert_eq!(wishes(&node.has_work()).len(), 1);
    // The leader of view 1, member 2, is as silent.
    node.hears(node.net.wished(1, 1, None));
    let effects = node.hears(node.net.wished(3, 1, None));
    assert!(sets(&effects, Timer::View(HEIGHT, View(1))) && wishes(&effects).is_empty());
    assert!(wishes(&node.feed(Input::Timer(Timer::Tick))).is_empty());
}

/// R18: it is weight that may lie. Of four members that weigh 4 each two are passed over, as 4 is below F = 5 and 8 is not.
#[test]
pub fn dead_leader_tax_is_saved_by_weight() {
    let mut node = Node::with(Net::weighing(4, 4), 0, Trust::Full);
    let silence = |node: &mut Node| (0..4).any(|_| !wishes(&node.feed(Input::Timer(Timer::Tick))).is_empty());
    silence(&mut node);
    node.has_work();
    node.hears(node.net.wished(1, 1, None));
    node.hears(node.net.wished(3, 1, None));
    assert_eq!(node.view(), View(2), "members 1 and 2 led");
    node.hears(node.net.wished(1, 2, None));
    let effects = node.hears(node.net.wished(2, 2, None));
    assert!(sets(&effects, Timer::View(HEIGHT, View(2))));
    assert!(!silence(&mut node), "member 3 has its whole timer");
}

/// The turns of member 1 in view 0, at the heights 5, 9, 13, ..., as another sees them.
struct Turns(Node);

impl Turns {
    /// Whether the leader is waited for. If so, it may succeed.
    fn next(&mut self, number: u64, succeeds: bool) -> bool {
        let Self(node) = self;
        let head = Head { height: Height(4 * number), ..node.net.head() };
        let block = node.net.block_on(&head, 0);
        node.feed(Input::Synced(head));
        let is_tried = wishes(&node.has_work()).is_empty();
        if is_tried && succeeds {
            node.prevotes(&block);
            node.hears(node.decided(&block, 0));
        } else {
            node.times_out(0);
        }
        is_tried
    }
}

/// R18: whoever signs and never proposes is heard, and would cost a base timeout at each of its turns (own study).
#[test]
pub fn failing_leader_is_tried_less_and_less() {
    let mut turns = Turns(Node::started());
    let mut turn = |number, succeeds| turns.next(number, succeeds);
    let tried: Vec<_> = (1..=50).filter(|number| turn(*number, false)).collect();
    assert_eq!(tried, [1, 4, 16, 32, 48], "all try it together");
    let whole_again: Vec<_> = (51..=86).filter(|number| turn(*number, true)).collect();
    assert_eq!(whole_again, [64, 72, 76, 78, 79, 80, 81, 82, 83, 84, 85, 86]);
}

/// R18: one success must not make up for a failure, or every other turn would cost a base timeout.
#[test]
pub fn failing_leader_gains_nothing_by_taking_every_other_turn() {
    let mut turns = Turns(Node::started());
    let (mut tried, mut failed) = (0, 0);
    for number in 1..=16 * 64 {
        let succeeds = tried % 2 == 1;
        if turns.next(number, succeeds) {
            tried += 1;
            failed += u32::from(!succeeds);
        }
    }
    assert!(
        (60..=66).contains(&failed),
        "one in 16, as of who takes none: {failed} of {tried} that were tried"
    );
}

/// R18: only turns in which this node waited count, and of those only such as all others wait in as well. Counted otherwise, nodes would
/// try an honest leader at different times, and each alone.
#[test]
pub fn failing_leader_is_one_that_was_waited_for() {
    let withholds_turn_3 = |node: &mut Node| {
        node.feed(Input::Synced(Head { height: Height(12), ..node.net.head() }));
        !wishes(&node.has_work()).is_empty()
    };
    // It follows two others without having had work of its own.
    let mut node = Node::started();
    node.hears(node.net.wished(2, 1, None));
    node.hears(node.net.wished(3, 1, None));
    assert_eq!(node.view(), View(1));
    assert!(!withholds_turn_3(&mut node));

    // Turn 3 is withheld, but the offer is here before there is work; and then it leads nowhere.
    let mut node = Node::started();
    node.has_work();
    node.times_out(0);
    let head = Head { height: Height(12), ..node.net.head() };
    let block = node.net.block_on(&head, 0);
    node.feed(Input::Synced(head));
    node.prevotes(&block);
    assert_eq!(wishes(&node.times_out(0)).len(), 1);
    node.feed(Input::Synced(Head { height: Height(32), ..node.net.head() }));
    assert!(wishes(&node.has_work()).is_empty(), "turn 8 is tried, as after one failure");
}

/// R18: given two that do not wait for a leader, one of which may lie, when all follow them at once, then nothing is held against it: it had
/// no time to offer anything.
#[test]
pub fn failing_leader_is_one_that_had_its_time() {
    let mut node = Node::started();
    node.has_work();
    node.hears(node.net.wished(2, 1, None));
    assert_eq!(wishes(&node.hears(node.net.wished(3, 1, None))).len(), 1);
    node.feed(Input::Synced(Head { height: Height(12), ..node.net.head() }));
    assert!(wishes(&node.has_work()).is_empty(), "turn 3 would be withheld after a failure");
}

/// R18: a withheld turn takes nothing from what is saved on the silent.
#[test]
pub fn failing_leader_does_not_hide_a_silent_one() {
    let net = Net::of(4);
    let genesis = Head { height: Height(0), ..net.head() };
    let recovered = Recovered { records: BTreeMap::new(), trust: Trust::Full };
    let mut node = Node::new(net, 0, genesis, recovered);
    node.feed(Input::Start);
    assert_eq!(wishes(&node.times_out(0)).len(), 1);
    // Member 1 fails; member 2, which leads after it, is silent.
    for _ in 0..4 {
        node.feed(Input::Timer(Timer::Tick));
        node.hears(node.net.status(1, HEIGHT.0));
    }
    node.feed(Input::Synced(node.net.head()));
    assert_eq!(wishes(&node.has_work()).len(), 1);
    node.hears(node.net.wished(1, 1, None));
    node.hears(node.net.wished(3, 1, None));
    assert_eq!(node.view(), View(2));
}

#[test]
pub fn dead_leader_tax_is_not_levied_on_a_leader_that_others_hear() {
    let mut node = Node::started();
    for second in 1..6 {
        node.feed(Input::Timer(Timer::Tick));
        // Passed on by another: the state of one's own link is no reason.
        node.hears_from(node.net.id(3), node.net.status_at(1, HEIGHT.0, second * 1_000));
    }
    assert!(wishes(&node.has_work()).is_empty());
    // An old one, sent again by a liar, is no sign of life.
    let mut node = Node::started();
    for _ in 0..6 {
        node.feed(Input::Timer(Timer::Tick));
        node.hears_from(node.net.id(3), node.net.status_at(1, HEIGHT.0, 1_000));
    }
    assert_eq!(wishes(&node.has_work()).len(), 1);
}

/// R19: a liar that names many low heights gets one block for all of them.
#[test]
pub fn a_neighbour_behind_is_helped_once_a_tick() {
    let mut node = Node::started();
    let from = node.net.id(2);
    let helped = |node: &mut Node, height: u64| {
        let height = quorate_types::Height(height);
        has(&node.feed(Input::Behind { height, from }), |it| matches!(it, Effect::SendDecided { .. }))
    };
    assert!(helped(&mut node, 2));
    assert!(!helped(&mut node, 3) && !helped(&mut node, 2));
    node.feed(Input::Timer(Timer::Tick));
    assert!(helped(&mut node, 3));
}

/// faults.md, link-cut-and-one-down (own study): a neighbour that lost the first copy gets what is sent again.
#[test]
pub fn link_cut_what_is_sent_again_is_passed_on_again() {
    let mut node = Node::started();
    let vote = node.net.vote(2, Phase::Prevote, 0, &node.net.block(0));
    let relays = |effects: &[Effect]| has(effects, |it| matches!(it, Effect::Relay { .. }));
    assert!(relays(&node.hears(vote.clone())));
    assert!(!relays(&node.hears(vote.clone())), "once until the next resend");
    node.feed(Input::Timer(Timer::Resend(HEIGHT)));
    assert!(relays(&node.hears(vote.clone())));
    assert!(!relays(&node.hears(vote)));
}

/// R19, faults.md, flood: what one validator signs, however much of it is new, is passed on eight times in a resend interval.
#[test]
pub fn flood_of_one_signer_is_passed_on_within_bounds() {
    let mut node = Node::started();
    let net = Net::of(4);
    let blocks = [0, 1].map(|salt| net.block(salt));
    let wish = |view| net.wished(2, view, None);
    let vote = |view| net.vote(2, Phase::Prevote, view, &blocks[0]);
    let status = |clock_ms| net.status_at(2, HEIGHT.0, clock_ms);
    let reject = |view| net.reject_in(2, view, &blocks[1], Roots { state: B256::ZERO, receipts: B256::ZERO });
    let kinds: [&dyn Fn(u64) -> Message; 4] = [&wish, &vote, &status, &reject];
    for rising in kinds {
        let mut passed_on =
            |number| has(&node.hears(rising(number)), |it| matches!(it, Effect::Relay { .. }));
        assert_eq!((1..=100).filter(|number| passed_on(*number)).count(), 8);
        node.feed(Input::Timer(Timer::Resend(HEIGHT)));
        let again = has(&node.hears(rising(101)), |it| matches!(it, Effect::Relay { .. }));
        assert!(again, "another interval");
    }
}
