//! Custom search attributes: set, changed and carried on, and by what the run is found then.

use crate::id::NamespaceId;
use crate::search_attribute::{Kind, TermValue, attribute};

use super::world::World;

const NAMESPACE: NamespaceId = NamespaceId([7; 16]);

/// What the last run is found by, after a script.
fn found(script: &str) -> Vec<String> {
    let mut world = World::new();
    for line in script.split(';') {
        world.line(line.trim());
    }
    let known = [
        ("Color", Kind::Keyword),
        ("Size", Kind::Int),
        ("BatcherUser", Kind::Keyword),
        ("TemporalReportedProblems", Kind::KeywordList),
    ];
    let terms = world.terms().into_iter().map(|term| {
        let of = |(name, kind): &&(&str, Kind)| attribute(NAMESPACE, name, *kind) == term.attribute;
        let (name, kind) = known.iter().find(of).expect("a known attribute");
        match kind {
            Kind::Int => {
                let number = (0..100).find(|number| TermValue::int(*number) == term.value);
                format!("{name}={}", number.expect("a small number"))
            }
            _ => format!("{name}={}", String::from_utf8_lossy(&term.value)),
        }
    });
    let mut terms: Vec<_> = terms.collect();
    terms.sort();
    terms
}

#[test]
fn a_start_is_found_by_what_it_sets() {
    assert_eq!(found("start Color:\"red\" Size:7"), ["Color=red", "Size=7"]);
    assert_eq!(found("start"), [""; 0]);
    assert_eq!(found("start Color:null Size:7"), ["Size=7"]);
}

#[test]
fn an_upsert_replaces_and_removes() {
    assert_eq!(
        found(
            "start Color:\"red\" Size:7; poll; complete: upsert Color:\"blue\" Size:null BatcherUser:\"me\""
        ),
        ["BatcherUser=me", "Color=blue"]
    );
}

#[test]
fn a_close_leaves_it_found() {
    assert_eq!(
        found("start; poll; complete: upsert Color:\"red\", finish"),
        ["Color=red"]
    );
}

#[test]
fn the_type_is_the_one_of_the_namespace_whatever_the_metadata_says() {
    assert_eq!(found("start Color/Int:\"red\""), ["Color=red"]);
    assert_eq!(
        found("start; poll; complete: upsert Color/Text:\"red\" Size/Keyword:7"),
        ["Color=red", "Size=7"]
    );
    assert_eq!(
        found("start Color/Text:\"red\"; poll; complete: upsert Color:\"blue\""),
        ["Color=blue"]
    );
}

#[test]
fn a_retry_begins_as_the_first_run_did() {
    assert_eq!(
        found(
            "start retry=3 Color/Text:\"red\"; poll; complete: upsert Color:\"blue\" Size:1, fail"
        ),
        ["Color=red"]
    );
}

#[test]
fn continue_as_new_takes_what_the_command_has() {
    assert_eq!(
        found("start Color:\"red\"; poll; complete: again Size:7"),
        ["Size=7"]
    );
    assert_eq!(found("start Color:\"red\"; poll; complete: again"), [""; 0]);
}
