//! Lists and counts.

use bytes::Bytes;

use super::super::visibility::{Attribute, Comparison, Condition, Position, Query, Test, Value};
use super::super::{Row, Store, Write};
use super::Place;
use super::sample::*;
use crate::id::{NamespaceId, Time};
use crate::search_attribute::Term;

use Attribute::*;
use Comparison::*;
use Condition::{All, Any, Between, Compare, Has, In, IsNull, Never, Not, StartsWith, Worker};

/// Runs 1–3 open, 4–6 closed, and one in another namespace.
async fn written(place: &mut dyn Place) -> Box<dyn Store> {
    let store = place.open().await;
    let epoch = own(&*store).await;
    let rows = [
        Row {
            workflow_type: "Alpha".into(),
            start_time: Time(300),
            ..row(1, "a%1")
        },
        Row {
            workflow_type: "Alphabet".into(),
            start_time: Time(500),
            parent: None,
            ..row(2, "a_2")
        },
        Row {
            workflow_type: "alpha".into(),
            start_time: Time(500),
            root: None,
            ..row(3, "b\0c")
        },
        Row {
            history_length: 50,
            execution_time: Time(100),
            ..closed(row(4, "b"), 900)
        },
        Row {
            status: 3,
            start_time: Time(700),
            ..closed(row(5, "a\u{10ffff}z"), 900)
        },
        Row {
            task_queue: "other".into(),
            ..closed(row(6, "a\u{10ffff}"), 800)
        },
        Row {
            namespace: NamespaceId([7; 16]),
            ..row(7, "elsewhere")
        },
    ];
    commit(&*store, epoch, rows.into_iter().map(start).collect()).await;
    store
}

const ALL: [u8; 6] = [3, 2, 1, 4, 5, 6];

fn query(condition: Condition) -> Query {
    Query {
        condition: Some(condition),
        ..everything()
    }
}

async fn selected(store: &dyn Store, condition: Condition) -> Vec<u8> {
    let query = query(condition);
    let rows = store.list(&query, None, 100).await.unwrap();
    let counted = store.count(&query, false).await.unwrap();
    assert_eq!(counted, [(0, i64::try_from(rows.len()).unwrap())]);
    rows.iter().map(|row| row.run.0[0]).collect()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(super) async fn a_list_shows_open_runs_first(place: &mut dyn Place) {
    let store = written(place).await;
    let rows = store.list(&everything(), None, 100).await.unwrap();
    // Runs 4 and 5 closed together; 5 would come first by its start time if 4 had not started later.
    assert_eq!(rows.iter().map(|row| row.run.0[0]).collect::<Vec<_>>(), ALL);
    assert_eq!(
        rows[2],
        Row {
            workflow_type: "Alpha".into(),
            start_time: Time(300),
            ..row(1, "a%1")
        }
    );
}

pub(super) async fn a_list_goes_on_where_a_page_ended(place: &mut dyn Place) {
    let store = written(place).await;
    for limit in 1..=7 {
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let page = store
                .list(&everything(), after.as_ref(), limit)
                .await
                .unwrap();
            assert!(page.len() <= limit);
            seen.extend(page.iter().map(|row| row.run.0[0]));
            let Some(last) = page.last() else { break };
            after = Some(Position {
                close_time: last.close_time,
                start_time: last.start_time,
                run: last.run,
            });
        }
        assert_eq!(seen, ALL, "{limit} at a time");
    }
}

pub(super) async fn each_condition_selects(place: &mut dyn Place) {
    let store = written(place).await;
    let status = |value| Compare(ExecutionStatus, Equal, Value::Int(value));
    let starts = |at| Compare(StartTime, Equal, Value::Time(Time(at)));
    let cases = [
        (All(vec![]), ALL.to_vec()),
        (Any(vec![]), vec![]),
        (Never, vec![]),
        (Not(Box::new(Never)), ALL.to_vec()),
        (All(vec![status(1), starts(500)]), vec![3, 2]),
        (Any(vec![status(3), starts(500)]), vec![3, 2, 5]),
        (Not(Box::new(status(1))), vec![4, 5, 6]),
        (
            Not(Box::new(All(vec![status(1), Not(Box::new(starts(500)))]))),
            vec![3, 2, 4, 5, 6],
        ),
        (
            Compare(StartTime, NotEqual, Value::Time(Time(500))),
            vec![1, 4, 5, 6],
        ),
        (Compare(StartTime, Less, Value::Time(Time(500))), vec![1]),
        (
            Compare(StartTime, LessOrEqual, Value::Time(Time(500))),
            vec![3, 2, 1],
        ),
        (
            Compare(StartTime, Greater, Value::Time(Time(500))),
            vec![4, 5, 6],
        ),
        (
            Compare(StartTime, GreaterOrEqual, Value::Time(Time(500))),
            vec![3, 2, 4, 5, 6],
        ),
        (
            In(ExecutionStatus, vec![Value::Int(3), Value::Int(2)]),
            vec![4, 5, 6],
        ),
        (In(ExecutionStatus, vec![]), vec![]),
        (
            Between(StartTime, Value::Time(Time(300)), Value::Time(Time(500))),
            vec![3, 2, 1],
        ),
        (
            Between(StartTime, Value::Time(Time(500)), Value::Time(Time(300))),
            vec![],
        ),
        (IsNull(CloseTime), vec![3, 2, 1]),
        (Not(Box::new(IsNull(CloseTime))), vec![4, 5, 6]),
        // No wildcards, no folding of case, no end at U+0000, and the last character of all.
        (StartsWith(WorkflowId, "a%".into()), vec![1]),
        (StartsWith(WorkflowId, "a_".into()), vec![2]),
        (StartsWith(WorkflowId, "b".into()), vec![3, 4]),
        (StartsWith(WorkflowId, "b\0".into()), vec![3]),
        (StartsWith(WorkflowId, "a\u{10ffff}".into()), vec![5, 6]),
        (StartsWith(WorkflowId, String::new()), ALL.to_vec()),
        (StartsWith(WorkflowType, "Alpha".into()), vec![2, 1]),
        (Compare(WorkflowType, Equal, text("alpha")), vec![3]),
        (Compare(WorkflowId, Greater, text("b")), vec![3]),
        (Compare(WorkflowId, Equal, text("b' OR 'a' = 'a")), vec![]),
        // A value of another type matches nothing, and neither does the negation.
        (Compare(WorkflowId, Equal, Value::Int(1)), vec![]),
        (
            Not(Box::new(Compare(StartTime, Equal, text("500")))),
            vec![],
        ),
        (
            Any(vec![Compare(StartTime, Equal, text("500")), status(3)]),
            vec![5],
        ),
    ];
    for (condition, expected) in cases {
        let shown = format!("{condition:?}");
        assert_eq!(selected(&*store, condition).await, expected, "{shown}");
    }
}

fn term(attribute: u8, value: &'static [u8]) -> Term {
    Term {
        attribute: [attribute; 16],
        value: Bytes::from_static(value),
    }
}

/// A run, and what it is found by from now on.
fn with_terms(number: u8, seq: u64, terms: Option<Vec<Term>>) -> Write {
    let mut write = put(record(seq, 1, 0), row(number, &format!("id {number}")));
    if let Write::Append { terms: given, .. } = &mut write {
        *given = terms;
    }
    write
}

pub(super) async fn runs_are_found_by_their_terms(place: &mut dyn Place) {
    let store = place.open().await;
    let epoch = own(&*store).await;
    let begun = vec![
        with_terms(1, 1, Some(vec![term(1, b"apple"), term(2, b"\0\0\x01")])),
        with_terms(2, 1, Some(vec![term(1, b"banana"), term(1, b"cherry")])),
        with_terms(3, 1, Some(vec![term(1, b"")])),
        with_terms(4, 1, None),
    ];
    commit(&*store, epoch, begun).await;
    let has = |attribute, test| Has([attribute; 16], test);
    let value = Bytes::from_static;
    let is = |comparison, bytes| has(1, Test::Compare(comparison, value(bytes)));
    let cases = [
        (has(1, Test::Any), vec![3, 2, 1]),
        (Not(Box::new(has(1, Test::Any))), vec![4]),
        (has(2, Test::Any), vec![1]),
        (has(3, Test::Any), vec![]),
        (is(Equal, b"apple"), vec![1]),
        (is(Equal, b"app"), vec![]),
        (is(Equal, b""), vec![3]),
        (is(NotEqual, b"apple"), vec![3, 2]),
        (Not(Box::new(is(Equal, b"apple"))), vec![4, 3, 2]),
        (is(Greater, b"apple"), vec![2]),
        (is(LessOrEqual, b"apple"), vec![3, 1]),
        (has(1, Test::Between(value(b"b"), value(b"c"))), vec![2]),
        (has(1, Test::StartsWith(value(b"ch"))), vec![2]),
        (has(1, Test::StartsWith(value(b""))), vec![3, 2, 1]),
        (has(2, Test::StartsWith(value(b"\0\0"))), vec![1]),
        (has(2, Test::StartsWith(value(b"\xff"))), vec![]),
        (
            All(vec![is(Equal, b"banana"), is(Equal, b"cherry")]),
            vec![2],
        ),
        (
            Any(vec![is(Equal, b"apple"), is(Equal, b"cherry")]),
            vec![2, 1],
        ),
        (Worker("\nBuildIds=w\0\n".to_owned()), vec![4, 3, 2, 1]),
        (Worker("\nBuildIds=\n".to_owned()), vec![]),
    ];
    for (condition, expected) in cases {
        let shown = format!("{condition:?}");
        assert_eq!(selected(&*store, condition).await, expected, "{shown}");
    }
    let changed = vec![
        with_terms(1, 2, None),
        with_terms(2, 2, Some(vec![term(1, b"apple")])),
        with_terms(3, 2, Some(Vec::new())),
    ];
    commit(&*store, epoch, changed).await;
    assert_eq!(selected(&*store, is(Equal, b"apple")).await, [2, 1]);
    assert_eq!(selected(&*store, has(1, Test::Any)).await, [2, 1]);
    let whole = store.whole(run(2)).await.unwrap();
    assert_eq!(whole.terms, [term(1, b"apple")]);
    commit(&*store, epoch, vec![Write::Delete { run: run(2) }]).await;
    assert_eq!(selected(&*store, has(1, Test::Any)).await, [1]);
    assert_eq!(store.whole(run(2)).await.unwrap().terms, []);
}

pub(super) async fn each_attribute_can_be_asked_for(place: &mut dyn Place) {
    let store = written(place).await;
    let cases = [
        (WorkflowId, text("b"), vec![4]),
        (RunId, Value::Run(run(5)), vec![5]),
        (WorkflowType, text("Type"), vec![4, 5, 6]),
        (TaskQueue, text("other"), vec![6]),
        (ExecutionStatus, Value::Int(3), vec![5]),
        (StartTime, Value::Time(Time(700)), vec![5]),
        (ExecutionTime, Value::Time(Time(100)), vec![4]),
        (CloseTime, Value::Time(Time(900)), vec![4, 5]),
        (ExecutionDuration, Value::Int(800), vec![4]),
        (HistoryLength, Value::Int(50), vec![4]),
        (HistorySizeBytes, Value::Int(600), ALL.to_vec()),
        (StateTransitionCount, Value::Int(2), ALL.to_vec()),
        (ParentWorkflowId, text("parent"), vec![3, 1, 4, 5, 6]),
        (ParentRunId, Value::Run(run(200)), vec![3, 1, 4, 5, 6]),
        (RootWorkflowId, text("root"), vec![2, 1, 4, 5, 6]),
        (RootRunId, Value::Run(run(201)), vec![2, 1, 4, 5, 6]),
    ];
    for (attribute, value, expected) in cases {
        let found = selected(&*store, Compare(attribute, Equal, value.clone())).await;
        assert_eq!(found, expected, "{attribute:?}");
        let found = selected(&*store, In(attribute, vec![value])).await;
        assert_eq!(found, expected, "{attribute:?}");
    }
}

pub(super) async fn what_is_absent_is_neither_equal_nor_unequal(place: &mut dyn Place) {
    let store = written(place).await;
    let closed_at = |comparison| Compare(CloseTime, comparison, Value::Time(Time(900)));
    assert_eq!(selected(&*store, closed_at(NotEqual)).await, [6]);
    assert_eq!(
        selected(&*store, Not(Box::new(closed_at(Equal)))).await,
        [6]
    );
    let longer = Compare(ExecutionDuration, Greater, Value::Int(i64::MIN));
    assert_eq!(selected(&*store, longer).await, [4, 5, 6]);
    let orphan = Not(Box::new(Compare(ParentWorkflowId, Equal, text("x"))));
    assert_eq!(selected(&*store, orphan).await, [3, 1, 4, 5, 6]);
}

pub(super) async fn runs_are_counted_by_status(place: &mut dyn Place) {
    let store = written(place).await;
    let grouped = store.count(&everything(), true).await.unwrap();
    assert_eq!(grouped, [(1, 3), (2, 2), (3, 1)]);
    assert_eq!(store.count(&everything(), false).await.unwrap(), [(0, 6)]);
    let nothing = query(Never);
    assert_eq!(store.count(&nothing, true).await.unwrap(), []);
    assert_eq!(store.count(&nothing, false).await.unwrap(), [(0, 0)]);
}
