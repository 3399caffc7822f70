// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package layout_test

import (
	"fmt"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/layout"
)

// What a server writes into its znode.
func ExampleEncode() {
	data, err := layout.Encode(discovery.Instance{
		ID: "7f3a91c2e0b4d586", Host: "127.0.0.1", Port: 8001, Protocols: []string{"rollcall/1"}, Weight: discovery.DefaultWeight,
	})
	fmt.Println(string(data), err)
	// Output: {"host":"127.0.0.1","port":8001,"id":"7f3a91c2e0b4d586","protocols":["rollcall/1"],"weight":100,"zone":"","version":"","metadata":{}} <nil>
}

// What a Python program writes is enough.
func ExampleDecode() {
	in, err := layout.Decode("server0000000000", []byte(`{"host": "127.0.0.1", "port": 8001}`))
	fmt.Println(in.Name, in.Addr(), in.Weight, err)
	// Output: server0000000000 127.0.0.1:8001 100 <nil>
}

// What an operator has ordered for an instance.
func ExampleDecodeOverrides() {
	all, err := layout.DecodeOverrides([]byte(`{"version":1,"overrides":[{"id":"7f3a91c2e0b4d586","weight":{"value":10,"by":"ann@ops1"}}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	in := discovery.Instance{ID: "7f3a91c2e0b4d586", Host: "127.0.0.1", Port: 8001, Weight: discovery.DefaultWeight}
	in = in.Overridden(all.For(layout.OverrideKeyOf(&in)))
	fmt.Println(in.Weight, in.Override.ServerWeight, in.Override.Weight.By)
	// Output: 10 100 ann@ops1
}
