//! Laws: what holds for any script. `World` folds each record and takes each state through a snapshot as it goes.

use proptest::prelude::*;
use proptest::sample::select;

use super::world::World;

/// Everything that clients, workers and time can do, in sense and nonsense.
fn line() -> impl Strategy<Value = String> {
    let plain = select(vec![
        "start request=a",
        "start request=b conflict=3 run=40s retry=3",
        "start request=c reuse=2 delay=3s",
        "start eager request=d retry=2",
        "signal-with-start request=e",
        "signal s",
        "signal s request=x",
        "cancel",
        "terminate",
        "poll",
        "poll normal",
        "poll request=other",
        "fail",
        "fail 36",
        "begin a",
        "begin b",
        "begin a again request=y",
        "done a",
        "done b",
        "done id:a",
        "failed a",
        "failed b next=2s",
        "failed a final",
        "canceled a",
        "beat a",
        "beat b details",
        "query q",
        "update u",
        "update v until=accepted",
        "update-with-start u request=f conflict=2",
        "update-with-start v request=g conflict=3 reuse=1",
        "update-with-start w request=a",
        "poll-update u until=completed",
        "stop-waiting 3",
        "describe",
        "no-sticky-worker",
        "reset-sticky",
        "owed",
        "advance 1s",
        "advance 4s",
        "advance 11s",
        "reload",
        "pause-run",
        "pause-run request=p",
        "unpause-run",
        "limit buffered=3",
    ])
    .prop_map(str::to_owned);
    prop_oneof![3 => plain, 2 => complete()]
}

fn complete() -> impl Strategy<Value = String> {
    let options = prop::collection::vec(
        select(vec!["sticky", "new", "force", "silent", "forgetful"]),
        0..3,
    );
    let commands = prop::collection::vec(command(), 0..4);
    let close = prop::option::weighted(
        0.2,
        select(vec![
            "finish",
            "fail",
            "fail final",
            "cancel",
            "again",
            "again delay=2s",
        ]),
    );
    (options, commands, close).prop_map(|(options, mut commands, close)| {
        commands.extend(close);
        format!("complete {}: {}", options.join(" "), commands.join(", "))
    })
}

fn command() -> impl Strategy<Value = &'static str> {
    select(vec![
        "activity a",
        "activity a retry=1 stc=2s",
        "activity b stc=3s hb=2s",
        "activity b s2c=4s no-stc eager",
        "activity c s2s=1s",
        "activity d no-stc",
        "activity e stc=-1s",
        "cancel-activity a",
        "cancel-activity b",
        "cancel-activity 3",
        "cancel-activity 0",
        "timer t 2s",
        "timer u 0s",
        "timer v 7s",
        "cancel-timer t",
        "cancel-timer u",
        "marker m",
        "memo k",
        "child",
        "accept u",
        "respond u",
        "reject u",
        "adopt v",
        "respond v",
        "reject v",
        "odd u",
        "finish",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_script_leaves_logs_that_fold_to_their_states(
        lines in prop::collection::vec(line(), 1..60),
    ) {
        let mut world = World::new();
        for line in &lines {
            world.line(line);
        }
        world.line("advance 30s");
        world.refold();
    }

    /// With a worker that answers, whatever has happened to a run before, it can close.
    #[test]
    fn a_run_with_a_worker_makes_progress(
        lines in prop::collection::vec(line(), 1..30),
    ) {
        let mut world = World::new();
        world.line("start request=z");
        for line in &lines {
            world.line(line);
        }
        world.line("unpause-run");
        for _ in 0..20 {
            world.line("advance 4s");
            world.line("signal wake");
            world.line("poll");
            world.line("complete: finish");
        }
        world.refold();
        let open = world.state().is_some_and(crate::execution::State::is_open);
        prop_assert!(!open, "the run ended:\n{}", world.out);
    }
}
