//! Every mutant of the engine, against every story: each must make one of them fail.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};

use quorate_consensus::Mutant;

use crate::{forgery, liveness, notes, restart, view_change, voting};

type Story = (&'static str, fn());

/// Each with its name.
macro_rules! stories {
    ($($chapter:ident::$story:ident,)*) => {
        &[$((stringify!($story), $chapter::$story),)*]
    };
}

const STORIES: &[Story] = stories![
    forgery::a_wish_proves_its_lock,
    forgery::body_not_bound_to_the_signature_does_not_pass,
    forgery::newview_unchecked_parts_do_not_pass,
    forgery::newview_unchecked_signatures_do_not_pass,
    forgery::type_confusion_is_a_bad_signature,
    forgery::unsigned_empty_blocks_and_other_bodies_do_not_pass,
    liveness::a_neighbour_behind_is_helped_once_a_tick,
    liveness::an_empty_block_is_due_after_its_interval,
    liveness::blocks_keep_their_distance,
    liveness::dead_leader_tax_is_not_levied_on_a_leader_that_others_hear,
    liveness::dead_leader_tax_is_paid_once,
    liveness::dead_leader_tax_is_saved_by_weight,
    liveness::dead_leader_tax_is_saved_f_times_at_a_height,
    liveness::failing_leader_does_not_hide_a_silent_one,
    liveness::failing_leader_gains_nothing_by_taking_every_other_turn,
    liveness::failing_leader_is_one_that_had_its_time,
    liveness::failing_leader_is_one_that_was_waited_for,
    liveness::failing_leader_is_tried_less_and_less,
    liveness::empty_interval_the_chain_rests_until_there_is_work,
    liveness::flood_of_one_signer_is_passed_on_within_bounds,
    liveness::link_cut_what_is_sent_again_is_passed_on_again,
    liveness::lone_transaction_is_shared_until_it_is_in_a_block,
    notes::a_snapshot_says_what_the_timer_and_the_block_wait_for,
    notes::each_way_out_of_a_view_has_its_reason,
    notes::notes_are_those_of_one_step,
    notes::one_height_is_noted_from_proposal_to_decision,
    notes::silence_is_noted_when_it_begins_and_when_it_ends,
    notes::who_stops_voting_says_so_and_says_when_it_is_over,
    restart::a_head_counts_only_when_told_in_person,
    restart::a_lock_that_could_not_be_executed_is_tried_again,
    restart::a_log_lost_at_birth_is_lost,
    restart::a_restored_view_has_a_timer_of_its_own,
    restart::a_restored_wish_is_not_signed_again,
    restart::amnesia_does_not_come_with_a_restart,
    restart::nothing_happens_before_the_start,
    restart::the_lock_survives_a_restart,
    restart::who_is_taken_out_follows_and_who_is_taken_in_votes,
    restart::whoever_abstains_hears_a_quorum_of_those_who_vote_now,
    restart::who_abstained_signs_nothing_at_a_height_that_sync_has_ended,
    restart::who_abstained_signs_only_where_a_power_cut_leaves_it,
    restart::wiped_ahead_abstains_for_three_heights,
    view_change::a_head_that_sync_made_durable_starts_the_timer,
    view_change::a_lock_without_its_body_is_fetched_or_left_out,
    view_change::a_lock_of_a_higher_view_shows_that_a_quorum_is_there,
    view_change::a_lower_lock_does_not_replace_a_higher_one,
    view_change::a_vote_shows_the_view_of_its_signer,
    view_change::a_wish_names_the_lock,
    view_change::each_view_takes_twice_as_long_up_to_a_cap,
    view_change::liar_high_view_moves_nobody,
    view_change::no_commit_after_giving_up,
    view_change::no_vote_after_giving_up,
    view_change::prepared_then_lost_is_proposed_again,
    view_change::restart_runaway_timers_need_a_quorum,
    view_change::slow_execution_holds_the_timer_back_within_bounds,
    view_change::slow_execution_shrinks_fresh_blocks,
    view_change::wishes_that_came_while_the_disk_was_behind_are_followed,
    view_change::wishes_that_came_while_the_disk_was_full_are_followed,
    voting::a_bad_offer_is_refused_once,
    voting::a_block_goes_from_proposal_to_decision,
    voting::a_commit_waits_for_the_disk,
    voting::a_foreign_signature_ends_all_signing,
    voting::a_lock_ends_the_wait_for_the_clock,
    voting::a_list_that_contradicts_its_header_is_refused_once,
    voting::commits_of_an_older_view_decide,
    voting::duplicate_signers_decide_nothing,
    voting::flood_of_far_views_fills_the_liars_slots_alone,
    voting::nothing_is_signed_two_blocks_above_the_disk,
    voting::reproposal_too_old_is_not_measured_by_the_clock,
    voting::silent_divergence_is_said_in_either_order,
    voting::the_lock_goes_to_disk_with_the_commit,
    voting::timeout_during_commit_changes_nothing,
    voting::two_proposals_in_one_view_are_evidence_and_the_first_stays,
    voting::two_that_compute_other_roots_raise_the_alarm_everywhere,
];

#[test]
fn every_mutant_makes_a_story_fail() {
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let mut survivors = Vec::new();
    for mutant in Mutant::all() {
        let fails = |(_, story): &&Story| mutant.infect(|| catch_unwind(AssertUnwindSafe(story)).is_err());
        let caught: Vec<&str> = STORIES.iter().filter(fails).map(|(name, _)| *name).collect();
        println!("{:28} {:10} {}", mutant.name(), mutant.rules(), caught.join(", "));
        // What no story of one replica shows is the simulator's: its suite runs them.
        if caught.is_empty() != mutant.scenario().is_some() {
            survivors.push(mutant.name());
        }
    }
    set_hook(hook);
    assert!(survivors.is_empty(), "caught by no story, or listed though they are: {survivors:?}");
}
