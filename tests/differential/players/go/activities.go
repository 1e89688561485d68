package main

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
)

func echo(_ context.Context, text string) (string, error) {
	return text, nil
}

func flaky(ctx context.Context, text string) (string, error) {
	attempt := activity.GetInfo(ctx).Attempt
	if attempt < 3 {
		return "", temporal.NewApplicationError(fmt.Sprintf("attempt %d", attempt), "Flaky")
	}
	return fmt.Sprintf("%s at attempt %d", text, attempt), nil
}

func refuse(_ context.Context, text string) (string, error) {
	return "", temporal.NewNonRetryableApplicationError(text, "Refused", nil)
}

func beat(ctx context.Context) (string, error) {
	if activity.HasHeartbeatDetails(ctx) {
		var details string
		err := activity.GetHeartbeatDetails(ctx, &details)
		return details, err
	}
	activity.RecordHeartbeat(ctx, "half")
	return "", temporal.NewApplicationError("the other half", "Half")
}

func hang(ctx context.Context) (string, error) {
	for {
		activity.RecordHeartbeat(ctx)
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
