//! Run ids in queries. They are kept as sixteen bytes, but people compare them as the text they are shown as.
//!
//! Ids are in the same order as their texts, so every text is a cut: the ids whose text is smaller are below it.

use cairn_history::id::RunId;
use cairn_history::log::visibility::{Attribute, Comparison, Condition, Value};

/// The places of the dashes in a UUID's text.
const DASHES: [usize; 4] = [8, 13, 18, 23];
const LENGTH: usize = 36;

/// The condition under which a run id compares so with a text, or whether it always does.
pub(super) fn compare(
    attribute: Attribute,
    sign: Comparison,
    text: &str,
) -> Result<Condition, bool> {
    let exact = text
        .parse::<RunId>()
        .ok()
        .filter(|run| run.to_string() == text);
    match (exact, sign) {
        (Some(run), sign) => Ok(Condition::Compare(attribute, sign, Value::Run(run))),
        (None, Comparison::Equal) => Err(false),
        (None, Comparison::NotEqual) => Err(true),
        (None, Comparison::Less | Comparison::LessOrEqual) => below(attribute, cut(text)),
        (None, Comparison::Greater | Comparison::GreaterOrEqual) => above(attribute, cut(text)),
    }
}

/// The condition under which the text of a run id begins so, or whether it always does.
pub(super) fn starts_with(attribute: Attribute, prefix: &str) -> Result<Condition, bool> {
    let from = cut(prefix);
    // Behind every text that begins so: no digit is larger than this.
    let to = cut(&format!("{prefix}~"));
    match (from, to) {
        (None, _) => Err(false),
        (Some(from), Some(to)) if from >= to => Err(false),
        (Some(_), _) => match (above(attribute, from), below(attribute, to)) {
            (Ok(above), Ok(below)) => Ok(Condition::All(vec![above, below])),
            (Err(true), other) | (other, Err(true)) => other,
            _ => Err(false),
        },
    }
}

/// The smallest id whose text is not smaller than this. `None`: there is none.
fn cut(text: &str) -> Option<u128> {
    let mut digits: u128 = 0;
    let mut count = 0;
    for (at, byte) in text.bytes().take(LENGTH).enumerate() {
        if DASHES.contains(&at) {
            if byte == b'-' {
                continue;
            }
            // All ids that begin so are on one side of the text.
            let step = u128::from(byte > b'-');
            return shifted(digits.checked_add(step)?, count);
        }
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            0..b'0' => return shifted(digits, count),
            b':'..b'a' => return shifted((digits << 4) + 10, count + 1),
            _ => return shifted(digits.checked_add(1)?, count),
        };
        digits = (digits << 4) + u128::from(digit);
        count += 1;
    }
    let behind = u128::from(text.len() > LENGTH);
    shifted(digits.checked_add(behind)?, count)
}

/// So many leading digits as a whole id, if they are not too many for one.
fn shifted(digits: u128, count: u32) -> Option<u128> {
    let shift = 128 - 4 * count;
    if shift == 128 {
        return (digits == 0).then_some(0);
    }
    let whole = digits << shift;
    (whole >> shift == digits).then_some(whole)
}

fn above(attribute: Attribute, cut: Option<u128>) -> Result<Condition, bool> {
    match cut {
        None => Err(false),
        Some(0) => Err(true),
        Some(cut) => Ok(bound(attribute, Comparison::GreaterOrEqual, cut)),
    }
}

fn below(attribute: Attribute, cut: Option<u128>) -> Result<Condition, bool> {
    match cut {
        None => Err(true),
        Some(0) => Err(false),
        Some(cut) => Ok(bound(attribute, Comparison::Less, cut)),
    }
}

fn bound(attribute: Attribute, sign: Comparison, cut: u128) -> Condition {
    Condition::Compare(attribute, sign, Value::Run(RunId(cut.to_be_bytes())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn holds(condition: &Result<Condition, bool>, run: RunId) -> bool {
        match condition {
            Err(always) => *always,
            Ok(Condition::All(all)) => all.iter().all(|one| holds(&Ok(one.clone()), run)),
            Ok(Condition::Compare(_, sign, Value::Run(value))) => match sign {
                Comparison::Equal => run == *value,
                Comparison::NotEqual => run != *value,
                Comparison::Less => run < *value,
                Comparison::LessOrEqual => run <= *value,
                Comparison::Greater => run > *value,
                Comparison::GreaterOrEqual => run >= *value,
            },
            other => panic!("{other:?}"),
        }
    }

    proptest! {
        #[test]
        fn ids_compare_as_their_texts_do(
            bytes in any::<[u8; 16]>(),
            length in 0..40_usize,
            tail in "[ -~]{0,3}",
        ) {
            let run = RunId(bytes);
            let shown = run.to_string();
            let text = format!("{}{tail}", &shown[..length.min(shown.len())]);
            for (sign, expected) in [
                (Comparison::Equal, shown == text),
                (Comparison::NotEqual, shown != text),
                (Comparison::Less, shown < text),
                (Comparison::LessOrEqual, shown <= text),
                (Comparison::Greater, shown > text),
                (Comparison::GreaterOrEqual, shown >= text),
            ] {
                let condition = compare(Attribute::RunId, sign, &text);
                prop_assert_eq!(holds(&condition, run), expected, "{} {:?} {}", shown, sign, text);
            }
            let condition = starts_with(Attribute::RunId, &text);
            prop_assert_eq!(holds(&condition, run), shown.starts_with(&text), "{} {}", shown, text);
        }
    }

    #[test]
    fn the_last_id_has_nothing_behind_it() {
        let last = RunId([0xff; 16]);
        assert!(holds(&starts_with(Attribute::RunId, "ffff"), last));
        assert!(!holds(
            &compare(Attribute::RunId, Comparison::Greater, "g"),
            last
        ));
        assert!(holds(
            &compare(Attribute::RunId, Comparison::Less, "g"),
            last
        ));
    }
}
