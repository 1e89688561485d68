//! Is a cron schedule one, and does it ever come?
//!
//! What it means is history's business, and so is when it comes next.

use cairn_history::execution::cron::Schedule;
use cairn_history::id::Time;

use crate::error::Error;

/// Empty is no schedule, which is fine.
pub(crate) fn schedule(text: &str, now: Time) -> Result<(), Error> {
    if text.is_empty() {
        return Ok(());
    }
    let schedule = Schedule::parse(text).ok_or_else(|| Error::invalid("invalid CronSchedule."))?;
    if schedule.comes(now) {
        Ok(())
    } else {
        Err(Error::invalid(
            "invalid CronSchedule, no time can be found to satisfy the schedule",
        ))
    }
}
