//! One suite for every store: what the trait promises, as scenarios that each run on a fresh database.
//!
//! For tests; compiled into the library only with the feature of its name. Scenarios panic when a promise is broken.

#![expect(
    clippy::unwrap_used,
    reason = "this is test code that integration tests of other targets call"
)]
#![cfg_attr(
    not(test),
    expect(
        clippy::wildcard_imports,
        clippy::enum_glob_use,
        reason = "as in tests, whose names need no lists"
    )
)]

use async_trait::async_trait;
use futures::future::BoxFuture;

use super::Store;

mod audit;
mod epochs;
mod history;
mod nodes;
mod rows;
pub(crate) mod sample;
pub mod script;
mod tables;
mod visibility;
mod waking;

/// A fresh database of its own.
#[async_trait]
pub trait Place: Send {
    /// Opens it. Called again when the store from the time before is gone: what was committed is still there.
    async fn open(&mut self) -> Box<dyn Store>;
}

/// One promise.
pub type Scenario = for<'a> fn(&'a mut dyn Place) -> BoxFuture<'a, ()>;

macro_rules! scenarios {
    ($($module:ident::$name:ident),* $(,)?) => {
        &[$((stringify!($name), |place| Box::pin($module::$name(place)))),*]
    };
}

/// All promises, by name.
pub const SCENARIOS: &[(&str, Scenario)] = scenarios![
    tables::a_run_comes_back_as_it_was_written,
    tables::numbers_and_texts_have_no_forbidden_values,
    tables::a_large_record_comes_back,
    tables::what_cannot_be_stored_is_refused,
    tables::records_behind_a_snapshot_are_loaded,
    tables::a_heartbeat_register_is_replaced_and_forgotten,
    tables::a_deleted_run_leaves_nothing,
    tables::a_database_is_there_when_opened_again,
    tables::a_namespace_keeps_its_id_and_a_name_its_namespace,
    tables::a_setting_is_what_it_was_first,
    epochs::each_takeover_raises_the_epoch,
    epochs::a_shard_with_an_old_epoch_is_left_out,
    epochs::a_batch_without_writes_is_a_proof,
    epochs::of_two_who_saw_the_same_epoch_one_gets_the_shard,
    epochs::what_was_released_is_nobodys_until_it_is_taken,
    nodes::a_beat_shows_who_lives_and_who_owns_what,
    nodes::a_later_process_has_the_name,
    rows::a_refused_batch_leaves_nothing,
    rows::an_id_has_one_open_run,
    rows::a_close_makes_room_for_an_open_in_the_same_batch,
    rows::a_run_may_come_and_go_within_a_batch,
    rows::the_last_write_of_a_row_wins,
    rows::the_current_run_has_the_largest_nth,
    rows::a_start_request_finds_the_run_it_began,
    history::a_page_begins_with_the_fragment_that_holds_the_event,
    history::a_page_ends_at_its_limits,
    history::a_page_backwards_begins_below_the_event,
    waking::runs_wake_up_in_order,
    waking::a_checkpoint_decides_when_a_run_wakes,
    waking::parked_offers_come_in_order,
    waking::a_checkpoint_replaces_what_was_parked,
    visibility::a_list_shows_open_runs_first,
    visibility::a_list_goes_on_where_a_page_ended,
    visibility::each_condition_selects,
    visibility::runs_are_found_by_their_terms,
    visibility::each_attribute_can_be_asked_for,
    visibility::what_is_absent_is_neither_equal_nor_unequal,
    visibility::runs_are_counted_by_status,
    audit::everything_of_a_run_is_there_at_once,
    audit::a_run_is_found_in_whatever_table_names_it,
];
