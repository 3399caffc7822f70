// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import "time"

// clockBegan is an instant of no meaning.
var clockBegan = time.Now()

// clock tells the time for those who only measure how long something took. It is
// half as dear as time.Now, which asks for the time of day too.
func clock() time.Duration { return time.Since(clockBegan) }

// instant is clock for those who compare times: they are as good as those of
// time.Now for that, but their time of day does not follow one that is set.
func instant() time.Time { return clockBegan.Add(clock()) }
