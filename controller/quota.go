package controller

import (
	"time"

	"golang.org/x/time/rate"
)

// quota keeps events from flooding a cluster: whoever opens thousands of
// objects makes thousands of statuses, which tell the same, and only some
// events. Failures have a larger share.
type quota struct{ successes, failures *rate.Limiter }

func newQuota() quota {
	return quota{
		successes: rate.NewLimiter(rate.Every(time.Second), 50),
		failures:  rate.NewLimiter(rate.Every(time.Second/5), 200),
	}
}
