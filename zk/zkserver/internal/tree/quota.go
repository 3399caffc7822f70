// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// The quota of a node /a is kept in two nodes: what is allowed in
// /zookeeper/quota/a/zookeeper_limits, which clients write, and what is used in
// /zookeeper/quota/a/zookeeper_stats, which the server keeps up to date. Source:
// ZooKeeper's Quotas and StatsTrack.
const (
	quotaPrefix = jute.QuotaPath + "/"
	limitsName  = "/zookeeper_limits"
	statsName   = "/zookeeper_stats"
)

// An Overrun is a quota that a request goes beyond.
type Overrun struct {
	Path  string // the node that has the quota
	What  string // "count" or "bytes"
	Hard  bool
	Value int64 // what is used, or would be
	Limit int64
}

// maxOverruns is how many overruns a batch notes.
const maxOverruns = 16

// Overruns returns the quotas that requests of the batch went beyond, each once;
// of many, the first few.
func (b *Batch) Overruns() []Overrun { return b.overruns }

// quotaOf returns the node whose limits or stats a path holds. The root cannot
// have a quota, nor can quotas.
func quotaOf(path, name string) (string, bool) {
	if !strings.HasPrefix(path, quotaPrefix) {
		return "", false
	}
	node, ok := strings.CutSuffix(path[len(jute.QuotaPath):], name)
	return node, ok && node != "" && !strings.HasPrefix(node, quotaPrefix)
}

// quotaFor returns the nearest node at or above path that has a quota.
func (b *Batch) quotaFor(path string) (string, bool) {
	if b.quotas.len == 0 || strings.HasPrefix(path, quotaPrefix) {
		return "", false
	}
	for ; path != Root; path = parentOf(path) {
		if _, ok := b.quotas.get(atPath(path)); ok {
			return path, true
		}
	}
	return "", false
}

// A usage is what a quota allows or what is used of it; -1: not said.
type usage struct{ count, bytes, countHard, bytesHard int64 }

// parseUsage reads "count=N,bytes=N" and, behind that, "=;byteHardLimit=N" and
// ";countHardLimit=N". Words that it does not know are skipped.
func parseUsage(data []byte) (u usage, ok bool) {
	u = usage{-1, -1, -1, -1}
	fields := strings.FieldsFunc(string(data), func(r rune) bool { return r == ',' || r == ';' })
	for _, field := range fields {
		key, value, _ := strings.Cut(field, "=")
		value, _, _ = strings.Cut(value, "=")
		n, err := strconv.ParseInt(value, 10, 64)
		if value == "" {
			n, err = -1, nil
		}
		if err != nil {
			return u, false
		}
		switch key {
		case "count":
			u.count = n
		case "bytes":
			u.bytes = n
		case "countHardLimit":
			u.countHard = n
		case "byteHardLimit":
			u.bytesHard = n
		}
	}
	return u, true
}

// usageAt reads the limits or stats of a node.
func (b *Batch) usageAt(path, name string) (usage, bool) {
	n := b.get(jute.QuotaPath + path + name)
	if n == nil {
		return usage{}, false
	}
	return parseUsage(n.Data)
}

// overQuota is where a create or setData is refused that would go beyond a hard
// limit. Going beyond any limit is noted.
func (b *Batch) overQuota(path string, count, bytes int64) jute.ErrCode {
	quota, ok := b.quotaFor(path)
	if !ok {
		return jute.ErrOk
	}
	limits, okLimits := b.usageAt(quota, limitsName)
	used, okUsed := b.usageAt(quota, statsName)
	if !okLimits || !okUsed {
		return jute.ErrOk // nothing that can be compared
	}
	if count != 0 && b.exceeds(quota, "count", used.count+count, limits.count, limits.countHard) ||
		bytes != 0 && b.exceeds(quota, "bytes", used.bytes+bytes, limits.bytes, limits.bytesHard) {
		return jute.ErrQuotaExceeded
	}
	return jute.ErrOk
}

// exceeds notes that value is beyond the limit, of which a hard one counts where
// there are both, and reports whether that is an error.
func (b *Batch) exceeds(quota, what string, value, soft, hard int64) bool {
	limit := soft
	if hard >= 0 {
		limit = hard
	}
	if limit < 0 || value <= limit {
		return false
	}
	b.note(Overrun{Path: quota, What: what, Hard: hard >= 0, Value: value, Limit: limit})
	return hard >= 0 && b.Rules.EnforceQuota
}

func (b *Batch) note(o Overrun) {
	for i := range b.overruns {
		if b.overruns[i].Path == o.Path && b.overruns[i].What == o.What {
			b.overruns[i] = o
			return
		}
	}
	if len(b.overruns) < maxOverruns {
		b.overruns = append(b.overruns, o)
	}
}

// charge adds to what is used of the quota that a path falls under, if there is
// one. What is used is data that changes nothing else of its node.
func (b *Batch) charge(path string, count, bytes int64) {
	if quota, ok := b.quotaFor(path); ok {
		b.chargeTo(quota, count, bytes)
	}
}

func (b *Batch) chargeTo(quota string, count, bytes int64) {
	if used, ok := b.usageAt(quota, statsName); ok {
		b.setUsage(quota, used.count+count, used.bytes+bytes)
	}
}

func (b *Batch) setUsage(quota string, count, bytes int64) {
	b.apply(b.record(Change{
		Kind: ChangeUsage, Path: jute.QuotaPath + quota + statsName,
		Data: fmt.Appendf(nil, "count=%d,bytes=%d", count, bytes),
	}))
}

// recount counts what is used of a quota anew when its stats node is created.
func (b *Batch) recount(stats string) {
	quota, ok := quotaOf(stats, statsName)
	if !ok {
		return
	}
	var count, bytes int64
	add := func(n *Node) bool {
		count++
		bytes += int64(len(n.Data))
		return true
	}
	if n := b.get(quota); n != nil {
		add(n)
		b.eachChild(n, add)
		b.eachBelow(quota, add)
	}
	b.setUsage(quota, count, bytes)
}
