// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall/zk"
)

func newZKWatch() *cobra.Command {
	z := &znodeCommand{}
	cmd := &cobra.Command{
		Use:   "watch ZNODE",
		Short: "Print every change of a znode and of all that is below it",
		Long: `Print every change of a znode and of all that is below it until interrupted, whether
the znode exists already or not: when it came, what it was (created, deleted, or
changed data) and where. With -o json each is a document on a line.

When the connection was lost in between, or stdout was read too slowly, it says on
stderr that changes may have been missed, with -o json also as the event "missed".
This takes ZooKeeper 3.6 or later, or Rollcall's own registry.`,
		Example: `  rollcall zk watch /rpc
  rollcall zk watch / -o json | jq -r 'select(.event == "deleted").path'`,
		Args: argCount(1, "ZNODE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := z.parse(cmd, args[0]); err != nil {
				return err
			}
			return z.run(cmd.Context(), z.watch)
		},
	}
	return z.addFlags(cmd, true)
}

func (z *znodeCommand) watch(ctx context.Context) error {
	var watch *zk.Watch
	err := z.ask(ctx, func(ctx context.Context) (err error) {
		watch, err = z.client.AddWatch(ctx, z.path, zk.PersistentRecursive)
		return err
	})
	if err != nil {
		return err
	}
	defer watch.Close() // nothing depends on it
	note := ""
	if _, err := z.stat(ctx, z.path); err != nil {
		if !errors.Is(err, zk.ErrNoNode) {
			return err
		}
		note = ", which does not exist yet"
	}
	fmt.Fprintf(z.stderr, "watching %s%s\n", orDash(z.path), note)

	link := linkReport{client: z.client, stderr: z.stderr}
	for {
		event, open := link.until(ctx, watch.Events())
		switch {
		case ctx.Err() != nil:
			return nil
		case !open:
			return &zk.Error{Op: "addWatch", Path: z.path, Err: zk.ErrClosed}
		case event.Err != nil:
			return &zk.Error{Op: "addWatch", Path: z.path, Err: event.Err}
		}
		if err := z.printEvent(event); err != nil {
			return err
		}
	}
}

// An eventJSON is a line of "rollcall zk watch -o json".
type eventJSON struct {
	Time  time.Time `json:"time"`
	Event string    `json:"event"` // created, deleted, changed or missed
	Path  string    `json:"path"`
	Zxid  string    `json:"zxid,omitempty"` // where the server tells it
}

func (z *znodeCommand) printEvent(e zk.Event) error {
	now := time.Now()
	line := eventJSON{Time: now.UTC(), Event: e.Type.String(), Path: e.Path}
	if e.Zxid >= 0 {
		line.Zxid = hex(e.Zxid)
	}
	why := ""
	switch e.Type {
	case zk.NodeCreated:
		line.Event = "created"
	case zk.NodeDeleted:
		line.Event = "deleted"
	case zk.NodeDataChanged:
		line.Event = "changed"
	case zk.Rearmed:
		line.Event, why = "missed", "the connection was lost"
	case zk.Lost:
		line.Event, why = "missed", "stdout was read too slowly"
	default: // a persistent recursive watch tells no other
	}
	if why != "" {
		fmt.Fprintf(z.stderr, "%s %s: changes below %s may have been missed, read it again\n", clock(now), why, orDash(e.Path))
	}
	switch {
	case z.output == formatJSON:
		return json.NewEncoder(z.stdout).Encode(line)
	case why != "":
		return nil
	}
	_, err := fmt.Fprintf(z.stdout, "%s %s %s\n", clock(now), line.Event, orDash(e.Path))
	return err
}

// A linkReport tells on stderr when the registry is out of reach.
type linkReport struct {
	client *zk.Client
	stderr io.Writer
	lost   bool
}

// until waits for an event or the end of ctx, and tells of the connection
// meanwhile. It returns false where the channel is closed or ctx has ended.
func (l *linkReport) until(ctx context.Context, events <-chan zk.Event) (zk.Event, bool) {
	for {
		changed := l.client.Changed()
		l.tell(l.client.Session())
		select {
		case event, open := <-events:
			return event, open
		case <-changed:
		case <-ctx.Done():
			return zk.Event{}, false
		}
	}
}

func (l *linkReport) tell(s zk.Session) {
	switch {
	case s.State == zk.StateConnecting && !l.lost && s.LastErr != nil:
		l.lost = true
		fmt.Fprintf(l.stderr, "%s the registry does not answer: %s\n", clock(time.Now()), withoutPackage(s.LastErr))
	case s.State == zk.StateConnected && l.lost:
		l.lost = false
		fmt.Fprintf(l.stderr, "%s the registry answers again\n", clock(time.Now()))
	}
}
