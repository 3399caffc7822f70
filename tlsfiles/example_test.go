// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/rollcall-rpc/rollcall/internal/testca"
	"github.com/rollcall-rpc/rollcall/tlsfiles"
)

// A server and a client that show each other certificates. Any program that takes a
// *tls.Config can use either.
func ExampleFiles() {
	dir, cleanup := exampleFiles()
	defer cleanup()

	serverTLS, err := tlsfiles.Files{
		Cert: filepath.Join(dir, "server.crt"),
		Key:  filepath.Join(dir, "server.key"),
		CA:   filepath.Join(dir, "ca.crt"),
	}.Server()
	if err != nil {
		fmt.Println(err)
		return
	}
	clientTLS, err := tlsfiles.Files{
		Cert:       filepath.Join(dir, "client.crt"),
		Key:        filepath.Join(dir, "client.key"),
		CA:         filepath.Join(dir, "ca.crt"),
		ServerName: "divide.example",
	}.Client()
	if err != nil {
		fmt.Println(err)
		return
	}

	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s", r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	server.TLS = serverTLS
	server.StartTLS()
	defer server.Close()

	transport := &http.Transport{TLSClientConfig: clientTLS}
	defer transport.CloseIdleConnections()
	reply, err := (&http.Client{Transport: transport}).Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer reply.Body.Close()
	text, _ := io.ReadAll(reply.Body)
	fmt.Printf("%s\n", text)
	// Output: hello billing
}

// A client that dials many hosts, each with the name that its certificate must have.
func ExampleForHost() {
	dir, cleanup := exampleFiles()
	defer cleanup()

	server, err := tlsfiles.Files{Cert: filepath.Join(dir, "server.crt"), Key: filepath.Join(dir, "server.key")}.Server()
	if err != nil {
		fmt.Println(err)
		return
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.(*tls.Conn).Handshake() //nolint:errcheck // what comes of it is looked at elsewhere
			conn.Close()
		}
	}()

	client, err := tlsfiles.Files{CA: filepath.Join(dir, "ca.crt")}.Client()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, host := range []string{"127.0.0.1", "divide.example", "10.0.0.1"} {
		conn, err := tls.Dial("tcp", listener.Addr().String(), tlsfiles.ForHost(client, host))
		if err != nil {
			fmt.Println(host, "is refused")
			continue
		}
		fmt.Println(host, "is trusted")
		conn.Close()
	}
	// Output:
	// 127.0.0.1 is trusted
	// divide.example is trusted
	// 10.0.0.1 is refused
}

// exampleFiles writes the files of an authority, a server and a client.
func exampleFiles() (dir string, cleanup func()) {
	dir, err := os.MkdirTemp("", "tlsfiles")
	if err != nil {
		panic(err)
	}
	ca := testca.New("example")
	ca.Write(dir, "ca")
	ca.Issue(testca.Leaf{Names: []string{"divide.example", "127.0.0.1"}}).Write(dir, "server")
	ca.Issue(testca.Leaf{CommonName: "billing"}).Write(dir, "client")
	return dir, func() { os.RemoveAll(dir) }
}
