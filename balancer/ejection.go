// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"fmt"
	"time"
)

// A Cause is what an instance was ejected for.
type Cause uint8

// The causes of an ejection.
const (
	CauseFailures    Cause = iota + 1 // attempts that failed in a row
	CauseFailureRate                  // more of its attempts fail than of the others'
	CauseLatency                      // it is slower than the others
)

// An Ejection says why an instance was ejected, in numbers.
type Ejection struct {
	Cause Cause
	Times int // this one counted; a minute without forgives one

	Failures int // in a row; with CauseFailures

	// The shares of attempts that failed of late, with CauseFailureRate.
	Failed, OthersFailed float64

	// The smoothed latency and the others' median, with CauseLatency.
	Latency, OthersLatency time.Duration
}

// String returns the cause in words: "5 failures in a row", "40 % of the attempts
// failed, 1 % of the others'", "latency 812ms, of the others 9ms".
func (e Ejection) String() string {
	switch e.Cause {
	case CauseFailures:
		if e.Failures == 1 {
			return "a failure on trial"
		}
		return fmt.Sprintf("%d failures in a row", e.Failures)
	case CauseFailureRate:
		return fmt.Sprintf("%.0f %% of the attempts failed, %.0f %% of the others'", 100*e.Failed, 100*e.OthersFailed)
	case CauseLatency:
		return fmt.Sprintf("latency %v, of the others %v", e.Latency.Round(time.Millisecond), e.OthersLatency.Round(time.Millisecond))
	}
	return "unknown"
}
