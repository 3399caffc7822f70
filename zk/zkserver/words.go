// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"bytes"
	"fmt"
	"slices"
)

// version is what monitoring tools and clients are told: the ZooKeeper that they
// may take this server for. 3.8.4 is the first that guards exists and
// notifications by READ, as this one does; what 3.9 added for operators, as
// snapshots by HTTP, is not here. Tools look for three numbers and a hyphen.
const version = "3.8.4-rollcall, built on 2026-01-01 00:00 UTC"

// defaultWords are the four-letter words that are answered without being asked
// to in Options. The others cost more, or tell who the clients are.
var defaultWords = []string{"conf", "dirs", "envi", "isro", "mntr", "ruok", "srvr", "stat"}

// words is the table of four-letter words. Source: ZooKeeper Administrator's
// Guide, "The Four Letter Words".
var words = map[string]func(c *conn, b *bytes.Buffer){
	"conf": writeConf,
	"cons": writeCons,
	"crst": resetConns,
	"dirs": writeDirs,
	"dump": writeDump,
	"envi": writeEnvi,
	"gtmk": writeTraceMask,
	"hash": func(*conn, *bytes.Buffer) {}, // no digests of the tree are kept: the list of them is empty
	"isro": func(_ *conn, b *bytes.Buffer) { b.WriteString("rw") },
	"mntr": writeMntr,
	"ruok": func(_ *conn, b *bytes.Buffer) { b.WriteString("imok") },
	"srst": resetStats,
	"srvr": writeSrvr,
	"stat": writeStat,
	"stmk": setTraceMask,
	"wchc": writeWatchesBySession,
	"wchp": writeWatchesByPath,
	"wchs": writeWatchSummary,
}

// allWords returns the words that there are, in order.
func allWords() []string {
	all := make([]string, 0, len(words))
	for w := range words {
		all = append(all, w)
	}
	slices.Sort(all)
	return all
}

func isWord(word string) bool { return words[word] != nil }

// serveWord answers a four-letter word; the connection ends behind it.
func (c *conn) serveWord(word string) {
	var b bytes.Buffer
	allowed := c.srv.opts.FourLetterWords
	if word == "srvr" || slices.Contains(allowed, word) || slices.Contains(allowed, "*") {
		words[word](c, &b)
	} else {
		fmt.Fprintf(&b, "%s is not executed because it is not in the whitelist.\n", word)
	}
	c.out.mu.Lock()
	if c.out.open() {
		c.out.buf = append(c.out.buf, b.Bytes()...)
	}
	c.out.mu.Unlock()
}
