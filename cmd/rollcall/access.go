// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"io"
	"log/slog"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
)

// An access is what the flags of a command, and the environment, say about TLS and
// about who we are: to the instances of a service and to its registry. The same
// flags mean the same at every command.
type access struct {
	flags        *pflag.FlagSet
	registryOnly bool // the command asks nobody else

	tls                            bool // asks for it; not given: whether any file or name of TLS is
	ca, cert, key, name            setting
	plaintext                      bool
	token, tokenText               setting // tokenText has no flag
	tokenInClear                   bool
	registryCA, registryCert       setting
	registryKey, registryName      setting
	identities                     identities
	identityFile, identityVariable setting // identityVariable has no flag

	stderr io.Writer // for warnings
}

// addRegistryAccess gives a command the flags for a registry.
func (a *access) addRegistryAccess(cmd *cobra.Command) {
	a.registryOnly = true
	a.add(cmd, "authorities that may sign the other side's certificate; default: the system's", "our certificate", "the key of our certificate")
}

// add gives a command the flags that all have, of which --tls-ca, --tls-cert and
// --tls-key do not mean the same to a server as to others.
func (a *access) add(cmd *cobra.Command, ca, cert, key string) {
	a.ca, a.cert, a.key = pemFile("tls-ca", "ROLLCALL_TLS_CA"), pemFile("tls-cert", "ROLLCALL_TLS_CERT"), pemFile("tls-key", "ROLLCALL_TLS_KEY")
	a.registryCA, a.registryCert = pemFile("registry-tls-ca", "ROLLCALL_REGISTRY_TLS_CA"), pemFile("registry-tls-cert", "ROLLCALL_REGISTRY_TLS_CERT")
	a.registryKey, a.registryName = pemFile("registry-tls-key", "ROLLCALL_REGISTRY_TLS_KEY"), serverName("registry-tls-name", "ROLLCALL_REGISTRY_TLS_NAME")
	a.identityFile, a.identityVariable = textFile("auth-file", "ROLLCALL_AUTH_FILE"), setting{variable: "ROLLCALL_AUTH"}
	a.group(cmd, func(flags *pflag.FlagSet) {
		a.ca.add(flags, ca)
		a.cert.add(flags, cert)
		a.key.add(flags, key)
		a.registryCA.add(flags, "instead of --tls-ca for a registry at zks://")
		a.registryCert.add(flags, "instead of --tls-cert for it")
		a.registryKey.add(flags, "instead of --tls-key for it")
		a.registryName.add(flags, "that its certificate must have; default: its host")
		flags.Var(&a.identities, "auth", "who to be to the registry, such as digest:USER:PASSWORD; may be repeated; it shows in the list of processes, --auth-file does not")
		a.identityFile.add(flags, "file with lines as --auth takes them; or the lines themselves in $"+a.identityVariable.variable)
	})
}

// addAccess gives a command the flags for instances and their registry.
func (a *access) addAccess(cmd *cobra.Command) {
	a.addRegistryAccess(cmd)
	a.registryOnly = false
	a.name = serverName("tls-name", "ROLLCALL_TLS_NAME")
	a.token, a.tokenText = textFile("token-file", "ROLLCALL_TOKEN_FILE"), setting{variable: "ROLLCALL_TOKEN"}
	a.group(cmd, func(flags *pflag.FlagSet) {
		flags.BoolVar(&a.tls, "tls", false, "speak TLS with the instances; any --tls-ca, --tls-cert or --tls-name asks for it too, unless --tls=false")
		a.name.add(flags, "that the instances' certificates must have; default: the host of each")
		flags.BoolVar(&a.plaintext, "tls-allow-plaintext", false, "clear text with those instances whose entry does not say TLS")
		a.token.add(flags, "file of the token that is sent with every call; or the token itself in $"+a.tokenText.variable)
		flags.BoolVar(&a.tokenInClear, "token-in-clear-text", false, "send the token over clear text too")
	})
}

// addServerAccess gives a command the flags for a server that it runs.
func (a *access) addServerAccess(cmd *cobra.Command) {
	a.add(cmd, "authorities that must have signed the clients' certificates; default: none is asked for",
		"the server's certificate, which makes it speak TLS, and clear text no more", "the key of the server's certificate")
	a.group(cmd, func(flags *pflag.FlagSet) {
		flags.BoolVar(&a.plaintext, "tls-allow-plaintext", false, "let clear text in as well")
	})
}

// group defines flags that the help shows apart.
func (a *access) group(cmd *cobra.Command, define func(*pflag.FlagSet)) {
	a.flags = cmd.Flags()
	group := pflag.NewFlagSet("", pflag.ContinueOnError)
	define(group)
	group.VisitAll(func(f *pflag.Flag) {
		f.Annotations = map[string][]string{accessGroup: nil}
		a.flags.AddFlag(f)
	})
}

// warnings is the logger for what the files of TLS are up to.
func (a *access) warnings() *slog.Logger {
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// client returns the options of a client of the target, and tells warnings to
// stderr.
func (a *access) client(target discovery.Target, stderr io.Writer) (rollcall.ClientOptions, error) {
	opts := rollcall.ClientOptions{Logger: slog.New(slog.DiscardHandler)} // what went wrong stands in the error
	var err error
	if opts.ZooKeeper, err = a.registry(target, stderr); err != nil {
		return opts, err
	}
	if a.wantsTLS() {
		if opts.TLS, err = a.instanceFiles().Client(); err != nil {
			return opts, tlsError(err, &a.ca, &a.cert, &a.key)
		}
	}
	switch opts.AllowPlaintext = a.plaintext; {
	case a.plaintext && opts.TLS == nil:
		return opts, usagef("--tls-allow-plaintext without TLS: give --tls-ca FILE or --tls too, or leave it out, for all is clear text")
	case a.plaintext && target.Scheme == discovery.SchemeStatic:
		return opts, usagef("--tls-allow-plaintext: target %q has no list that says who serves TLS: leave it out, or give --tls=false instead", target)
	}
	opts.AllowTokenInClearText = a.tokenInClear
	opts.Token, err = a.tokenSource(opts.TLS == nil || opts.AllowPlaintext)
	return opts, err
}

// wantsTLS reports whether TLS is to be spoken with instances.
func (a *access) wantsTLS() bool {
	if a.flags.Changed("tls") {
		return a.tls
	}
	for _, s := range []*setting{&a.ca, &a.cert, &a.key, &a.name} {
		if s.value() != "" {
			return true
		}
	}
	return false
}

// server returns the configuration of a server's connections; nil: clear text.
func (a *access) server(stderr io.Writer) (*tls.Config, error) {
	a.stderr = stderr
	if a.cert.value() == "" && a.key.value() == "" {
		switch {
		case a.ca.given != "":
			return nil, usagef("--tls-ca %q without a certificate of the server: give --tls-cert and --tls-key too", a.ca.given)
		case a.plaintext:
			return nil, usagef("--tls-allow-plaintext without TLS: give --tls-cert and --tls-key too, or leave it out, for all is clear text")
		}
		return nil, nil
	}
	config, err := a.instanceFiles().Server()
	if err != nil {
		return nil, tlsError(err, &a.ca, &a.cert, &a.key)
	}
	return config, nil
}

// registry returns the options of a session with the target's registry, and tells
// warnings to stderr.
func (a *access) registry(target discovery.Target, stderr io.Writer) (zookeeper.Options, error) {
	a.stderr = stderr
	auths, err := a.auths(target)
	if err != nil {
		return zookeeper.Options{}, err
	}
	config, err := a.registryTLS(target)
	return zookeeper.Options{Auths: auths, TLS: config}, err
}
