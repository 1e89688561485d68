//! The activities that the workflows call. None reaches outside the program.

use std::time::Duration;

use temporalio_macros::activities;
use temporalio_sdk::ApplicationFailure;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

pub struct Activities;

#[activities]
impl Activities {
    #[activity(name = "echo")]
    pub async fn echo(_ctx: ActivityContext, text: String) -> Result<String, ActivityError> {
        Ok(text)
    }

    #[activity(name = "flaky")]
    pub async fn flaky(ctx: ActivityContext, text: String) -> Result<String, ActivityError> {
        let attempt = ctx.info().attempt;
        if attempt < 3 {
            return Err(failure(format!("attempt {attempt}"), "Flaky"));
        }
        Ok(format!("{text} at attempt {attempt}"))
    }

    #[activity(name = "refuse")]
    pub async fn refuse(_ctx: ActivityContext, text: String) -> Result<String, ActivityError> {
        let refused = ApplicationFailure::builder(text)
            .type_name("Refused".to_owned())
            .non_retryable(true)
            .build();
        Err(ActivityError::application(refused))
    }

    #[activity(name = "beat")]
    pub async fn beat(ctx: ActivityContext) -> Result<String, ActivityError> {
        if let Some(details) = ctx.heartbeat_details().deserialize()? {
            return Ok(details);
        }
        ctx.record_heartbeat("half".to_owned()).await?;
        Err(failure("the other half".to_owned(), "Half"))
    }

    #[activity(name = "hang")]
    pub async fn hang(ctx: ActivityContext) -> Result<String, ActivityError> {
        while !ctx.is_cancelled() {
            ctx.record_heartbeat(()).await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(ActivityError::cancelled())
    }
}

fn failure(message: String, kind: &str) -> ActivityError {
    let failure = ApplicationFailure::builder(message)
        .type_name(kind.to_owned())
        .build();
    ActivityError::application(failure)
}
