//! The rules hold in all states within bounds that take seconds; and each rule left out is found.

use quorate_model::{Heights, Must, Mutant, Order, Report, Views};

const VIEWS: Views = Views { count: 3, order: Order::Any, mutant: None };
const HEIGHTS: Heights = Heights { last: 6, losses: 2, mutant: None };

fn assert_holds(report: &Report) {
    assert!(report.exhausted, "{report:#?}");
    for verdict in &report.verdicts {
        let what = if verdict.must == Must::Always { "is broken" } else { "is impossible" };
        assert!(verdict.holds, "{} {what}: {:#?}", verdict.property, verdict.path);
    }
}

/// Leaves a rule out of the smallest model that shows it, and returns the run that broke `property`.
fn counterexample(mutant: Mutant, property: &str) -> String {
    let mutant = Some(mutant);
    let report = match mutant.filter(|it| it.is_about_heights()) {
        Some(_) => Heights { last: 4, mutant, ..HEIGHTS }.check(),
        None => Views { count: 2, mutant, ..VIEWS }.check(),
    };
    let verdict = report.verdicts.iter().find(|it| it.property == property).expect("it is a property");
    assert!(!verdict.holds && verdict.must == Must::Always, "{mutant:?} survived: {report:#?}");
    verdict.path.join("\n")
}

fn fork(mutant: Mutant) -> String {
    counterexample(mutant, "agreement")
}

fn contradiction(mutant: Mutant) -> String {
    counterexample(mutant, "nothing signed where it signed before")
}

#[test]
fn within_a_height_the_rules_hold() {
    assert_holds(&VIEWS.check());
}

#[test]
fn within_a_height_the_rules_hold_in_more_views() {
    assert_holds(&Views { count: 5, order: Order::Ascending, ..VIEWS }.check());
}

#[test]
fn between_heights_the_rules_hold() {
    assert_holds(&HEIGHTS.check());
}

#[test]
fn a_certificate_ignored_by_proposals_forks() {
    let run = fork(Mutant::IgnoresLock);
    // Somebody said in its wish what was locked.
    assert!(run.contains("wishes for view 1, lock A of view 0"), "{run}");
}

#[test]
fn a_quorum_minus_one_forks_in_view_0() {
    let run = fork(Mutant::QuorumMinusOne);
    assert!(!run.contains("view 1"), "{run}");
}

#[test]
fn votes_below_the_own_wish_fork() {
    let run = fork(Mutant::VotesBelowWish);
    assert!(!run.contains("restarts"), "{run}");
    let wished = run.find("validator 1 wishes for view 1, no lock").expect("it wishes");
    let commit = run.rfind("in view 0").expect("some vote in view 0");
    assert!(wished < commit, "{run}");
}

#[test]
fn a_lock_forgotten_at_a_restart_forks() {
    let run = fork(Mutant::ForgetsLock);
    assert!(run.contains("restarts"), "{run}");
}

#[test]
fn an_unjustified_proposal_forks() {
    let run = fork(Mutant::UnjustifiedProposals);
    assert!(!run.contains("wishes"), "{run}");
}

#[test]
fn two_votes_in_a_view_fork_and_are_seen_as_such() {
    counterexample(Mutant::VotesAgain, "no vote twice");
    fork(Mutant::VotesAgain);
}

#[test]
fn a_commit_that_does_not_wait_for_the_record_makes_m_plus_3_too_early() {
    contradiction(Mutant::CommitsOnUnsyncedParent);
}

#[test]
fn a_log_that_lets_go_of_an_unsynced_height_contradicts_itself_after_a_power_cut() {
    let run = contradiction(Mutant::RecyclesEarly);
    assert!(run.contains("loses power"), "{run}");
}

#[test]
fn m_plus_2_is_too_early() {
    let run = contradiction(Mutant::ResumesEarly);
    assert_eq!(run.matches("loses its log").count(), 1, "{run}");
}

#[test]
fn a_power_cut_takes_who_resumed_too_early_back_to_what_it_forgot() {
    let run = contradiction(Mutant::ResumesUnsynced);
    assert!(run.contains("loses power"), "{run}");
}

#[test]
fn a_lost_log_without_a_wait_contradicts_itself() {
    contradiction(Mutant::TrustsLostLog);
}

#[test]
fn a_chain_taken_for_new_contradicts_what_a_lost_log_held() {
    let run = contradiction(Mutant::AbstainsNotAtBirth);
    assert!(run.contains("signs at height 1"), "{run}");
}

/// Not a rule but the limit of R21, so that nobody takes it for more than it is.
#[test]
fn a_second_loss_is_not_covered_by_m_plus_3() {
    let run = contradiction(Mutant::LosesTwoLogs);
    assert_eq!(run.matches("loses its log").count(), 2, "{run}");
}
