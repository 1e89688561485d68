//! The product's own auditor over the database: when the storm ends, and at the end. In truth it must find nothing, with a bug what `ledger` finds.
//!
//! Deliberately absent: judgement; `ledger` judges each commit by rules written apart from the product.

use std::sync::Arc;

use cairn_history::audit::Scan;
use cairn_history::log::Store;
use cairn_history::log::model::Model;
use futures::FutureExt;

use crate::ledger::Ledger;

/// Looks over everything that is stored.
pub(crate) fn audit(model: &Model, ledger: &mut Ledger) {
    let mut scan = Scan::new(Arc::new(model.clone()), model.shards(), None);
    loop {
        let next = scan.next().now_or_never();
        let next = next.expect("the store in memory answers at once");
        let Some(violations) = next.expect("the store in memory can be read") else {
            return;
        };
        for violation in violations {
            let rule = violation.invariant.number();
            ledger.violated(
                rule,
                format!("verify: {}: {}", violation.run, violation.what),
            );
        }
    }
}
