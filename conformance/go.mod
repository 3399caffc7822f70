module github.com/rollcall-rpc/rollcall/conformance

go 1.26.0

replace github.com/rollcall-rpc/rollcall => ../

require (
	github.com/anishathalye/porcupine v1.3.1
	github.com/go-zookeeper/zk v1.0.4
	github.com/google/go-cmp v0.7.0
	github.com/rollcall-rpc/rollcall v0.0.0-00010101000000-000000000000
	golang.org/x/sync v0.24.0
)
