// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// A deafRegistrar's registrations do not return from Deregister before release,
// whatever their context says.
type deafRegistrar struct {
	discovery.Registrar
	release chan struct{}
}

func (r deafRegistrar) Register(in discovery.Instance) (discovery.Registration, error) {
	registration, err := r.Registrar.Register(in)
	return deafRegistration{registration, r.release}, err
}

type deafRegistration struct {
	discovery.Registration
	release chan struct{}
}

func (r deafRegistration) Deregister(ctx context.Context) error {
	<-r.release
	return r.Registration.Deregister(ctx)
}

// However a server ends, and whatever heeds nothing: it takes 3 s after Close, and with
// the defaults less than 25 s where it drains, for Kubernetes kills after 30. The error
// names what still runs.
func TestEveryEndIsBounded(t *testing.T) {
	only(t, "its network is one of its own", "tcp")
	for name, tt := range map[string]struct {
		says []string
		deaf bool // the registrar
		want []string
	}{
		"nothing":            {},
		"a handler":          {says: []string{whole["rollcall"]}, want: []string{"Divide/Divide (1)"}},
		"two by Invoke":      {says: []string{whole["shout"], whole["shout"]}, want: []string{"Divide/Divide (2)"}},
		"a handler of HTTP":  {says: []string{whole["HTTP"]}, want: []string{"HTTP (1)"}},
		"a protocol":         {says: []string{"?"}, want: []string{"the protocol deaf (1)"}},
		"the registrar":      {deaf: true, want: []string{"ServerOptions.Registrar"}},
		"all of them":        {says: []string{whole["rollcall"], whole["shout"], whole["HTTP"], "?"}, deaf: true, want: []string{"Divide/Divide (2)", "HTTP", "deaf", "Registrar"}},
		"who does not leave": {says: []string{"", "\xb2", "!"}},
	} {
		for _, drains := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					released := make(chan struct{})
					opts := rollcall.ServerOptions{Registrar: new(discovery.Memory), Advertise: "server:1", ID: "a"}
					if tt.deaf {
						opts.Registrar = deafRegistrar{opts.Registrar, released}
					}
					r := newRoom(t, opts)
					for _, text := range tt.says {
						r.connect(text)
					}
					begun, most := time.Now(), 3*time.Second
					if drains {
						most = 25*time.Second - 1
						r.drain()
					} else {
						r.server.Close()
					}
					err := <-r.served
					if took := time.Since(begun); took > most {
						t.Errorf("it takes %v, want %v at most", took, most)
					}
					for _, want := range tt.want {
						if err == nil || !strings.Contains(err.Error(), want) {
							t.Errorf("got %v, want %q named", err, want)
						}
					}
					if drains && len(tt.want) == 0 && err != nil {
						t.Errorf("got %v", err)
					}
					close(released)
					close(r.release)
					r.drain()
				})
			})
		}
	}
}
